"""From fitted pictures and what is asked of them to an Explanation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.asks import Context, make_asks
from gradcam_tf1.batches import in_rgb, input_batch, stack_pixels
from gradcam_tf1.engine import Engine
from gradcam_tf1.errors import OptionError
from gradcam_tf1.fusion import check_fusion, fuse_layers
from gradcam_tf1.geometry import Fitted
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.noise import Noise
from gradcam_tf1.methods.options import check_options
from gradcam_tf1.noisy import run_with_noise
from gradcam_tf1.regions import fit_mask, fit_point
from gradcam_tf1.types import Ask, Binding, Explanation, LayerInfo, Work
from gradcam_tf1.views import run_with_views


@dataclass(frozen=True)
class How:
    """The manner of explaining, as `GradCamGraph.explain` takes it.

    inputs: values of further input tensors by name, one row per picture.
    """

    score: str = "logit"
    options: Optional[Mapping[str, Mapping[str, Any]]] = None
    noise: Optional[Noise] = None
    fuse: Optional[str] = None
    aug_smooth: bool = False
    eigen_smooth: bool = False
    inputs: Optional[Mapping[str, Any]] = None
    progress: Optional[Callable[[Work], None]] = None


@dataclass(frozen=True)
class Answerer:
    """A bound net that answers. preprocess, fit_image: those of its GradCamGraph."""

    binding: Binding
    engine: Engine
    labels: Optional[Labels]
    preprocess: Callable[[np.ndarray], Any]
    fit_image: Callable[[np.ndarray], Fitted]

    def answer(
        self, fitted: List[Fitted], targets: Any, methods: List[str], layers: Tuple[LayerInfo, ...], how: How
    ) -> Explanation:
        """Explain pictures of one fitted size.

        Args: targets: as `asks.make_asks` reads them. methods: names from METHODS. layers: what layer methods look at.
        Raises: OptionError, TargetError, GradientError, RunError.
        """
        check_options(how.options or {}, [METHODS[name] for name in methods])
        if how.fuse is not None:
            check_fusion(how.fuse, len(layers))
        pixels = stack_pixels(fitted)
        batch = self._to_batch(pixels)
        asks = self._asks(batch, fitted, targets, how)
        ways = {"pixels": pixels, "to_batch": self._to_batch, "options": how.options, "report": how.progress}
        found = self._run(how)(batch, asks, methods, layers, **ways)
        found["maps"] = in_rgb(found["maps"], self.preprocess, pixels.shape[1:3])
        if how.fuse is not None:
            fuse_layers(found, how.fuse)
        return Explanation(
            placements=[item.placement for item in fitted],
            layers=tuple(info.name for info in layers),
            abouts=tuple(ask.about for ask in asks),
            **found,
        )

    def _run(self, how: How) -> Callable[..., Dict[str, Any]]:
        run: Any = self.engine.run if how.noise is None else partial(run_with_noise, self.engine, how.noise)
        run = partial(run_with_views, self.engine, run) if how.aug_smooth else run
        return partial(run, eigen_smooth=True) if how.eigen_smooth else run

    def _asks(self, batch: np.ndarray, fitted: Sequence[Fitted], targets: Any, how: How) -> List[Ask]:
        context = Context(
            self.engine.classes(batch),
            self.labels,
            how.score,
            fit_mask=lambda n, mask: fit_mask(mask, fitted[n].placement),
            fit_point=lambda n, point: fit_point(point, fitted[n].placement),
            embed=self._embed,
        )
        asks = make_asks(targets, len(fitted), context)
        rows = _rows(how.inputs or {}, len(fitted))
        return [replace(ask, inputs=rows) for ask in asks] if rows else asks

    def _embed(self, picture: Any) -> np.ndarray:
        return self.engine.embed(self._to_batch(stack_pixels([self.fit_image(picture)])))[0]

    def _to_batch(self, pixels: np.ndarray) -> np.ndarray:
        return input_batch(pixels, self.preprocess, self.binding)


def _rows(inputs: Mapping[str, Any], images: int) -> Dict[str, np.ndarray]:
    rows = {name: np.asarray(values) for name, values in inputs.items()}
    for name, values in rows.items():
        if values.shape[:1] != (images,):
            raise OptionError(
                f"inputs[{name!r}] is {list(values.shape)}; give one row for each of the {images} pictures, or a "
                "constant in `feed`"
            )
    return rows
