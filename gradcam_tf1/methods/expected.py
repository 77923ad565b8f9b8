"""Gradients averaged over paths from a set of baselines: expected gradients and GradientSHAP.

y(x) is the score of an input x [H, W, C] in the net's own range, x' a baseline. The map adds up to y(x) minus the mean
of y(x'), up to the error of the sample; the map's notes say how far the sum is off. All maps are float32
[T, H, W, C], signed.
"""

from __future__ import annotations

from typing import Any, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.methods.baseline_sets import Baselines, baseline_inputs, baselines_option, count_of
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.noise import BACKWARD, in_batches
from gradcam_tf1.methods.options import MAX_SEED, MOST_FACTOR, MOST_RUNS, Option
from gradcam_tf1.methods.path import noted
from gradcam_tf1.types import LayerInfo


def expected_gradients(
    probe: ProbeBase, layer: Optional[LayerInfo], *, baselines: Baselines, samples: int, seed: int
) -> np.ndarray:
    """Mean over x' and a of (x - x') dy/dx at x' + a (x - x'), a uniform in 0..1.

    It is integrated gradients averaged over the baselines, with random points instead of many for each of them. The
    paper draws every x' and a by itself. Here all x' come equally often, and the a of one x' lie one in each of as many
    equal parts of 0..1: the mean is the same, its error smaller.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baselines : str, float, np.ndarray or sequence
        The x', see `baseline_inputs`.
    samples : int
        Points, of all baselines together; at least one for each.
    seed : int
        Of a, and of random baselines.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    Expected gradients, https://arxiv.org/abs/1906.10670
    """
    return gradient_shap(probe, layer, baselines=baselines, samples=samples, level=0, seed=seed)


def gradient_shap(
    probe: ProbeBase, _layer: Optional[LayerInfo], *, baselines: Baselines, samples: int, level: float, seed: int
) -> np.ndarray:
    """Expected gradients of noisy copies of x: (x + e - x') dy/dx at x' + a (x + e - x'), e ~ N(0, (level range)^2).

    range: max x - min x. Without noise it is `expected_gradients`. With noise, the map adds up to the mean score of the
    noisy copies minus that of the baselines.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    baselines, samples
        As in `expected_gradients`.
    level : float
        Deviation of the noise, as a share of the image's range. captum and shap have 0 by default, and their deviation
        is in the net's units.
    seed : int
        Of a, e, and of random baselines.

    Returns
    -------
    np.ndarray
        float32 [T, H, W, C], signed.

    References
    ----------
    GradientSHAP, https://arxiv.org/abs/1705.07874
    """
    starts = baseline_inputs(probe, baselines, seed)
    count = max(samples, len(starts))
    totals = np.zeros((probe.targets, *probe.image.shape))
    for points in in_batches(_points(probe.image, starts, count, level, seed), probe.chunk):
        inputs = points[:, 0].astype(np.float32)
        for target in range(probe.targets):
            totals[target] += (probe.pixel_grads(inputs, target) * points[:, 1]).sum(axis=0)
    name = f"the mean of {len(starts)} baselines" if len(starts) > 1 else "the baseline"
    return noted(probe, totals, starts, f"{name}; the map is of noisy copies" if level else name)


def _points(image: np.ndarray, starts: np.ndarray, count: int, level: float, seed: int) -> Iterator[np.ndarray]:
    """Yield a point with the way from its baseline to the image, times the point's weight: float64 [2, H, W, C]."""
    random = np.random.RandomState(seed)
    deviation = level * float(image.max() - image.min())
    for number, start in enumerate(starts):
        own = (count - number - 1) // len(starts) + 1
        for place in range(own):
            noise = deviation * random.standard_normal(image.shape) if deviation else 0.0
            way = image.astype(np.float64) + noise - start
            yield np.stack([start + (place + random.uniform()) / own * way, way / (own * len(starts))])


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], *, baselines: Baselines, samples: int, **_others: Any) -> int:
    count = count_of(baselines)
    return max(samples, count) * probe.targets + count + 1


def _options(*further: Option) -> Tuple[Option, ...]:
    return (
        baselines_option(),
        Option("samples", 100, low=1, high=MOST_RUNS),
        *further,
        Option("seed", 0, low=0, high=MAX_SEED),
    )


EXPECTED_ROWS = (
    IteratedMethod(
        "expected_gradients",
        "integrated gradients averaged over a set of baselines",
        "https://arxiv.org/abs/1906.10670",
        expected_gradients,
        _runs,
        space="pixels",
        unit=BACKWARD,
        options=_options(),
    ),
    IteratedMethod(
        "gradient_shap",
        "expected gradients of noisy copies",
        "https://arxiv.org/abs/1705.07874",
        gradient_shap,
        _runs,
        space="pixels",
        unit=BACKWARD,
        options=_options(Option("level", 0.03, low=0, high=MOST_FACTOR)),
    ),
)
