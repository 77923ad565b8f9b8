"""The box around the highest region of a map. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Box

BOX_SHARE = 0.15


def largest_box(map: np.ndarray, share: float = BOX_SHARE) -> Optional[Box]:
    """Return the box of the largest connected region with map > share * max(map).

    This is Grad-CAM's localisation, section 4.1 of the paper. Pixels are connected along their sides. Of two regions
    of equal size, the one with the higher maximum counts.

    Parameters
    ----------
    map : np.ndarray
        Float [H, W], placed on the image.
    share : float
        Threshold as a share of the map's maximum, 0 <= share < 1.

    Returns
    -------
    tuple of int, or None
        (top, left, bottom, right) in pixels, the last two exclusive; None where no value is above zero.

    Raises
    ------
    OptionError
        If `share` is not a number in 0 <= share < 1.

    References
    ----------
    https://arxiv.org/abs/1610.02391
    """
    check_share(share)
    highest = float(map.max())
    if highest <= 0:
        return None
    from scipy import ndimage  # imported here because it takes long to import

    regions, count = ndimage.label(map > share * highest)
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    peaks = ndimage.maximum(map, regions, numbers)
    best = max(range(count), key=lambda i: (sizes[i], peaks[i]))
    rows, columns = ndimage.find_objects(regions)[best]
    return rows.start, columns.start, rows.stop, columns.stop


def check_share(share: Any) -> None:
    """Raise OptionError unless `share` is a number with 0 <= share < 1."""
    is_number = isinstance(share, (int, float, np.integer, np.floating)) and not isinstance(share, bool)
    if not is_number or not 0 <= share < 1:
        raise OptionError(f"the box share, of the map's maximum, is at least 0 and below 1, not {share!r}")
