"""Placements as rows of whole numbers, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.images.fitted_clips import ClipPlacement
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.numpy_files import size_of

_IMAGE = 12  # numbers: the original and fitted sizes, the boxes seen and inside
_SIDES = 1_000_000  # of the net's input


class BadField(ValueError):
    """What is wrong with a field of a stored explanation."""


def need(condition: bool, otherwise: str) -> None:
    """Raise BadField with this reason unless the condition holds."""
    if not condition:
        raise BadField(otherwise)


def pack_placements(placements: Sequence[Any]) -> Tuple[str, np.ndarray]:
    """Return the kind of the placements, and int64 [N, numbers]. Raises BadField for other kinds of placements."""
    first = placements[0]
    if isinstance(first, Placement):
        return "image", np.array([_numbers(each) for each in placements], np.int64)
    if isinstance(first, ClipPlacement):
        return "clip", np.array([(*_numbers(each.frame), each.frames) for each in placements], np.int64)
    need(isinstance(first, ArrayPlacement), "its placements are of a kind that a file cannot hold")
    return "array", np.array([each.sides for each in placements], np.int64)


def _numbers(placement: Placement) -> Tuple[int, ...]:
    return (*placement.original, *placement.fitted, *placement.seen, *placement.inside)


@dataclass(frozen=True)
class StoredPlacement:
    """A placement that was read.

    Attributes
    ----------
    record : Placement, ClipPlacement or ArrayPlacement
        The placement.
    axes : int
        Axes of the input without its channels.
    sides : tuple of int
        Their lengths.
    """

    record: Any
    axes: int
    sides: Tuple[int, ...]

    def check(self, image: Optional[np.ndarray], maps: Sequence[np.ndarray]) -> None:
        """Refuse what does not fit the original image or the maps [T, ...], or would fill the memory when placed.

        Raises
        ------
        BadField
            Saying what does not fit.
        """
        pixels = size_of(self.sides, np.dtype(np.uint8))
        need(image is not None or pixels <= MAX_PIXELS, f"its placements are {' x '.join(map(str, self.sides))}")
        need(image is None or image.shape[:2] == self.sides, "an image has another size than its placement")
        if isinstance(self.record, ClipPlacement):
            frames = self.record.frames
            need(all(values.shape[1] == frames for values in maps), "a map has another number of frames than its clip")


def unpack_placements(kind: Any, rows: np.ndarray) -> List[StoredPlacement]:
    """Return the placements of a kind from int64 [N, numbers]. Raises BadField if they are not such."""
    length = rows.shape[1]
    fits = {"image": length == _IMAGE, "clip": length == _IMAGE + 1, "array": length in (1, 2, 3)}
    need(isinstance(kind, str) and fits.get(kind, False), f"its placements are {length} numbers of kind {kind!r}")
    need(bool((rows >= 0).all()), "its placements are negative")
    numbers = [tuple(row) for row in rows.tolist()]
    if kind == "array":
        need(all(min(row) > 0 for row in numbers), "its placements have sides of length 0")
        return [StoredPlacement(ArrayPlacement(row), length, row) for row in numbers]
    frames = [_placement(row) for row in numbers]
    if kind == "image":
        return [StoredPlacement(frame, 2, frame.original) for frame in frames]
    clips = [ClipPlacement(frame, row[_IMAGE]) for frame, row in zip(frames, numbers)]
    return [StoredPlacement(clip, 3, (clip.frames, *clip.frame.original)) for clip in clips]


def _placement(row: Sequence[int]) -> Placement:
    original, fitted = (row[0], row[1]), (row[2], row[3])
    seen, inside = (row[4], row[5], row[6], row[7]), (row[8], row[9], row[10], row[11])
    for (top, left, bottom, right), (height, width) in ((seen, original), (inside, fitted)):
        good = top < bottom <= height and left < right <= width
        need(good, "its placements have boxes that are empty or outside of their image")
    need(max(fitted) <= _SIDES, f"its placements are for an input of {fitted[0]} x {fitted[1]} pixels")
    return Placement(original, fitted, seen, inside)
