"""The box around what a map lights up. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

BOX_SHARE = 0.15

Box = Tuple[int, int, int, int]


def largest_box(map: np.ndarray, share: float = BOX_SHARE) -> Optional[Box]:
    """Box (top, left, bottom, right), the last two exclusive, of the largest connected region above share * maximum.

    Grad-CAM's localisation, https://arxiv.org/abs/1610.02391, section 4.1. Pixels touch along their sides; of two
    regions with as many pixels the one with the higher value counts. None where nothing is above zero.
    Args: map: [H, W], placed on the image. Raises: OptionError for a share outside 0..1.
    """
    check_share(share)
    highest = float(map.max())
    if highest <= 0:
        return None
    from scipy import ndimage  # imported late: it takes a while

    regions, count = ndimage.label(map > share * highest)
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    peaks = ndimage.maximum(map, regions, numbers)
    best = max(range(count), key=lambda i: (sizes[i], peaks[i]))
    rows, columns = ndimage.find_objects(regions)[best]
    return rows.start, columns.start, rows.stop, columns.stop


def check_share(share: Any) -> None:
    """Raises OptionError for a share that leaves nothing, or no threshold at all."""
    if not isinstance(share, (int, float, np.integer, np.floating)) or not 0 <= share < 1:
        raise OptionError(f"the share of the maximum that bounds a region is at least 0 and below 1, not {share}")
