"""What is drawn of a picture of many bands, or of values that are no pixels: a picture in RGB, 0..255."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from gradcam_tf1.sources.wanted import picked
from gradcam_tf1.sources.window import shades

SHARE = 2.0  # percent of the values of a band at each end that are drawn black or white where they are no pixels
_SAMPLE = 1_000_000


def drawn(values: np.ndarray, bands: Sequence[int] = (), name: str = "the picture") -> np.ndarray:
    """uint8 [H, W, 3] of [H, W, channels], the three bands that are named, from 1.

    Values within 0..255 are drawn as they are. Of others, each band is stretched from its 2nd to its 98th percentile.
    Raises: ImageFileError where there is no such band.
    """
    if values.dtype == np.uint8 and values.shape[2] == 3 and not bands:
        return values
    shown = picked(values, bands, name)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    if shown.min() >= 0 and shown.max() <= 255:
        return shades(shown, 0.0, 255.0)
    return np.stack([_stretched(shown[..., channel]) for channel in range(3)], axis=-1)


def _stretched(band: np.ndarray) -> np.ndarray:
    sample = band.ravel()[:: max(1, band.size // _SAMPLE)]
    low, high = (float(end) for end in np.percentile(sample, (SHARE, 100 - SHARE)))
    if low == high:
        low, high = float(band.min()), float(band.max())
    return shades(band, low, high) if low < high else np.zeros(band.shape, np.uint8)
