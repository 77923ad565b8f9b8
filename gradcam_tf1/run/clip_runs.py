"""What is different in a run of clips: they are fitted and drawn frame by frame. No TensorFlow here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.style import peak
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.clip_folders import MOST_FRAMES, ClipImage
from gradcam_tf1.images.fitted_clips import FittedClip, frame_cells, joined
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.run.writing import MapWriter
from gradcam_tf1.types import Binding, MapKey


def check_clips(request: RunRequest) -> None:
    """Raises: OptionError for what is there for images alone."""
    if request.run.figures:
        raise OptionError("figures are made of images; leave --figure (figures) out for clips")
    if request.style.box is not None:
        raise OptionError("a box is drawn on images; leave --box (box) out for clips")


def said_of_clips(binding: Binding) -> str:
    """Which frames of a clip are explained."""
    wanted = (binding.array_shape or (None, None))[1]
    count = f"{wanted}" if wanted is not None else f"at the most {MOST_FRAMES}"
    return (
        f"a clip is a folder of frames or a file that has several: {count} of its frames are explained, evenly from "
        "the first to the last, and the names of the files say which, counted from 0"
    )


def clip_fitter(fit_image: Callable[[Any], Any]) -> Callable[[ClipImage], FittedClip]:
    """What brings all frames of a clip to the input's size."""
    return lambda image: joined([fit_image(frame) for frame in image.frames])


class ClipWriter(MapWriter):
    """Writes the maps of each frame; the frames of one map, and of its family, share one scale, so that they compare.

    The files of a record are under "overlay.f0003" and the like, with the frame's number in its clip; the peak is
    (frame, row, column).
    """

    def write_original(self, image: Any, stem: str) -> dict[str, str]:
        """The same of each frame: {"original.f0003": path}. Raises: OSError."""
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
    ) -> tuple[dict[str, str], Any]:
        """Each frame; no box."""
        files: dict[str, str] = {}
        for place, number in enumerate(image.numbers):
            ending = f".f{number:04d}"
            frame = None if map is None else map[place]
            own = {**raw, "map": raw["map"][place]} if raw else {}
            named = (*names[:3], names[3] + ending)
            saved, _ = super()._draw(image.frames[place], frame, placement.frame, named, own, scale)
            files.update({kind + ending: path for kind, path in saved.items()})
        return files, None

    def _peak(self, image: Any, map: Any, placement: Any) -> Any:
        """(frame, row, column) of the highest value, or of the largest magnitudes of a map with channels."""
        best = max(range(len(map)), key=lambda place: _height(map[place]))
        return (image.numbers[best], *peak(map[best], placement.frame))

    def _raw(self, explanation: Explanation, key: MapKey, n: int, t: int) -> dict[str, Any]:
        """As of an image, with the maps of all frames; the placement is that of each."""
        cells = frame_cells(explanation.cells.get(key))
        found = {"map": explanation.maps[key][n, t], **asdict(explanation.placements[n].frame)}
        return found if cells is None else {**found, **asdict(cells)}


def _height(map: Any) -> float:
    return float(map.max() if map.ndim == 2 else abs(map).sum(axis=2).max())
