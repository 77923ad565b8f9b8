"""Occlusion and RISE: parts of the image are hidden, in order or at random; the maps are of the input's size."""

from __future__ import annotations

from itertools import product
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import Baseline, baseline_input, scored, scores_of
from gradcam_tf1.types import LayerInfo

Place = Tuple[slice, ...]

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
    """Occlusion: at each pixel the mean of y - y(window hidden) over the windows that hold it. arXiv 1311.2901

    https://arxiv.org/abs/1311.2901. window: side of the square in pixels of the input, a seventh of its shorter side
    if not given. stride: from one window to the next, half a window if not given; the last one ends at the edge.
    Returns: float32 [T, H, W], signed. Raises: OptionError for a window or a stride that leaves pixels out.
    """
    places = _windows(probe.image.shape[:-1], window, stride)
    whole = probe.scores(probe.image[np.newaxis])
    drops = whole - scores_of(probe, _hidden(probe, places), baseline_input(probe, baseline))
    sums = np.zeros((probe.targets, *probe.image.shape[:-1]))
    covered = np.zeros(probe.image.shape[:-1])
    for place, drop in zip(places, drops):
        sums[(slice(None), *place)] += drop.reshape((-1,) + (1,) * covered.ndim)
        covered[place] += 1
    return (sums / covered).astype(np.float32)


def _hidden(probe: ProbeBase, places: List[Place]) -> Iterator[np.ndarray]:
    for place in places:
        mask = np.ones(probe.image.shape[:-1], np.float32)
        mask[place] = 0
        yield mask


def _windows(size: Tuple[int, ...], window: Optional[int], stride: Optional[int]) -> List[Place]:
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
    """The image as it is, and once for each window."""
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
    """RISE: sum_i (y_i - mean y) M_i / (p N), y_i the score of the image under mask i of N. arXiv 1806.07421

    https://arxiv.org/abs/1806.07421 has y_i in place of y_i - mean y: that adds the mean score to every pixel, up to
    chance, which says nothing of where. Without it the map is 0 where a pixel makes no difference, does not change
    when a constant is added to the score, and is nearer to its limit with the same N.
    masks: N. cells: of a mask along each axis, before it is enlarged. p: the chance that a cell is shown.
    Returns: float32 [T, H, W], signed. Raises: OptionError for fewer than 2 masks, no cell, or p outside 0..1.
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
    """RISE's masks: cells shown with chance p, enlarged by one cell more than the image, cut out at random.

    Yields: float32 [H, W], 0..1.
    """
    random = np.random.RandomState(seed)
    cell = [-(-length // cells) for length in size]
    for _ in range(masks):
        grid = random.random_sample((cells,) * len(size)) < p
        large = upsample(grid, [(cells + 1) * side for side in cell])
        starts = [random.randint(side) for side in cell]
        yield large[tuple(slice(start, start + length) for start, length in zip(starts, size))]


def rise_runs(_probe: ProbeBase, _layer: Optional[LayerInfo], *, masks: int, **_others: Any) -> int:
    """Once for each mask."""
    return masks
