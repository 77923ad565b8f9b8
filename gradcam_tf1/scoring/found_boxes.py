"""Boxes that a detector found, as targets, and non-maximum suppression. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, Tuple

import numpy as np

SIDES = ("top", "left", "bottom", "right")
MEASURES = ("logit", "drise", *SIDES)


@dataclass(frozen=True)
class FoundBox:
    """One detection as a target.

    Attributes
    ----------
    class_id : int
        Its class.
    confidence : float
        Its confidence, 0..1; NaN if it stands for a detection that the image lacks.
    anchor : int
        Number of its anchor.
    box : tuple of float
        Top, left, bottom, right as shares of the net's input.
    likeness : np.ndarray
        The class probabilities of its anchor, float32 [C], the background 0.
    measure : str
        What is explained, one of MEASURES.
    reader : BoxReader
        How the boxes are read.
    about : str
        Which detection it is.
    missing : str
        Why the image lacks it; "" for a detection.
    """

    class_id: int
    confidence: float
    anchor: int
    box: Tuple[float, ...]
    likeness: np.ndarray = field(repr=False, compare=False)
    measure: str
    reader: Any
    about: str
    missing: str = ""


def suppress(boxes: np.ndarray, confidences: np.ndarray, class_ids: np.ndarray, iou: float) -> List[int]:
    """Non-maximum suppression, class by class: return the numbers of the boxes that are kept, most confident first.

    Parameters
    ----------
    boxes : np.ndarray
        float [M, 4], top, left, bottom, right.
    confidences, class_ids : np.ndarray
        [M].
    iou : float
        A box that overlaps a kept one of its class more than this is dropped.
    """
    kept: List[int] = []
    for m in np.argsort(-confidences, kind="stable").tolist():
        rivals = [k for k in kept if class_ids[k] == class_ids[m]]
        if not rivals or iou_with(boxes[rivals], boxes[m]).max() <= iou:
            kept.append(m)
    return kept


def iou_with(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the intersection over union of boxes [M, 4] with one box [4]: float [M], 0 where both are empty."""
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inside = np.maximum(sides, 0).prod(axis=1)
    both = _area(boxes) + _area(box[np.newaxis]) - inside
    shares: np.ndarray = np.divide(inside, both, out=np.zeros_like(inside), where=both > 0)
    return shares


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    return area
