"""Occlusion and RISE: parts of the image are hidden, in order or at random; the maps have the input's size."""

from __future__ import annotations

from itertools import product
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import Baseline, baseline_input, scored, scores_of
from gradcam_tf1.types import LayerInfo

Window = Tuple[slice, ...]

# of the input's shorter side: 32 pixels of 224, about one cell of a last layer
_WINDOW = 1 / 7


def occlusion(
    probe: ProbeBase,
    _layer: Optional[LayerInfo],
    *,
    window: Optional[int],
    stride: Optional[int],
    baseline: Baseline,
) -> np.ndarray:
    """At each pixel the mean of y - y(window hidden) over the windows that hold it.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    window : int, optional
        Side of the square in pixels of the input; None: a seventh of its shorter side.
    stride : int, optional
        From one window to the next; None: half a window. The last one ends at the edge.
    baseline : Baseline
        What replaces the window, see `baseline_input`.

    Returns
    -------
    np.ndarray
        float32 [T, H, W], signed.

    Raises
    ------
    OptionError
        For a window that is larger than the input, or a stride that leaves pixels out.

    References
    ----------
    Occlusion, https://arxiv.org/abs/1311.2901
    """
    windows = _windows(probe.image.shape[:-1], window, stride)
    whole = probe.scores(probe.image[np.newaxis])
    drops = whole - scores_of(probe, _hidden(probe, windows), baseline_input(probe, baseline))
    sums = np.zeros((probe.targets, *probe.image.shape[:-1]))
    covered = np.zeros(probe.image.shape[:-1])
    for square, drop in zip(windows, drops):
        sums[(slice(None), *square)] += drop.reshape((-1,) + (1,) * covered.ndim)
        covered[square] += 1
    return (sums / covered).astype(np.float32)


def _hidden(probe: ProbeBase, windows: List[Window]) -> Iterator[np.ndarray]:
    for square in windows:
        mask = np.ones(probe.image.shape[:-1], np.float32)
        mask[square] = 0
        yield mask


def _windows(size: Tuple[int, ...], window: Optional[int], stride: Optional[int]) -> List[Window]:
    side = max(1, round(min(size) * _WINDOW)) if window is None else window
    step = max(1, side // 2) if stride is None else stride
    if not 1 <= side <= min(size) or not 1 <= step <= side:
        raise OptionError(
            f"window={side}, stride={step}: the window is 1 to {min(size)} pixels wide on this input, and the stride "
            "1 to the window, or pixels would be left out"
        )
    starts = [[*range(0, length - side, step), length - side] for length in size]
    return [tuple(slice(start, start + side) for start in corner) for corner in product(*starts)]


def occlusion_runs(
    probe: ProbeBase, _layer: Optional[LayerInfo], *, window: Optional[int], stride: Optional[int], **_others: Any
) -> int:
    """Return 1 for the image as it is, and 1 for each window."""
    return len(_windows(probe.image.shape[:-1], window, stride)) + 1


def rise(
    probe: ProbeBase,
    _layer: Optional[LayerInfo],
    *,
    masks: int,
    cells: int,
    p: float,
    seed: int,
    baseline: Baseline,
) -> np.ndarray:
    """sum_i (y_i - mean y) M_i / (p N), y_i the score of the image under random mask i of N.

    The paper has y_i in place of y_i - mean y. That adds the mean score to every pixel, up to chance, which does not
    depend on the position. Without it the map is 0 where a pixel makes no difference, does not change when a constant
    is added to the score, and is nearer to its limit with the same N.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    masks : int
        N.
    cells : int
        Cells of a mask along each axis, before it is enlarged.
    p : float
        The chance that a cell is shown.
    seed : int
        Of the masks.
    baseline : Baseline
        What replaces the hidden cells, see `baseline_input`.

    Returns
    -------
    np.ndarray
        float32 [T, H, W], signed.

    References
    ----------
    RISE, https://arxiv.org/abs/1806.07421
    """
    size = probe.image.shape[:-1]
    drawn = random_masks(size, masks, cells, p, seed)
    sums = np.zeros((probe.targets, int(np.prod(size))))
    shown, total = np.zeros(sums.shape[1]), np.zeros((probe.targets, 1))
    for chunk, scores in scored(probe, drawn, baseline_input(probe, baseline)):
        flat = chunk.reshape(len(chunk), -1).astype(np.float64)
        sums += scores.T @ flat
        shown += flat.sum(axis=0)
        total += scores.sum(axis=0, dtype=np.float64)[:, np.newaxis]
    centred = (sums - total / masks * shown) / (p * masks)
    return centred.reshape((probe.targets, *size)).astype(np.float32)


def random_masks(size: Tuple[int, ...], masks: int, cells: int, p: float, seed: int) -> Iterator[np.ndarray]:
    """Yield RISE's masks: cells shown with chance p, enlarged by one cell more than the image, cut out at random.

    Parameters
    ----------
    size : tuple of int
        (H, W) of the image.
    masks, cells, p, seed
        As in `rise`.

    Yields
    ------
    np.ndarray
        float32 [H, W], 0..1.
    """
    random = np.random.RandomState(seed)
    cell = [-(-length // cells) for length in size]
    for _ in range(masks):
        grid = random.random_sample((cells,) * len(size)) < p
        large = upsample(grid, [(cells + 1) * side for side in cell])
        starts = [random.randint(side) for side in cell]
        yield large[tuple(slice(start, start + length) for start, length in zip(starts, size))]


def rise_runs(_probe: ProbeBase, _layer: Optional[LayerInfo], *, masks: int, **_others: Any) -> int:
    """Return 1 for each mask."""
    return masks
