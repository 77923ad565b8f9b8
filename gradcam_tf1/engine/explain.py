"""From fitted images and what is asked of them to an Explanation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding import resolve_layer
from gradcam_tf1.binding.layer_specs import is_auto
from gradcam_tf1.engine.array_inputs import ArrayPlacement, array_methods, as_arrays, check_methods, no_such_target
from gradcam_tf1.engine.auto_layer import OWN, check_own
from gradcam_tf1.engine.further_inputs import FurtherInputs
from gradcam_tf1.engine.input_batches import in_rgb, input_batch, stack_pixels
from gradcam_tf1.engine.layer_fusion import check_fusion, fuse_layers
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapRequest
from gradcam_tf1.engine.smoothing import explain_request
from gradcam_tf1.errors import GradientError, OptionError, TargetError
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods.choices import ChosenMethods, Methods, choose_methods
from gradcam_tf1.methods.noise import Noise, as_noise
from gradcam_tf1.scoring.mask_regions import fit_mask, fit_point
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.tf_runtime import numpy_dtype
from gradcam_tf1.types import Binding, Explanation, LayerInfo, MethodProgress, ScoreRequest


@dataclass(frozen=True)
class How:
    """The manner of explaining, as `GradCamGraph.explain` takes it.

    inputs: values of further input tensors by name, one row per image; see `further.py`.
    """

    score: str = "logit"
    options: Optional[Mapping[str, Mapping[str, Any]]] = None
    noise: Union[Noise, str, None] = None
    fuse: Optional[str] = None
    aug_smooth: bool = False
    eigen_smooth: bool = False
    inputs: Optional[Mapping[str, Any]] = None
    progress: Optional[Callable[[MethodProgress], None]] = None


@dataclass(frozen=True)
class _Inputs:
    """What goes into the net: pixels as they are given, what makes a batch of them, and the way back of the maps.

    readers: of targets that point into the input, see `asks.TargetContext`.
    """

    pixels: np.ndarray
    to_batch: Callable[[np.ndarray], np.ndarray]
    placements: Sequence[Any]
    readers: Mapping[str, Callable[..., Any]]


@dataclass(frozen=True)
class NetExplainer:
    """A bound net that answers. preprocess, fit_image: those of its GradCamGraph."""

    binding: Binding
    engine: MapEngine
    labels: Optional[Labels]
    preprocess: Callable[[np.ndarray], Any]
    fit_image: Callable[[np.ndarray], Fitted]

    def answer(self, fitted: List[Fitted], targets: Any, methods: Methods, layers: Any, how: How) -> Explanation:
        """Explain images of one fitted size; the arguments and what is raised as in `GradCamGraph.explain`."""
        if self.binding.frame_order:
            return self._answer_clips(fitted, targets, methods, layers, how)
        if self.binding.array_shape is not None:
            raise OptionError(f"'{self.binding.input}' takes signals or volumes, not images; use explain_arrays")
        pixels = stack_pixels(fitted)
        readers: Dict[str, Callable[..., Any]] = {
            "fit_mask": lambda n, mask: fit_mask(mask, fitted[n].placement),
            "fit_point": lambda n, point: fit_point(point, fitted[n].placement),
            "embed": self._embed,
        }
        inputs = _Inputs(pixels, self._to_batch, [item.placement for item in fitted], readers)
        found = self._explain(inputs, targets, choose_methods(methods, how.options), layers, how)
        return replace(found, maps=in_rgb(found.maps, self.preprocess, pixels.shape[1:3]))

    def _answer_clips(
        self, fitted: Sequence[Any], targets: Any, methods: Methods, layers: Any, how: How
    ) -> Explanation:
        """Explain FittedClips."""
        chosen = choose_methods(methods, how.options)
        check_methods(chosen, self.binding)
        if how.aug_smooth:
            raise OptionError("aug_smooth turns and changes single images; leave it out for clips")
        pixels = stack_pixels(fitted)
        readers = dict.fromkeys(("fit_mask", "fit_point", "embed"), no_such_target)
        inputs = _Inputs(pixels, self._clips_to_batch, [item.placement for item in fitted], readers)
        found = self._explain(inputs, targets, chosen, layers, how)
        return replace(found, maps=in_rgb(found.maps, self.preprocess, pixels.shape[2:4]))

    def _clips_to_batch(self, pixels: np.ndarray) -> np.ndarray:
        frames = self._to_batch(pixels.reshape((-1, *pixels.shape[2:])))
        return frames.reshape((*pixels.shape[:2], *frames.shape[1:]))

    def answer_arrays(self, arrays: Any, targets: Any, methods: Methods, layers: Any, how: How) -> Explanation:
        """Explain signals or volumes as `arrays.as_arrays` takes them."""
        values = as_arrays(arrays, self.binding)
        dtype = numpy_dtype(self.binding.dtype)
        placements = [ArrayPlacement(each.shape[:-1]) for each in values]
        readers = dict.fromkeys(("fit_mask", "fit_point", "embed"), no_such_target)
        inputs = _Inputs(values, lambda pixels: pixels.astype(dtype), placements, readers)
        chosen = array_methods(choose_methods(methods, how.options), self.binding)
        return self._explain(inputs, targets, chosen, layers, how)

    @property
    def further(self) -> FurtherInputs:
        """The net's inputs beside the images."""
        return FurtherInputs(self.engine.graph, self.binding, self.preprocess)

    def usable(self, methods: Methods, layers: Any) -> Tuple[List[str], Dict[str, str]]:
        """See `GradCamGraph.usable_methods`."""
        usable, reasons = [], {}
        for name in choose_methods(methods):
            try:
                self.engine.build([name], self._all_layers(layers))
                usable.append(name)
            except GradientError as error:
                reasons[name] = str(error)
        return usable, reasons

    def _layers(self, specs: Any) -> Tuple[LayerInfo, ...]:
        """Each layer once, whatever its names."""
        given = [self.binding.layer] if specs is None else specs if isinstance(specs, (list, tuple)) else [specs]
        if any(is_auto(spec) for spec in given):
            check_own(self.binding)
        graph, binding = self.engine.graph, self.binding
        return tuple(dict.fromkeys(OWN if is_auto(spec) else resolve_layer(graph, binding, spec) for spec in given))

    def _all_layers(self, specs: Any) -> Tuple[LayerInfo, ...]:
        """The same, with all that "auto" may come to."""
        binding = self.binding
        own = [branch.layer or binding.shared_layer for branch in binding.branches] or [binding.shared_layer]
        places = self._layers(specs)
        return tuple(place for place in places if place != OWN) + (self._layers(own) if OWN in places else ())

    def _explain(self, given: _Inputs, targets: Any, methods: ChosenMethods, layers: Any, how: How) -> Explanation:
        infos = self._layers(layers)
        if how.fuse is not None:
            check_fusion(how.fuse, len(infos))
        batch = given.to_batch(given.pixels)
        request = MapRequest(
            batch=batch,
            scores=self._requests(batch, given, targets, how),
            methods=methods,
            layers=infos,
            pixels=given.pixels,
            to_batch=given.to_batch,
            report=how.progress,
            eigen_smooth=how.eigen_smooth,
        )
        answer = explain_request(self.engine, self.binding, request, as_noise(how.noise), how.aug_smooth)
        if how.fuse is not None:
            fuse_layers(answer, how.fuse, request.sides)
        return Explanation(
            class_ids=answer.class_ids,
            scores=answer.scores,
            probabilities=answer.probabilities,
            predicted=answer.predicted,
            maps=answer.maps,
            statuses=answer.statuses,
            placements=given.placements,
            layers=tuple(info.name for info in infos),
            abouts=tuple(score.about for score in request.scores),
            failures=answer.failures,
            cells=answer.cells,
        )

    def _requests(self, batch: np.ndarray, given: _Inputs, targets: Any, how: How) -> List[ScoreRequest]:
        rows = self.further.rows(how.inputs or {}, len(batch))
        context = TargetContext(self.engine.classes(batch, rows), self.labels, how.score, **given.readers)
        requests = make_requests(targets, len(batch), context)
        return [replace(request, inputs=rows) for request in requests] if rows else requests

    def _embed(self, image: Any) -> np.ndarray:
        if self.binding.per_image:
            raise TargetError(
                f"a likeness needs the net's output for another image, for which {self.binding.per_image[0]!r} has "
                "no value; give one for all in `feed`"
            )
        return self.engine.embed(self._to_batch(stack_pixels([self.fit_image(image)])))[0]

    def _to_batch(self, pixels: np.ndarray) -> np.ndarray:
        return input_batch(pixels, self.preprocess, self.binding)
