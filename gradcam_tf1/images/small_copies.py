"""Where a map lies on a smaller copy of its image. No TensorFlow here."""

from __future__ import annotations

import math
from typing import Tuple

from gradcam_tf1.images.geometry import Placement


def shrunk(placement: Placement, side: int) -> Placement:
    """Return the placement of a smaller copy of the image.

    Parameters
    ----------
    placement : Placement
        How the image was fitted to the input.
    side : int
        Longest side of the copy, in pixels.
    """
    height, width = placement.original
    factor = side / max(height, width)
    small = (max(1, round(height * factor)), max(1, round(width * factor)))
    top, left, bottom, right = placement.seen
    rows = _outwards(top * small[0] / height, bottom * small[0] / height)
    columns = _outwards(left * small[1] / width, right * small[1] / width)
    return Placement(small, placement.fitted, (rows[0], columns[0], rows[1], columns[1]), placement.inside)


def _outwards(start: float, stop: float) -> Tuple[int, int]:
    """Round both ends outwards, so that something is left between them."""
    return math.floor(start), math.ceil(stop - 1e-9)
