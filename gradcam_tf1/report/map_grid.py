"""A map as a small grid of bytes that a browser places on the original image. No TensorFlow here."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.images.geometry import Box, Placement, Size
from gradcam_tf1.images.resampling import interpolate, stretched
from gradcam_tf1.types import Cells

MOST_CELLS = 96  # along the longer side; larger maps are averaged
_POINTS = 48  # along each side of what the net saw, where a map is read for its focus
_HALF = 0.5  # share of the positive map that `focus_of` collects
LARGEST = float(np.finfo(np.float32).max) / 2  # value of a map: the difference of two still is a float32
_FARTHEST, _NEAREST = 1e9, 1e-6  # pixels


@dataclass(frozen=True, eq=False)
class MapGrid:
    """Values at regular points of an image: bilinear between them, the edge value beyond them.

    Attributes
    ----------
    levels : np.ndarray
        uint8 [rows, cols]; a value is low + (high - low) * level / 255.
    low, high : float
        Values of the levels 0 and 255.
    start : (float, float)
        Row and column of the first value, in pixels of the image; the centre of pixel 0 is 0.5.
    step : (float, float)
        Pixels from one value to the next, above 0.
    seen : tuple of int
        Box (top, left, bottom, right) of the image where the map is known.
    """

    levels: np.ndarray
    low: float
    high: float
    start: Tuple[float, float]
    step: Tuple[float, float]
    seen: Box

    @property
    def values(self) -> np.ndarray:
        """The values: float32 [rows, cols]; the level of a signed map that is nearest to zero is zero.

        Most of a sparse map is zero: half a level at each of these points would be more than all the rest.
        """
        step = (self.high - self.low) / 255
        values = np.float32(self.low) + np.float32(step) * self.levels.astype(np.float32)
        if self.low < 0 < self.high:
            values[np.abs(values) <= np.float32(0.501 * step)] = 0
        return values

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the values at these rows and columns of the image: float32 [len(rows), len(columns)]."""
        values = self.values
        for axis, points in enumerate((rows, columns)):
            values = interpolate(values, axis, (points - self.start[axis]) / self.step[axis])
        return values

    @property
    def is_usable(self) -> bool:
        """Whether its numbers can be computed with; those of a stranger's file may be infinite or huge."""
        values = all(abs(value) <= LARGEST for value in (self.low, self.high))  # False for NaN
        return values and all(
            abs(start) <= _FARTHEST and _NEAREST <= step <= _FARTHEST for start, step in zip(self.start, self.step)
        )

    def as_json(self) -> Dict[str, Any]:
        """Return the grid as JSON values."""
        return {
            **{"rows": self.levels.shape[0], "cols": self.levels.shape[1]},
            **{"top": self.start[0], "left": self.start[1], "row_step": self.step[0], "col_step": self.step[1]},
            **{"seen": list(self.seen), "low": self.low, "high": self.high},
            "data": base64.b64encode(self.levels.tobytes()).decode("ascii"),
        }

    @classmethod
    def from_json(cls, grid: Mapping[str, Any]) -> MapGrid:
        """Return the grid of `as_json`. Raises ValueError, KeyError or TypeError for anything else."""
        data = base64.b64decode(grid["data"], validate=True)
        levels = np.frombuffer(data, np.uint8).reshape(grid["rows"], grid["cols"])
        top, left, bottom, right = map(int, grid["seen"])
        start, step = (float(grid["top"]), float(grid["left"])), (float(grid["row_step"]), float(grid["col_step"]))
        found = cls(levels, float(grid["low"]), float(grid["high"]), start, step, (top, left, bottom, right))
        if not found.is_usable or not levels.size or not (0 <= top < bottom and 0 <= left < right):
            raise ValueError("the numbers of the grid are not possible")
        return found


