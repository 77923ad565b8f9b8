"""Detections as lists of numbers for JSON, and back."""

from __future__ import annotations

import math
from typing import Any, List, Optional, Sequence, Tuple

from gradcam_tf1.drawing.detected_box import Detection, recorded_detection
from gradcam_tf1.drawing.stored_placements import need


def pack_detections(rows: Sequence[Sequence[Optional[Detection]]]) -> List[List[Any]]:
    """Return for each image and target [box, confidence, anchor], or None."""
    return [[each and [list(each.box), each.confidence, int(each.anchor)] for each in row] for row in rows]


def unpack_detections(rows: Any, images: int, targets: int) -> Tuple[Tuple[Optional[Detection], ...], ...]:
    """Return the detections of each image, or () if no target is one. Raises BadField if they are not such."""
    good = isinstance(rows, list) and len(rows) in (0, images)
    need(good and all(isinstance(row, list) and len(row) == targets for row in rows), "its detections are damaged")
    need(all(each is None or _is_detection(each) for row in rows for each in row), "its detections are damaged")
    names = ("box", "confidence", "anchor")
    return tuple(tuple(recorded_detection(each and dict(zip(names, each))) for each in row) for row in rows)


def _is_detection(each: Any) -> bool:
    if not isinstance(each, list) or len(each) != 3 or not isinstance(each[0], list) or len(each[0]) != 4:
        return False
    whole = isinstance(each[2], int) and not isinstance(each[2], bool) and each[2] >= 0
    return whole and all(_is_finite(value) for value in (*each[0], each[1]))


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
