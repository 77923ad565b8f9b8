"""Convert masks and points from the original image to the net's input."""

from __future__ import annotations

from typing import Any, Tuple

import cv2
import numpy as np

from gradcam_tf1.errors import RegionError
from gradcam_tf1.images.geometry import Placement


def fit_mask(mask: Any, placement: Placement) -> np.ndarray:
    """Fit a mask of the original image to the net's input, averaging areas.

    Parameters
    ----------
    mask : array_like
        [H, W] of the original image, bool or 0..1.
    placement : Placement
        How that image was fitted.

    Returns
    -------
    np.ndarray
        float32 [h, w], 0..1; 0 where the input shows no part of the image.

    Raises
    ------
    RegionError
        If the mask has another size than the image, or values outside 0..1.
    """
    mask = np.asarray(mask, np.float32)
    if mask.shape != tuple(placement.original):
        raise RegionError(f"the mask is {list(mask.shape)}, the image {list(placement.original)} (height, width)")
    if not (mask.min() >= 0 and mask.max() <= 1):
        raise RegionError(f"a mask has values in 0..1, this one {mask.min():.3g}..{mask.max():.3g}; scale it to 0..1")
    top, left, bottom, right = placement.seen
    start, first, stop, last = placement.inside
    fitted = np.zeros(placement.fitted, np.float32)
    fitted[start:stop, first:last] = cv2.resize(
        np.ascontiguousarray(mask[top:bottom, left:right]), (last - first, stop - start), interpolation=cv2.INTER_AREA
    )
    return fitted


def fit_point(point: Tuple[float, float], placement: Placement) -> np.ndarray:
    """Convert a point of the original image to shares of the net's input.

    Parameters
    ----------
    point : tuple of float
        (row, column) in pixels of the original image.
    placement : Placement
        How that image was fitted.

    Returns
    -------
    np.ndarray
        float32 [2], (row, column) in 0..1.

    Raises
    ------
    RegionError
        If the point lies outside the part of the image that the net saw.
    """
    shares = []
    for axis, (name, position) in enumerate(zip(("row", "column"), point)):
        first, last = placement.seen[axis], placement.seen[axis + 2]
        if not first <= position < last:
            raise RegionError(f"{name} {position} is outside the part that the net saw, {first} to {last - 1}")
        start, stop = placement.inside[axis], placement.inside[axis + 2]
        shares.append((start + (position + 0.5 - first) / (last - first) * (stop - start)) / placement.fitted[axis])
    return np.array(shares, np.float32)


def place_box(box: Any, placement: Placement) -> Tuple[float, float, float, float]:
    """Place a box over the net's input on the original image, the inverse of `fit_point`; cut at the image's edges.

    Parameters
    ----------
    box : array_like
        Top, left, bottom, right as shares of the input, 0..1.
    placement : Placement
        How the image was fitted.

    Returns
    -------
    tuple of float
        Top, left, bottom, right in pixels of the original image.
    """
    placed = []
    for side, share in enumerate(box):
        axis = side % 2
        first, last = placement.seen[axis], placement.seen[axis + 2]
        start, stop = placement.inside[axis], placement.inside[axis + 2]
        inside = (float(share) * placement.fitted[axis] - start) / (stop - start)
        placed.append(min(max(first + inside * (last - first), 0.0), float(placement.original[axis])))
    return placed[0], placed[1], placed[2], placed[3]