def grid_of(map: np.ndarray, placement: Placement, cells: Optional[Cells] = None) -> MapGrid:
    """Return a map over the net's input as a grid on the original image.

    Cells of a layer are kept one by one, rounded to 255 levels. A map with channels becomes the sum of their
    magnitudes. A map of more than 96 cells along a side is averaged to 96.

    Parameters
    ----------
    map : np.ndarray
        Float [h, w] or [h, w, C], finite.
    placement : Placement
        How the image was fitted to the input.
    cells : Cells or None
        Where the cells lie on the input; None if they share it evenly.
    """
    values = np.asarray(map, np.float32)
    if values.ndim == 3:
        values = _sum_of_magnitudes(values)
    if cells is None and max(values.shape) > MOST_CELLS and values.shape == placement.fitted:
        top, left, bottom, right = placement.inside  # gray bars of a letterbox are not averaged with the image
        return grid_over(values[top:bottom, left:right], placement.seen, placement.seen)
    where = stretched(placement.fitted, values.shape) if cells is None else cells
    start, step = zip(*(_on_image(placement, where, axis) for axis in (0, 1)))
    return _grid(values, (start[0], start[1]), (step[0], step[1]), placement.seen)


def _sum_of_magnitudes(values: np.ndarray) -> np.ndarray:
    if values.shape[2] == 3:  # many times faster
        return cv2.transform(np.abs(values), np.ones((1, 3), np.float32))
    return np.asarray(np.abs(values).sum(axis=2), np.float32)


def grid_over(values: np.ndarray, box: Box, seen: Box) -> MapGrid:
    """Return the grid of values, float [h, w], that share a box of the image evenly; it is known within `seen`."""
    top, left, bottom, right = box
    step = ((bottom - top) / values.shape[0], (right - left) / values.shape[1])
    return _grid(values, (top + step[0] / 2, left + step[1] / 2), step, seen)


def _on_image(placement: Placement, cells: Cells, axis: int) -> Tuple[float, float]:
    """Return the centre of the first cell and the step between cells along an axis, in pixels of the image."""
    first, last = placement.seen[axis], placement.seen[axis + 2]
    begin, end = placement.inside[axis], placement.inside[axis + 2]
    scale = (last - first) / (end - begin)
    return first + (cells.offset[axis] - begin) * scale, cells.stride[axis] * scale


def _grid(values: np.ndarray, start: Tuple[float, float], step: Tuple[float, float], seen: Box) -> MapGrid:
    small = _averaged(values)
    starts, steps = [0.0, 0.0], [1.0, 1.0]
    for axis in (0, 1):
        share = values.shape[axis] / small.shape[axis]  # cells that became one
        starts[axis] = start[axis] + (share / 2 - 0.5) * step[axis]
        steps[axis] = share * step[axis]
        if steps[axis] < 0:
            starts[axis] += (small.shape[axis] - 1) * steps[axis]
            steps[axis] = -steps[axis]
            small = np.flip(small, axis)
    low, high = float(small.min()), float(small.max())
    levels = np.zeros(small.shape) if low == high else np.rint((small.astype(np.float64) - low) * (255 / (high - low)))
    return MapGrid(levels.astype(np.uint8), low, high, (starts[0], starts[1]), (steps[0], steps[1]), seen)


def _averaged(values: np.ndarray) -> np.ndarray:
    scale = MOST_CELLS / max(values.shape)
    if scale >= 1:
        return values
    rows, columns = (max(1, round(side * scale)) for side in values.shape)
    return cv2.resize(np.ascontiguousarray(values, np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def focus_of(grid: MapGrid, size: Size) -> Optional[float]:
    """Return the smallest share of the image that holds half of the positive map; None where nothing is positive.

    The map is read at 48 x 48 points p of the box that the net saw, with v(p) = max(map(p), 0). With the points in
    falling order of v, focus = (smallest k with v(1) + ... + v(k) >= sum(v) / 2) / 48^2 * area of the box / area of the
    image.

    Parameters
    ----------
    grid : MapGrid
        The map.
    size : (int, int)
        Height and width of the image.
    """
    top, left, bottom, right = grid.seen
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    values = np.sort(np.maximum(grid.at(top + shares * (bottom - top), left + shares * (right - left)), 0), axis=None)
    sums = np.cumsum(values[::-1], dtype=np.float64)
    if sums[-1] <= 0:
        return None
    count = int(np.searchsorted(sums, _HALF * sums[-1])) + 1
    return count / _POINTS**2 * ((bottom - top) * (right - left)) / (size[0] * size[1])
