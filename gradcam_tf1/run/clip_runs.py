"""Runs over clips, which are fitted and drawn frame by frame. No TensorFlow here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable

import numpy as np

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.style import peak
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.clip_folders import MOST_FRAMES, ClipImage
from gradcam_tf1.images.fitted_clips import FittedClip, frame_cells, joined
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.writing import MapWriter
from gradcam_tf1.types import Binding, MapKey


def check_clips(request: RunRequest) -> None:
    """Refuse options that work on images only. Raises OptionError."""
    if request.run.figures:
        raise OptionError("figures show images only; leave --figure (figures) out for clips")
    if request.style.box is not None:
        raise OptionError("boxes are drawn on images only; leave --box (box) out for clips")


def clip_note(binding: Binding) -> str:
    """Return a sentence on which frames of a clip are explained."""
    frames = (binding.array_shape or (None, None))[1]
    count = f"{frames}" if frames is not None else f"at most {MOST_FRAMES}"
    return (
        f"a clip is a folder of frames or a file with several frames: {count} frames are explained, evenly spaced from "
        "the first to the last; file names contain the frame number, counted from 0"
    )


def clip_fitter(fit_image: Callable[[np.ndarray], Fitted]) -> Callable[[ClipImage], FittedClip]:
    """Return a function that fits all frames of a clip to the size of the input."""
    return lambda image: joined([fit_image(frame) for frame in image.frames])


class ClipWriter(MapWriter):
    """Writes the maps of each frame.

    All frames of a map, and of maps on a shared scale, have the same scale. The kinds of files contain the frame number
    ("overlay.f0003"), and the peak is (frame, row, column).
    """

    def write_original(self, image: Any, stem: str) -> dict[str, str]:
        """Write each frame if the naming has a name for it: {"original.f0003": path}. Raises OSError."""
        files: dict[str, str] = {}
        for frame, number in zip(image.frames, image.numbers):
            ending = f".f{number:04d}"
            files.update({kind + ending: path for kind, path in super().write_original(frame, stem + ending).items()})
        return files

    def _draw(
        self,
        image: Any,
        map: Any,
        placement: Any,
        names: tuple[str, str, str, str],
        raw: dict[str, Any],
        scale: float | None,
        _found: Any = None,
    ) -> tuple[dict[str, str], Any]:
        """Draw and write each frame, without a box."""
        files: dict[str, str] = {}
        for n, number in enumerate(image.numbers):
            ending = f".f{number:04d}"
            frame = None if map is None else map[n]
            frame_raw = {**raw, "map": raw["map"][n]} if raw else {}
            frame_names = (*names[:3], names[3] + ending)
            saved, _ = super()._draw(image.frames[n], frame, placement.frame, frame_names, frame_raw, scale)
            files.update({kind + ending: path for kind, path in saved.items()})
        return files, None

    def _peak(self, image: Any, map: Any, placement: Any) -> Any:
        """Return (frame, row, column) of the highest value, or of the largest magnitudes of a map with channels."""
        best = max(range(len(map)), key=lambda n: _height(map[n]))
        return (image.numbers[best], *peak(map[best], placement.frame))

    def _raw(self, explanation: Explanation, key: MapKey, n: int, t: int) -> dict[str, Any]:
        """Return the maps of all frames, and the placement of each frame."""
        cells = frame_cells(explanation.cells.get(key))
        raw = {"map": explanation.maps[key][n, t], **asdict(explanation.placements[n].frame)}
        return raw if cells is None else {**raw, **asdict(cells)}


def _height(map: np.ndarray) -> float:
    """Return the highest value of a map, or the largest sum of magnitudes over channels."""
    return float(map.max() if map.ndim == 2 else abs(map).sum(axis=2).max())
