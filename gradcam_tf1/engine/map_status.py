"""Raw maps to finished ones: the closing ReLU, and what can be said of a map that shows nothing."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np

from gradcam_tf1.types import MapStatus

GRADIENT_IS_ZERO = "the gradient or the features are zero everywhere: saturated or dead units before the score"
NOTHING_VARIES = "the features, or the gradient, do not vary over the positions"
FACTOR_IS_ZERO = "one of the factors of this map is zero: the map of the layer, or the gradient by the pixels"
NO_EFFECT = "nothing that the method tried made a difference to the score"


def finish_maps(
    raw: np.ndarray, rectified: bool, if_zero: str = GRADIENT_IS_ZERO
) -> Tuple[np.ndarray, List[MapStatus]]:
    """Apply the closing ReLU and judge each map.

    Args:
        raw: float32 [N, ...], before the ReLU. rectified: whether the method ends in a ReLU.
        if_zero: what it means for this method that a map is zero everywhere.

    Returns:
        float32 [N, ...] without NaN, and N statuses whose minimum and maximum are those of `raw`.
    """
    finished, statuses = [], []
    for one in raw:
        status = _judge(one, rectified, if_zero)
        statuses.append(status)
        if status.state == "empty":
            finished.append(np.zeros_like(one))
        else:
            finished.append(np.maximum(one, 0) if rectified else one)
    return np.stack(finished), statuses


def _judge(raw: np.ndarray, rectified: bool, if_zero: str) -> MapStatus:
    broken = int(raw.size - np.isfinite(raw).sum())
    if broken:
        reason = f"{broken} of {raw.size} values are NaN or infinite: the net overflows here"
        return MapStatus("empty", reason, 0.0, 0.0)
    low, high = float(raw.min()), float(raw.max())
    if low == high == 0.0:
        return MapStatus("empty", if_zero, low, high)
    if rectified and high <= 0.0:
        reason = f"all evidence here is against this class: no value above zero before the ReLU (minimum {low:.3g})"
        return MapStatus("empty", reason, low, high)
    return MapStatus("ok", "", low, high)
