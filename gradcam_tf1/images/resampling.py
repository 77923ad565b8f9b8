"""Read maps of a layer at points of the net's input, by linear interpolation along each axis. No TensorFlow here.

Coordinates are half-pixel: the centre of pixel i is i + 0.5.
"""

from __future__ import annotations

from typing import List, Optional, Sequence

import numpy as np

from gradcam_tf1.types import Cells


def upsample(maps: np.ndarray, size: Sequence[int], cells: Optional[Cells] = None) -> np.ndarray:
    """Upsample maps of a layer to the pixels of the net's input, bilinearly, clamped at the outer centres.

    Parameters
    ----------
    maps : np.ndarray
        Float [..., h, w], or as many last axes as `size` has.
    size : sequence of int
        Size of the input, (H, W) of images.
    cells : Cells, optional
        Where the maps' cells lie on the input. By default they divide it evenly.

    Returns
    -------
    np.ndarray
        float32 [..., H, W].
    """
    return resample(maps, size, cells, [np.arange(length) + 0.5 for length in size])


def resample(maps: np.ndarray, size: Sequence[int], cells: Optional[Cells], points: Sequence[np.ndarray]) -> np.ndarray:
    """Read maps of a layer at points of the net's input, bilinearly.

    Parameters
    ----------
    maps : np.ndarray
        Float [..., h, w], or as many last axes as `size` has.
    size : sequence of int
        Size of the input, (H, W) of images.
    cells : Cells, optional
        Where the maps' cells lie on the input; None divides it evenly.
    points : sequence of np.ndarray
        Coordinates on the input for each axis, in pixels of the input.

    Returns
    -------
    np.ndarray
        float32 [..., len(points[0]), len(points[1])].
    """
    maps = np.asarray(maps, np.float32)
    for axis, (length, coordinates) in enumerate(zip(size, points)):
        map_axis = axis - len(size)
        maps = interpolate(maps, map_axis, in_cells(coordinates, length, maps.shape[map_axis], cells, axis))
    return maps


def centres(cells: Cells, grid: Sequence[int]) -> List[np.ndarray]:
    """Return the centres of the cells of a map with `grid` cells, in pixels of the input, for each axis."""
    return [offset + stride * np.arange(count) for offset, stride, count in zip(cells.offset, cells.stride, grid)]


def stretched(size: Sequence[int], grid: Sequence[int]) -> Cells:
    """Return the cells of a map with `grid` cells that divide an input of `size` pixels evenly."""
    strides = tuple(length / count for length, count in zip(size, grid))
    return Cells(tuple(stride / 2 for stride in strides), strides)


def in_cells(points: np.ndarray, length: int, count: int, cells: Optional[Cells], axis: int) -> np.ndarray:
    """Convert points of an axis of `length` pixels to cells: 0 is the first cell's centre, count - 1 the last one's."""
    if cells is None:
        return points / length * count - 0.5
    return (points - cells.offset[axis]) / cells.stride[axis]


def interpolate(values: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Interpolate linearly along one axis at positions counted in cells, clamped at the first and last centre.

    Taking two cells for each position is as exact as a matrix product, and six times faster for maps of 224 cells.
    """
    cells = values.shape[axis]
    clamped = np.clip(np.round(positions, 9), 0, cells - 1)  # rounded, so that an equal size is a plain copy
    low = clamped.astype(np.int64)
    result = np.take(values, low, axis)
    # from each cell to the next: fewer numbers than at the positions
    steps = np.take(values, np.minimum(np.arange(cells) + 1, cells - 1), axis)
    steps -= values
    step = np.take(steps, low, axis)
    shape = [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]
    step *= (clamped - low).astype(np.float32).reshape(shape)
    result += step
    return result
