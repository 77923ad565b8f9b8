"""Poly-CAM's fusion: the maps of finer layers say where inside the cells of coarser ones. No TensorFlow here."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.images.geometry import centres, resample, stretched
from gradcam_tf1.types import Cells


def refined(
    maps: Sequence[np.ndarray], cells: Sequence[Optional[Cells]], size: Sequence[int]
) -> Tuple[np.ndarray, Optional[Cells]]:
    """Return P_1 of P_L = M_L, P_l = M_l / up(mean(M_l)) * up(P_l+1), for the positive parts M_1 (finest) .. M_L.

    mean(M_l) has the cells of layer l + 1, each the mean of the cells of layer l that it covers, and up is bilinear.
    The quotient (LNorm) keeps what is finer than the cells of layer l + 1; these say how much there is. Of a
    layer of the same cells it is 1 where there is evidence.

    Parameters
    ----------
    maps : sequence of np.ndarray
        [N, T, h, w], or with the axes of signals, volumes or pixels.
    cells : sequence of Cells or None
        Where the cells of each map lie on the input; None: they divide it evenly.
    size : sequence of int
        Sides of the input; () where all cells divide it evenly.

    Returns
    -------
    np.ndarray
        float64, of the size of the finest map.
    Cells or None
        Where its cells lie; None: they divide the input evenly.

    References
    ----------
    Poly-CAM, https://arxiv.org/abs/2204.13359
    """
    order = sorted(range(len(maps)), key=lambda n: maps[n].size)  # the coarsest first
    size = tuple(size) or maps[order[-1]].shape[2:]
    found, place = np.maximum(maps[order[0]], 0), cells[order[0]]
    for n in order[1:]:
        evidence = np.maximum(maps[n], 0)
        if evidence.shape == found.shape:
            found = np.where(evidence > 0, found, 0)
            continue
        own, coarse = (at or stretched(size, map.shape[2:]) for at, map in ((cells[n], evidence), (place, found)))
        points = centres(own, evidence.shape[2:])
        inside = local_shares(evidence, own, found.shape[2:], coarse, size)
        found, place = inside * resample(found, size, coarse, points), cells[n]
    return np.asarray(found, np.float64), place


def local_shares(maps: np.ndarray, cells: Cells, grid: Sequence[int], coarse: Cells, size: Sequence[int]) -> np.ndarray:
    """Return M / up(mean(M)), 0 where M is 0, with the means over the cells of a coarser grid.

    Parameters
    ----------
    maps : np.ndarray
        M, at least 0, [N, T, h, w].
    cells, coarse : Cells
        Where their cells, and those of the coarser grid, lie on the input.
    grid : sequence of int
        Sides of the coarser grid.
    size : sequence of int
        Sides of the input.

    Returns
    -------
    np.ndarray
        float64 [N, T, h, w].
    """
    means = np.asarray(maps, np.float64)
    for axis, count in enumerate(grid):
        shares = _covered(_edges(cells, axis, maps.shape[axis + 2]), _edges(coarse, axis, count))
        means = np.moveaxis(np.tensordot(shares, means, (1, axis + 2)), 0, axis + 2)
    smooth = resample(means, size, coarse, centres(cells, maps.shape[2:])).astype(np.float64)
    return np.asarray(np.divide(maps, smooth, out=np.zeros(maps.shape), where=smooth > 0))


def _edges(cells: Cells, axis: int, count: int) -> List[np.ndarray]:
    """Return where each cell begins and ends, in pixels of the input."""
    middle, half = cells.offset[axis] + cells.stride[axis] * np.arange(count), abs(cells.stride[axis]) / 2
    return [middle - half, middle + half]


def _covered(fine: Sequence[np.ndarray], coarse: Sequence[np.ndarray]) -> np.ndarray:
    """Return the share of each fine cell in the mean of each coarse one: [coarse, fine], rows add up to 1.

    The outer coarse cells reach as far as the fine ones.
    """
    (low, high), (begin, end) = fine, coarse
    begin[begin.argmin()] = min(begin.min(), low.min())
    end[end.argmax()] = max(end.max(), high.max())
    shared = np.maximum(np.minimum(high, end[:, np.newaxis]) - np.maximum(low, begin[:, np.newaxis]), 0)
    for row in np.flatnonzero(shared.sum(axis=1) == 0):  # outside of all fine cells
        shared[row, np.abs(low + high - begin[row] - end[row]).argmin()] = 1
    return np.asarray(shared / shared.sum(axis=1, keepdims=True))
