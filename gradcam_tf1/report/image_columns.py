"""What the index of a report knows of every image, as columns. No TensorFlow here."""

from __future__ import annotations

from array import array
from typing import Any, Dict, List, Optional

from gradcam_tf1.report.image_record import Record

_NONE = -1


class ImageColumns:
    """One entry per image in each column; about 200 bytes of memory for an image."""

    def __init__(self) -> None:
        self.names: List[str] = []
        self.class_ids = array("q")
        self.probabilities: List[Optional[float]] = []
        self.wrong: List[Optional[bool]] = []
        self._columns: Dict[str, List[Any]] = {
            name: []
            for name in ("id", "status", "label", "score", "focus", "truth", "doubt", "width", "height", "thumb")
        }

    def __len__(self) -> int:
        return len(self.names)

    def add(self, record: Record, predicted: int, wrong: Optional[bool]) -> None:
        """Add the next image.

        Parameters
        ----------
        record : dict
            Its record, with `truth`.
        predicted : int
            Its top class; -1 if it failed.
        wrong : bool or None
            Whether that class is not the true one; None if this is not known.
        """
        best = best_class(record, predicted)
        height, width = record["size"] or (None, None)
        first = next((map for target in record["targets"] for map in target["maps"]), None)
        self.names.append(record["name"])
        self.class_ids.append(predicted)
        self.probabilities.append(best.get("probability"))
        self.wrong.append(wrong)
        values = {
            **{"id": record["id"], "status": record["status"], "label": best.get("label"), "score": best.get("score")},
            **{"focus": first and first["focus"], "truth": record["truth"], "doubt": doubt_of(record)},
            **{"width": width, "height": height, "thumb": record["thumb"] is not None},
        }
        for name, value in values.items():
            self._columns[name].append(value)

    def as_json(self, has_truth: bool) -> Dict[str, Any]:
        """Return the columns; those of the truth are None without one."""
        columns = {
            **self._columns,
            **{"name": self.names, "probability": self.probabilities},
            "class_id": [None if class_id == _NONE else class_id for class_id in self.class_ids],
            "wrong": self.wrong,
        }
        return columns if has_truth else {**columns, "truth": None, "wrong": None}

    def ident(self, place: int) -> str:
        """Return the id of an image."""
        return str(self._columns["id"][place])

    def label(self, place: int) -> Optional[str]:
        """Return the name of the top class of an image."""
        label: Optional[str] = self._columns["label"][place]
        return label


def best_class(record: Record, predicted: int) -> Record:
    """Return the score of the top class: from `top`, or of a target with this class; {} if it is not known."""
    rows = [*record["top"], *(target for target in record["targets"] if not target["about"])]
    return next((row for row in rows if row["class_id"] == predicted), {})


def doubt_of(record: Record) -> Optional[str]:
    """Return a sentence on what is doubtful about an image; None if nothing is."""
    if record["missing"]:
        return str(record["missing"])
    for target in record["targets"]:
        for map in target["maps"]:
            if map["status"] == "empty":
                return f"the map of {map['method']} is empty: {map['reason']}"
    return None
