"""The closing ReLU of raw maps, and why a map is empty."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import List, Sequence, Tuple

import numpy as np

from gradcam_tf1.methods.base import Method
from gradcam_tf1.types import MapStatus


def close_maps(raw: np.ndarray, method: Method) -> Tuple[np.ndarray, List[List[MapStatus]]]:
    """Apply the closing ReLU of a method to its maps and judge each map.

    Parameters
    ----------
    raw : np.ndarray
        float32 [N, T, ...], before the ReLU.
    method : Method
        Whose maps they are.

    Returns
    -------
    tuple
        float32 [N, T, ...] without NaN, and [N][T] statuses whose minimum and maximum are those of `raw`.
    """
    statuses = [[_judge(map, method) for map in row] for row in raw]
    closed = raw.copy() if method.signed else np.maximum(raw, 0)
    for n, row in enumerate(statuses):
        for t, status in enumerate(row):
            if status.state == "empty":
                closed[n, t] = 0
    return closed, statuses


def _judge(raw: np.ndarray, method: Method) -> MapStatus:
    low, high = float(raw.min()), float(raw.max())  # NaN, if one value is
    if not (math.isfinite(low) and math.isfinite(high)):
        broken = int(raw.size - np.isfinite(raw).sum())
        reason = f"{broken} of {raw.size} values are NaN or infinite: the net overflows here"
        return MapStatus("empty", reason, 0.0, 0.0)
    if low == high == 0.0:
        return MapStatus("empty", method.reason_if_zero, low, high)
    if not method.signed and high <= 0.0:
        reason = (
            "all evidence here is against this class, as this method counts it: no value above zero before the ReLU "
            f"(minimum {low:.3g})"
        )
        return MapStatus("empty", reason, low, high)
    return MapStatus("ok", "", low, high)


def with_notes(
    statuses: List[List[MapStatus]], notes: Sequence[Sequence[Tuple[str, ...]]], last: str
) -> List[List[MapStatus]]:
    """Return statuses [N][T] with their notes [N][T], and one more on all maps; "" where there is none."""
    ending = (last,) if last else ()

    def noted(status: MapStatus, said: Tuple[str, ...]) -> MapStatus:
        return replace(status, notes=(*said, *ending)) if said or ending else status

    return [[noted(status, said) for status, said in zip(*rows)] for rows in zip(statuses, notes)]
