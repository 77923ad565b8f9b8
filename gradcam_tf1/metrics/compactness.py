"""Complexity and sparseness: how concentrated a map is. They read the map alone."""

from __future__ import annotations

from typing import Callable, Union

import numpy as np

from gradcam_tf1.metrics.measured_maps import as_map, not_finite
from gradcam_tf1.metrics.metric_row import HIGHER, LOWER, Metric, MetricInput, MetricValue, undefined


def complexity(saliency: np.ndarray) -> MetricValue:
    """-sum_i p_i ln p_i, p_i = |R_i| / sum_j |R_j|: the entropy of the map's shares.

    Range 0 (one pixel has everything) to ln P (all P pixels have the same), in nats; lower is better. It changes with
    the size that the map is measured at, the ReLU that closes the map, and how channels were joined.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W]; the sign does not matter, nor does the scale.

    Returns
    -------
    MetricValue
        NaN for a map of zeros and one with NaN.

    References
    ----------
    Complexity, https://arxiv.org/abs/2005.00631
    """
    shares = _shares(saliency)
    if isinstance(shares, str):
        return undefined(shares)
    some = shares[shares > 0]
    return MetricValue(max(0.0, float(-np.sum(some * np.log(some)))))


def sparseness(saliency: np.ndarray) -> MetricValue:
    """1 - 2 sum_k p_(k) (P - k + 1/2) / P, p_(1) <= ... <= p_(P) the shares |R_i| / sum_j |R_j|: the Gini index.

    Range 0 (all P pixels have the same) to 1 - 1/P (one pixel has everything); higher is better. It changes with the
    ReLU that closes the map and how channels were joined, and hardly with the size that the map is measured at.

    Parameters
    ----------
    saliency : np.ndarray
        float [H, W]; the sign does not matter, nor does the scale.

    Returns
    -------
    MetricValue
        NaN for a map of zeros and one with NaN.

    References
    ----------
    Sparseness, https://arxiv.org/abs/1810.06583
    """
    shares = _shares(saliency)
    if isinstance(shares, str):
        return undefined(shares)
    heights = shares.size - np.arange(1, shares.size + 1) + 0.5
    return MetricValue(max(0.0, float(1 - 2 * np.sum(np.sort(shares) * heights) / shares.size)))


def _shares(saliency: np.ndarray) -> Union[np.ndarray, str]:
    """Return |R_i| / sum_j |R_j|, float64 [P], or the reason why there are none."""
    sizes = np.abs(as_map(saliency)).ravel()
    if not_finite(sizes):
        return not_finite(sizes)
    if not sizes.any():
        return "the map is zero, so no pixel has a share of it"
    sizes = sizes / sizes.max()  # the sum of huge values would overflow
    return np.asarray(sizes / sizes.sum())


def _row(
    name: str, summary: str, paper: str, better: str, top: Union[int, None], compute: Callable[..., MetricValue]
) -> Metric:
    def measure(given: MetricInput) -> MetricValue:
        return compute(given.saliency)

    return Metric(name, name.capitalize(), summary, paper, better, (0, top), (), measure)


COMPACTNESS_ROWS = (
    _row(
        "complexity",
        "over how many pixels the map is spread, as entropy",
        "https://arxiv.org/abs/2005.00631",
        LOWER,
        None,
        complexity,
    ),
    _row(
        "sparseness",
        "how unequal the values of the map are, as Gini index",
        "https://arxiv.org/abs/1810.06583",
        HIGHER,
        1,
        sparseness,
    ),
)
