"""A detection on the original image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

_NAME = "detection"
_SIDES = ("top", "left", "bottom", "right")
DETECTION_COLUMNS = (*(f"detection_{side}" for side in _SIDES), "confidence", "anchor")


def detection_name(rank: int, measure: str) -> str:
    """Return what a target says of the detection with this rank, from 0, and of what is explained of it."""
    return f"{_NAME} {rank + 1}" + ("" if measure == "logit" else f" {measure}")


def is_further_detection(about: str) -> bool:
    """Return whether a target is a detection other than the first of its image."""
    words = about.split(" ")
    return words[0] == _NAME and len(words) > 1 and words[1] != "1"


@dataclass(frozen=True)
class Detection:
    """What a detector found; its class and label are those of its map.

    Attributes
    ----------
    box : (float, float, float, float)
        Top, left, bottom, right in pixels of the original image.
    confidence : float
        The detector's confidence, 0..1.
    anchor : int
        Number of the anchor that it comes from.
    """

    box: Tuple[float, float, float, float]
    confidence: float
    anchor: int

    def scaled(self, rows: float, columns: float) -> Detection:
        """Return the detection on a copy of the image whose height and width are these times as large."""
        top, left, bottom, right = self.box
        return replace(self, box=(top * rows, left * columns, bottom * rows, right * columns))

    def as_record(self) -> Dict[str, Any]:
        """Return the detection as a line of the manifest has it."""
        return {"box": list(self.box), "confidence": self.confidence, "anchor": self.anchor}


def detection_values(detection: Optional[Detection]) -> Dict[str, Any]:
    """Return the columns of a detection in a table; {} without one."""
    if detection is None:
        return {}
    return dict(zip(DETECTION_COLUMNS, (*detection.box, detection.confidence, detection.anchor)))


def recorded_detection(record: Any) -> Optional[Detection]:
    """Return the detection of a line of the manifest, None without one."""
    if record is None:
        return None
    top, left, bottom, right = record["box"]
    return Detection((top, left, bottom, right), record["confidence"], record["anchor"])
