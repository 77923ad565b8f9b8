"""Concept maps in one colour each, and the places where a concept is highest. No files are written here."""

from __future__ import annotations

import heapq
from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.small_copies import shrunk
from gradcam_tf1.types import Cells

# Okabe and Ito's colours, which the usual kinds of colour blindness tell apart
COLOURS: Tuple[Tuple[str, Tuple[int, int, int]], ...] = (
    ("orange", (230, 159, 0)),
    ("sky blue", (86, 180, 233)),
    ("green", (0, 158, 115)),
    ("yellow", (240, 228, 66)),
    ("blue", (0, 114, 178)),
    ("vermilion", (213, 94, 0)),
    ("purple", (204, 121, 167)),
    ("black", (0, 0, 0)),
)
SIDE = 320  # longest side of a drawing, in pixels
PLACES = 8  # places of a concept that are kept
_OPACITY = 0.75
_CROP_SIDE = 160


def small(image: np.ndarray, placement: Placement) -> Tuple[np.ndarray, Placement]:
    """Return an image, uint8 [H, W, 3], with its longest side at most 320, and its placement."""
    placement = shrunk(placement, SIDE) if max(placement.original) > SIDE else placement
    size = placement.original
    if image.shape[:2] != size:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return image, placement


def shares(maps: np.ndarray, full: np.ndarray, placement: Placement, cells: Optional[Cells]) -> np.ndarray:
    """Return the maps on the image, each divided by its full strength: float32 [H, W, C], 0..1."""
    placed = placement.place(maps, cells)
    divided: np.ndarray = np.clip(placed / np.maximum(np.asarray(full, np.float32), 1e-30), 0, 1)
    return divided


def together(image: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Tint each pixel of the gray image with the colour of its strongest concept; the first eight have colours.

    Parameters
    ----------
    image : np.ndarray
        uint8 [H, W, 3], RGB.
    strengths : np.ndarray
        float [H, W, C], 0..1.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB.
    """
    strengths = strengths[..., : len(COLOURS)]
    colours = np.array([rgb for _, rgb in COLOURS], np.float32)
    return _tinted(image, strengths.max(axis=-1), colours[strengths.argmax(axis=-1)])


def alone(image: np.ndarray, strengths: np.ndarray, concept: int) -> np.ndarray:
    """Tint the gray image where one of the first eight concepts is strong; arguments as in `together`."""
    return _tinted(image, strengths[..., concept], np.array(COLOURS[concept][1], np.float32))


def _tinted(image: np.ndarray, strength: np.ndarray, colours: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32)[..., np.newaxis]
    pale = 96 + 0.6 * gray  # so that black differs from a dark image
    opacity = _OPACITY * strength[..., np.newaxis]
    mixed: np.ndarray = np.rint(pale + opacity * (colours - pale)).clip(0, 255).astype(np.uint8)
    return mixed


class HighPlaces:
    """The places where each concept is highest, one of an image: at most eight crops for each concept.

    Parameters
    ----------
    concepts : int
        Number of concepts.
    crop : float
        Side of a crop, as a share of the shorter side of what the net saw of the image.
    """

    def __init__(self, concepts: int, crop: float) -> None:
        self._crop = crop
        self._heaps: List[List[Tuple[float, int, str, np.ndarray]]] = [[] for _ in range(concepts)]
        self._count = 0

    def offer(
        self, name: str, image: np.ndarray, maps: np.ndarray, placement: Placement, cells: Optional[Cells]
    ) -> None:
        """Keep the crops of an image, uint8 [H, W, 3], where its maps, float [h, w, C], are among the highest."""
        self._count += 1
        for concept, heap in enumerate(self._heaps):
            peak = float(maps[..., concept].max())
            if peak <= 0 or (len(heap) == PLACES and peak <= heap[0][0]):
                continue
            row, column = np.unravel_index(int(maps[..., concept].argmax()), maps.shape[:2])
            crop = _crop_at(image, (int(row), int(column)), maps.shape[:2], placement, cells, self._crop)
            place = (peak, -self._count, name, crop)  # of equal ones, the first; numbers differ, so crops never compare
            if len(heap) < PLACES:
                heapq.heappush(heap, place)
            else:
                heapq.heapreplace(heap, place)

    def reorder(self, order: np.ndarray) -> None:
        """Take the order of the concepts."""
        self._heaps = [self._heaps[c] for c in order]

    def of(self, concept: int) -> List[Tuple[str, np.ndarray]]:
        """Return names and crops, uint8 [h, w, 3], the highest first."""
        return [(name, crop) for _, _, name, crop in sorted(self._heaps[concept], key=lambda each: each[:2])[::-1]]


def _crop_at(
    image: np.ndarray,
    cell: Tuple[int, int],
    grid: Sequence[int],
    placement: Placement,
    cells: Optional[Cells],
    share: float,
) -> np.ndarray:
    """Cut a square around the centre of a cell; at the border it is moved inwards."""
    top, left, bottom, right = placement.seen
    side = max(1, round(share * min(bottom - top, right - left)))
    starts = []
    for axis, (low, high) in enumerate(((top, bottom), (left, right))):
        stride = placement.fitted[axis] / grid[axis] if cells is None else cells.stride[axis]
        offset = stride / 2 if cells is None else cells.offset[axis]
        first, last = placement.inside[axis], placement.inside[axis + 2]
        centre = low + (offset + stride * cell[axis] - first) / (last - first) * (high - low)
        starts.append(int(np.clip(round(centre - side / 2), low, high - side)))
    found = image[starts[0] : starts[0] + side, starts[1] : starts[1] + side]
    size = (_CROP_SIDE, _CROP_SIDE)
    how = cv2.INTER_AREA if side > _CROP_SIDE else cv2.INTER_LINEAR
    enlarged: np.ndarray = cv2.resize(np.ascontiguousarray(found), size, interpolation=how)
    return enlarged
