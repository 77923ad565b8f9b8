"""Explanations made by hand: no net is needed."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.types import MapStatus

GRAY = np.full((40, 60, 3), 128, np.uint8)
SOLID = {"alpha": 1.0, "style": "blend"}
RED = [128, 0, 0]  # the upper end of jet
EMPTY = MapStatus("empty", "all evidence here is against this class", -1.0, 0.0)
WHOLE = Placement((40, 60), (8, 8), (0, 0, 40, 60), (0, 0, 8, 8))


def hot_cell(row, column, size=4, value=4.0):
    map = np.zeros((size, size), np.float32)
    map[row, column] = value
    return map


def status_of(map):
    return MapStatus("ok", "", float(np.min(map)), float(np.max(map)))


def one_explanation(maps, statuses=None, class_ids=(3,), placement=WHOLE, labels=None):
    """An explanation of one image; maps: (method, layer) -> [T, ...]."""
    slots = len(class_ids)
    return Explanation(
        class_ids=np.array([class_ids]),
        scores=np.arange(slots, dtype=np.float32)[np.newaxis],
        probabilities=None,
        predicted=np.array([class_ids[0]]),
        maps={key: np.asarray(value, np.float32)[np.newaxis] for key, value in maps.items()},
        statuses={key: [(statuses or {}).get(key) or [status_of(map) for map in maps[key]]] for key in maps},
        placements=[placement],
        labels=labels,
        layers=tuple(dict.fromkeys(layer for _, layer in maps if layer)),
    )


def centre_of_red(panel):
    """(row, column) as shares of the panel."""
    rows, columns = np.nonzero((np.abs(panel.astype(int) - RED) <= 20).all(axis=2))
    return np.median(rows) / panel.shape[0], np.median(columns) / panel.shape[1]


def titles(figure):
    return [axes.get_title(loc="left").split("\n") for axes in figure.axes if axes.get_title(loc="left")]
