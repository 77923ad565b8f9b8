"""Draw the box of a detection."""

from __future__ import annotations

from typing import Optional

import numpy as np

from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.drawing.style import outlined


def with_box(image: np.ndarray, detection: Optional[Detection]) -> np.ndarray:
    """Draw the box of a detection, if there is one: uint8 [H, W, 3], RGB, of the image's size."""
    if detection is None:
        return image
    top, left, bottom, right = (round(side) for side in detection.box)
    return outlined(image, (top, left, max(bottom, top + 1), max(right, left + 1)))
