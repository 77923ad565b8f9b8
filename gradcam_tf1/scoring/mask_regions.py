"""Regions and points of the original image, as the net's input has them."""

from __future__ import annotations

from typing import Any, Tuple

import cv2
import numpy as np

from gradcam_tf1.errors import RegionError
from gradcam_tf1.images.geometry import Placement


def fit_mask(mask: Any, placement: Placement) -> np.ndarray:
    """A mask of the original image over the net's input, areas averaged.

    Args: mask: [H, W] of the original image, bool or 0..1. placement: how that image was fitted.
    Returns: float32 [h, w], 0..1, 0 where the input has no image. Raises: RegionError for another size or range.
    """
    mask = np.asarray(mask, np.float32)
    if mask.shape != tuple(placement.original):
        raise RegionError(f"the mask is {list(mask.shape)}, the image {list(placement.original)} (height, width)")
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise RegionError(f"a mask lies in 0..1, this one in {mask.min():.3g}..{mask.max():.3g}")
    top, left, bottom, right = placement.seen
    start, first, stop, last = placement.inside
    fitted = np.zeros(placement.fitted, np.float32)
    fitted[start:stop, first:last] = cv2.resize(
        np.ascontiguousarray(mask[top:bottom, left:right]), (last - first, stop - start), interpolation=cv2.INTER_AREA
    )
    return fitted


def fit_point(point: Tuple[float, float], placement: Placement) -> np.ndarray:
    """A point (row, column) of the original image as shares of the net's input: float32 [2], 0..1.

    Raises: RegionError where the net did not see the point.
    """
    shares = []
    for axis, (name, at) in enumerate(zip(("row", "column"), point)):
        first, last = placement.seen[axis], placement.seen[axis + 2]
        if not first <= at < last:
            raise RegionError(f"{name} {at} is outside of what the net saw, {first} to {last - 1}")
        start, stop = placement.inside[axis], placement.inside[axis + 2]
        shares.append((start + (at + 0.5 - first) / (last - first) * (stop - start)) / placement.fitted[axis])
    return np.array(shares, np.float32)
