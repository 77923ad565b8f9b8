"""What a net answers to changed copies of one image: scores of one class, and maps of the same class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapRequest
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.engine.smoothing import explain_request
from gradcam_tf1.methods.masking import baseline_input
from gradcam_tf1.metrics.map_frames import on_input
from gradcam_tf1.types import Binding, LayerInfo, MapKey

_SAMPLE = 8  # images are compared at one pixel in so many of each axis, before they are compared completely


@dataclass
class _Known:
    """An image that is scored again and again: the image itself, or a baseline."""

    image: np.ndarray
    score: Optional[float] = None


class ChangedImages:
    """One image, one class, and the runs of the net on changed copies of the image.

    The copies have the values of the net's first float tensor: after preprocessing, at the input's size. They go
    through the session in batches of `chunk`. The scores of the image and of its baselines are computed once.

    Parameters
    ----------
    engine : MapEngine
        Runs the net.
    binding : Binding
        Of the net.
    request : MapRequest
        Of the image alone, with its `pixels` and `to_batch`; its target is explained in `maps`, its methods are left
        aside.
    measured : ScoreKey
        Which score of this class is measured, such as ("probability",).
    """

    def __init__(self, engine: MapEngine, binding: Binding, request: MapRequest, measured: Tuple[Any, ...]) -> None:
        self._engine, self._binding, self._request = engine, binding, request
        score = replace(request.scores[0], score=measured)
        self._probe: Probe = engine.probes(request, [score])[0]
        self.image: np.ndarray = self._probe.image
        self._known: List[_Known] = [_Known(self.image)]
        self._baselines: Dict[Tuple[str, int], np.ndarray] = {}

    @property
    def chunk(self) -> int:
        """Copies per run of the net: make no more than these at a time."""
        return self._probe.chunk

    def baseline(self, name: str, seed: int = 0) -> np.ndarray:
        """Return what replaces hidden pixels, see `methods.masking.baseline_input`: float32 [H, W, C]."""
        if (name, seed) not in self._baselines:
            self._baselines[name, seed] = baseline_input(self._probe, name, seed)
            self._known.append(_Known(self._baselines[name, seed]))
        return self._baselines[name, seed]

    def score(self, images: np.ndarray) -> np.ndarray:
        """Return the measured score of each copy.

        Parameters
        ----------
        images : np.ndarray
            float32 [M, H, W, C].

        Returns
        -------
        np.ndarray
            float64 [M].

        Raises
        ------
        RunError
            If the net fails.
        """
        images = np.asarray(images, np.float32)
        known = {row: found for found in self._known for row in _rows_like(found.image, images)}
        first = {id(found): row for row, found in reversed(list(known.items())) if found.score is None}
        asked = [row for row in range(len(images)) if row not in known or row in first.values()]
        scores = np.empty(len(images))
        if asked:
            rows = images if len(asked) == len(images) else images[asked]
            scores[asked] = self._probe.scores(rows)[:, 0]
        for row, found in known.items():
            if id(found) in first:
                found.score = float(scores[first[id(found)]])
            scores[row] = found.score
        return scores

    def maps(
        self, method: str, options: Mapping[str, Any], layers: Tuple[LayerInfo, ...], images: np.ndarray
    ) -> np.ndarray:
        """Return the map of each copy by one method, for the class and the score of the image itself.

        A method's baseline that is made of the image, such as its mean, is that of the image itself.

        Parameters
        ----------
        method : str
            Name of the method.
        options : mapping
            Its options.
        layers : tuple of LayerInfo
            The layer.
        images : np.ndarray
            float32 [M, H, W, C].

        Returns
        -------
        np.ndarray
            float64 [M, H, W], at the size of the input; zero where there is no map.

        Raises
        ------
        RunError
            If the net fails.
        """
        count = len(images)
        own = self._request
        request = replace(
            own,
            batch=_repeated(own.batch, count),
            scores=[_for_copies(score, count) for score in own.scores[:1]],
            methods={method: options},
            layers=layers,
            pixels=None if own.pixels is None else _repeated(own.pixels, count),
            floats=np.asarray(images, np.float32),
            report=None,
        )
        answer = explain_request(self._engine, self._binding, request)
        key: MapKey = next(iter(answer.maps))
        cells = answer.cells.get(key)
        return np.stack([on_input(maps[0], cells, request.sides) for maps in answer.maps[key]])


def _rows_like(image: np.ndarray, images: np.ndarray) -> List[int]:
    """Return the numbers of the images that equal this one."""
    near = (images[:, ::_SAMPLE, ::_SAMPLE] == image[::_SAMPLE, ::_SAMPLE]).all(axis=(1, 2, 3))
    return [int(row) for row in np.flatnonzero(near) if np.array_equal(images[row], image)]


def _repeated(rows: np.ndarray, count: int) -> np.ndarray:
    return np.broadcast_to(rows[:1], (count, *rows.shape[1:]))


def _for_copies(score: Any, count: int) -> Any:
    """Return the target of the image for each of its copies."""
    values, inputs = (
        {name: np.repeat(rows[:1], count, axis=0) for name, rows in part.items()}
        for part in (score.values, score.inputs)
    )
    return replace(score, values=values, inputs=inputs)
