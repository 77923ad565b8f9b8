"""What a report says of each class: counts, the mean map, examples. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.report.image_columns import ImageColumns
from gradcam_tf1.report.image_record import Record
from gradcam_tf1.report.map_grid import MapGrid, grid_over

UNIT = 100  # side of the square, in pixels, on which mean maps lie
_POINTS = 16  # along each side of a mean map
_MOST_MAPS = 20_000  # mean maps in memory, 1.5 kB each
_EXAMPLES = 3  # each of the best, typical and worst images

_MapPlace = Tuple[int, str, str]  # class id, method, layer


class ClassSummaries:
    """Collects the maps of each class, image by image; memory grows with the classes, not with the images.

    Attributes
    ----------
    left_out : bool
        Whether there are more classes than mean maps fit into memory.
    """

    def __init__(self) -> None:
        self.left_out = False
        self._sums: Dict[_MapPlace, np.ndarray] = {}  # [2, points, points]: sum of shares, number of images
        self._labels: Dict[int, Optional[str]] = {}
        self._explained: Dict[int, List[str]] = {}  # first images in which a class was explained

    def add(self, record: Record) -> None:
        """Add the maps of an image whose targets are plain classes."""
        for target in record["targets"]:
            class_id = target["class_id"]
            if class_id < 0 or target["about"]:
                continue
            self._labels.setdefault(class_id, target["label"])
            examples = self._explained.setdefault(class_id, [])
            if len(examples) < _EXAMPLES:
                examples.append(record["id"])
            for map in target["maps"]:
                self._add_map((class_id, map["method"], map["layer"]), map["grid"], record["size"])

    def _add_map(self, place: _MapPlace, grid: Optional[Dict[str, Any]], size: Any) -> None:
        if grid is None:
            return
        if place not in self._sums and len(self._sums) >= _MOST_MAPS:
            self.left_out = True
            return
        shares = _shares(MapGrid.from_json(grid), size)
        if shares is not None:
            sums = self._sums.setdefault(place, np.zeros((2, _POINTS, _POINTS), np.float32))
            known = ~np.isnan(shares)
            sums[0] += np.where(known, shares, 0)
            sums[1] += known

    def as_json(self, columns: ImageColumns, has_truth: bool) -> List[Record]:
        """Return one entry per class that is the top class of an image or was explained, most frequent first."""
        images: Dict[int, List[int]] = {}
        for place, class_id in enumerate(columns.class_ids):
            if class_id >= 0:
                images.setdefault(class_id, []).append(place)
        maps: Dict[int, List[Record]] = {}
        for (class_id, method, layer), sums in self._sums.items():
            maps.setdefault(class_id, []).append({"method": method, "layer": layer, "grid": _mean_grid(sums)})
        found = sorted({*images, *self._labels}, key=lambda class_id: (-len(images.get(class_id, ())), class_id))
        return [self._entry(class_id, images.get(class_id, []), maps, columns, has_truth) for class_id in found]

    def _entry(
        self, class_id: int, places: List[int], maps: Dict[int, List[Record]], columns: ImageColumns, has_truth: bool
    ) -> Record:
        known = [share for share in (columns.probabilities[place] for place in places) if share is not None]
        label = next(filter(None, map(columns.label, places)), None)
        return {
            **{"class_id": class_id, "label": label or self._labels.get(class_id), "count": len(places)},
            "wrong": sum(columns.wrong[place] is True for place in places) if has_truth else None,
            "probability": sum(known) / len(known) if known else None,
            "maps": maps.get(class_id, []),
            "examples": _examples(places, columns) or self._explained.get(class_id, []),
        }


def _shares(grid: MapGrid, size: Any) -> Optional[np.ndarray]:
    """Return a map over the unit square as shares of its maximum, NaN where it is unknown; None if it has none."""
    rows, columns = ((np.arange(_POINTS) + 0.5) / _POINTS * side for side in size)
    highest = float(grid.values.max())
    if highest <= 0:
        return None
    shares: np.ndarray = np.maximum(grid.at(rows, columns), 0) / highest
    top, left, bottom, right = grid.seen
    shares[(rows < top) | (rows > bottom)] = np.nan
    shares[:, (columns < left) | (columns > right)] = np.nan
    return shares


def _mean_grid(sums: np.ndarray) -> Record:
    box = (0, 0, UNIT, UNIT)
    return grid_over(sums[0] / np.maximum(sums[1], 1), box, box).as_json()


def _examples(places: List[int], columns: ImageColumns) -> List[str]:
    """Return the ids of the best, typical and worst images: right and sure first, wrong and sure last."""

    def key(place: int) -> Tuple[bool, float]:
        share = columns.probabilities[place] or 0.0
        return (True, share) if columns.wrong[place] else (False, -share)

    ordered = sorted(places, key=key)
    middle = max(0, len(ordered) // 2 - 1)
    chosen = [*ordered[:_EXAMPLES], *ordered[middle : middle + _EXAMPLES], *ordered[-_EXAMPLES:]]
    return [columns.ident(place) for place in dict.fromkeys(sorted(chosen, key=ordered.index))]
