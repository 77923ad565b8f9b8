"""A report shows one frame of each clip: the one where its first map is highest. No TensorFlow here."""

from __future__ import annotations

import re
from dataclasses import replace

from gradcam_tf1.run.result import MapRecord, Result

_FRAME_KIND = re.compile(r"(\w+)\.f(\d{4,})")  # kinds of files, as in "overlay.f0003"


def is_clip(result: Result) -> bool:
    """Return whether the image of a result is a clip, whose files have the numbers of frames."""
    return any(_FRAME_KIND.fullmatch(kind) for record in result.maps for kind in record.files)


def shown_frame(result: Result) -> int:
    """Return the number of the frame that is shown: of the first peak, or the first frame if all maps are empty."""
    numbers = [
        int(found.group(2)) for record in result.maps for found in map(_FRAME_KIND.fullmatch, record.files) if found
    ]
    peaks = [record.peak[0] for record in result.maps if record.peak is not None]
    return peaks[0] if peaks and peaks[0] in numbers else min(numbers, default=0)


def of_frame(result: Result, number: int) -> Result:
    """Return the result as that of one frame: its files, and its peaks if they are in this frame."""
    targets = [replace(target, maps=tuple(_of_frame(map, number) for map in target.maps)) for target in result.targets]
    return replace(result, targets=tuple(targets))


def _of_frame(record: MapRecord, number: int) -> MapRecord:
    ending = f".f{number:04d}"
    files = {kind[: -len(ending)]: path for kind, path in record.files.items() if kind.endswith(ending)}
    place = None if record.peak is None else tuple(record.peak)
    peak = place[1:] if place is not None and len(place) == 3 and place[0] == number else None
    note = f"frame {number} of the clip is shown, where the first map is highest; the folder of the run has all frames"
    return replace(record, files=files, peak=peak, notes=(*record.notes, note))
