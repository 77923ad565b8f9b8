"""The range of a map that is drawn: its ends, and the magnitude at full contrast. No TensorFlow here."""

from __future__ import annotations

from math import isfinite
from typing import Optional, Tuple

import numpy as np

from gradcam_tf1.errors import GradCamError

_ENOUGH = 1_000_000  # values for a percentile


def ends(map: np.ndarray) -> Tuple[float, float]:
    """Return min(map, 0) and max(map, 0); raise GradCamError where a value is NaN or infinite."""
    low, high = float(np.min(map, initial=0.0)), float(np.max(map, initial=0.0))
    _finite(low, high)
    return low, high


def _finite(*ends: float) -> None:
    """Raise GradCamError if the minimum or maximum of a map, which is NaN where one value is, is not finite."""
    if not all(map(isfinite, ends)):
        raise GradCamError("the map holds NaN or infinity: the net's activations or gradients overflow on this image")


def contrast(saliency: np.ndarray, percentile: float = 99.5) -> Optional[float]:
    """Return a percentile of the non-zero magnitudes, to be drawn at full contrast.

    Saliency has a few extreme pixels; scaled by the maximum, everything else would be gray.

    Parameters
    ----------
    saliency : np.ndarray
        Signed values of any shape.
    percentile : float
        In percent, 0..100.

    Returns
    -------
    float, or None
        None where every value is zero.

    Raises
    ------
    GradCamError
        If the saliency holds NaN or infinity.
    """
    magnitudes = np.abs(np.asarray(saliency, np.float32)).ravel()
    _finite(float(np.max(magnitudes, initial=0.0)))
    above = magnitudes > 0
    count = int(np.count_nonzero(above))
    if count > _ENOUGH:
        magnitudes = magnitudes[above][:: count // _ENOUGH]
        count = magnitudes.size
    return high_percentile(magnitudes, count, percentile) if count else None


def high_percentile(values: np.ndarray, count: int, share: float) -> float:
    """Return np.percentile of the `count` values above zero, several times faster: only the largest are sorted."""
    position = (count - 1) * share / 100
    below = int(position)
    sample = values[:: max(1, values.size // 10_000)]
    sample = sample[sample > 0]
    largest = values[values >= np.percentile(sample, max(0.0, share - 1))] if sample.size else sample
    if count - largest.size > below:  # the estimate was too high
        largest = values[values > 0]
    first = below - (count - largest.size)
    second = min(first + 1, largest.size - 1)
    ordered = np.partition(largest, [first, second])
    return float(ordered[first]) + (float(ordered[second]) - float(ordered[first])) * (position - below)
