"""What is different in a run of clips: they are fitted and drawn frame by frame. No TensorFlow here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable

from gradcam_tf1.drawing import draw, families, full_heat, peak
from gradcam_tf1.engine.fitted_clips import FittedClip, frame_cells, joined
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.result import MapRecord
from gradcam_tf1.run.naming import layer_tokens
from gradcam_tf1.run.options import RunOptions
from gradcam_tf1.run.writing import PictureWriter
from gradcam_tf1.sources.clips import MOST_FRAMES, ClipImage
from gradcam_tf1.types import Binding, Explanation, MapKey


def check_clips(given: RunOptions) -> None:
    """Raises: OptionError for what is there for pictures alone."""
    if given.figures:
        raise OptionError("figures are made of pictures; leave --figure (figures) out for clips")
    if given.look.box is not None:
        raise OptionError("a box is drawn on pictures; leave --box (box) out for clips")


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


class ClipWriter(PictureWriter):
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

    def _write_target(
        self, image: Any, tokens: tuple[str, str], explanation: Explanation, n: int, t: int
    ) -> tuple[MapRecord, ...]:
        records = {}
        layers = layer_tokens(explanation.layers)
        placement = explanation.placements[n]
        for family in families(explanation.maps, self._style.share_scale):
            scale = full_heat((explanation.statuses[key][n][t] for key in family), self._style.signed)
            for method, layer in family:
                maps = explanation.placed(method, n, t, layer)
                status = explanation.statuses[method, layer][n][t]
                shown = status.state != "empty"
                raw = _raw_frames(explanation, (method, layer), n, t) if self._style.raw else [{}] * len(maps)
                files: dict[str, str] = {}
                for place, number in enumerate(image.numbers):
                    map, space = maps[place] if shown else None, METHODS[method].space
                    drawn = draw(image.frames[place], map, placement.frame, space, self._style, scale)
                    ending = f".f{number:04d}"
                    saved = self._save((*tokens, method, layers[layer] + ending), drawn.pictures, raw[place])
                    files.update({kind + ending: path for kind, path in saved.items()})
                records[method, layer] = MapRecord(
                    *(method, layer, status.state, status.reason, status.minimum, status.maximum),
                    peak=_peak(maps, image.numbers, placement) if shown else None,
                    notes=status.notes,
                    files=files,
                )
        return tuple(records[key] for key in explanation.maps)


def _raw_frames(explanation: Explanation, key: MapKey, n: int, t: int) -> list[dict[str, Any]]:
    """For each frame its map, how it was fitted and, unless it is stretched, where its cells lie."""
    cells = frame_cells(explanation.cells.get(key))
    where = {**asdict(explanation.placements[n].frame), **({} if cells is None else asdict(cells))}
    return [{"map": map, **where} for map in explanation.maps[key][n, t]]


def _peak(maps: Any, numbers: tuple[int, ...], placement: Any) -> Any:
    """(frame, row, column) of the highest value, or of the largest magnitudes of a map with channels."""
    best = max(range(len(maps)), key=lambda place: _height(maps[place]))
    return (numbers[best], *peak(maps[best], placement.frame))


def _height(map: Any) -> float:
    return float(map.max() if map.ndim == 2 else abs(map).sum(axis=2).max())
