"""The images where two models differ most, drawn side by side: A, B, and their difference. No TensorFlow here."""

from __future__ import annotations

import heapq
from typing import Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.comparison.image_pair import ComparedImage, Row
from gradcam_tf1.comparison.map_agreement import SIDE, small_placement
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.overlay import normalize, overlay
from gradcam_tf1.metrics.map_frames import on_original
from gradcam_tf1.report.study_page import StripImage

_STRENGTH = 0.85  # of the colours of a difference


class MostDifferent:
    """Keeps the rows of the images that differ most, and their drawings; no more than `count` of them.

    Parameters
    ----------
    count : int
        Number of images.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._heap: List[Tuple[float, int]] = []
        self._rows: Dict[int, Row] = {}
        self._strips: Dict[int, Sequence[StripImage]] = {}

    def wants(self, row: Row) -> bool:
        """Return whether the image is among the most different ones so far; if so, keep its row."""
        if self._count == 0 or row.get("distance") is None:
            return False
        place = (row["distance"], -row["index"])  # of equal ones, the first
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, place)
        elif place <= self._heap[0]:
            return False
        else:
            gone = -heapq.heappushpop(self._heap, place)[1]
            del self._rows[gone]
            self._strips.pop(gone, None)
        self._rows[row["index"]] = row
        return True

    def draw(self, row: Row, found: ComparedImage, image: np.ndarray) -> None:
        """Keep the drawings of an image that is wanted; image: uint8 [H, W, 3], RGB, the original."""
        self._strips[row["index"]] = strip(row, found, image)

    def undrawn(self) -> List[Row]:
        """Return the rows without drawings, such as those of an earlier, interrupted comparison."""
        return [self._rows[index] for index in sorted(self._rows) if index not in self._strips]

    def rows(self) -> List[Tuple[Row, Optional[Sequence[StripImage]]]]:
        """Return rows and drawings, the most different image first."""
        places = sorted(self._heap, reverse=True)
        return [(self._rows[-index], self._strips.get(-index)) for _, index in places]


def strip(row: Row, found: ComparedImage, image: np.ndarray) -> List[StripImage]:
    """Draw the maps of the first method.

    Parameters
    ----------
    row : dict
        The image's row.
    found : ComparedImage
        With its maps.
    image : np.ndarray
        uint8 [H, W, 3], RGB, the original.

    Returns
    -------
    list of StripImage
        A's map of its top class; B's map of the same class, and their difference, if B has the class; B's map of its
        own top class, if that is another one.
    """
    map_a, same, own = next(iter(found.maps.values()))
    images = [] if map_a is None else [StripImage(_drawn(map_a, image), f"A: {row['name_a']}")]
    if map_a is not None and same is not None:
        images.append(StripImage(_drawn(same, image), f"B: {row['name_a']}"))
        images.append(StripImage(_difference(map_a, same, image), "red: more in B, blue: more in A"))
    if own is not None and not row["same_class"]:
        images.append(StripImage(_drawn(own, image), f"B, its own class: {row['name_b']}"))
    return images


def _drawn(map: Map, image: np.ndarray) -> np.ndarray:
    small = map.shrunk(SIDE)
    height, width = small.placement.original
    return small.overlay(image=_resized(image, (height, width)))


def _difference(map_a: Map, map_b: Map, image: np.ndarray) -> np.ndarray:
    """Tint the gray image where one map is higher, each divided by its largest magnitude."""
    placements = [small_placement(map) for map in (map_a, map_b)]
    placed = [on_original(map.values, map.cells, place) for map, place in zip((map_a, map_b), placements)]
    first, second = (map / (np.abs(map).max() or 1.0) for map in placed)
    gray = cv2.cvtColor(_resized(image, placements[0].original), cv2.COLOR_RGB2GRAY)
    tinted: np.ndarray = overlay(
        np.repeat(gray[..., np.newaxis], 3, axis=2), normalize(second - first, True, 1.0), "diverging", _STRENGTH
    )
    return tinted


def _resized(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
