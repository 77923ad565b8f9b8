"""Bring a map to the frame in which it is measured: the net's input, or the original image."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from gradcam_tf1.images.geometry import Placement, upsample
from gradcam_tf1.types import Cells

# how the channels of a pixel map become one value, for records of settings
JOINED = "sum of absolute values"


def joined(values: np.ndarray) -> np.ndarray:
    """Return a map with one value a position: the sum of the absolute values of a pixel map's channels.

    Parameters
    ----------
    values : np.ndarray
        float [h, w], returned as it is, or [H, W, C].

    Returns
    -------
    np.ndarray
        float32 [h, w].
    """
    values = np.asarray(values, np.float32)
    return values if values.ndim == 2 else np.abs(values).sum(axis=-1)


def on_input(values: np.ndarray, cells: Optional[Cells], sides: Sequence[int]) -> np.ndarray:
    """Return a map at the size of the net's input, interpolated from where its cells lie.

    Parameters
    ----------
    values : np.ndarray
        float [h, w] or [H, W, C], as an Explanation has it.
    cells : Cells or None
        Where its cells lie on the input; None if they share it evenly.
    sides : sequence of int
        Height and width of the input.

    Returns
    -------
    np.ndarray
        float64 [H, W].
    """
    return upsample(joined(values), sides, cells).astype(np.float64)


def on_original(values: np.ndarray, cells: Optional[Cells], placement: Placement) -> np.ndarray:
    """Return a map on the original image, 0 where the net did not see it: float64 [H0, W0]; arguments as above."""
    return placement.place(joined(values), cells).astype(np.float64)
