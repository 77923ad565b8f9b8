"""The rows of an evaluation's journal, read back. A journal is a file, so each row is checked. No TensorFlow here."""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterator, Mapping

from gradcam_tf1.errors import ManifestError
from gradcam_tf1.run.row_journal import RowJournal

_MOST = 2**53
GRID = 51  # points of a stored curve, evenly over the share of changed pixels


def measured_rows(journal: RowJournal) -> Iterator[Dict[str, Any]]:
    """Yield the rows, one for each image.

    Raises
    ------
    ManifestError
        If one has another form than `measured_row` gives it.
    """
    for number, row in enumerate(journal.rows(), start=2):
        if not _is_row(row):
            raise ManifestError(
                f"{journal.path}, line {number}: not a row of an evaluation; run without resume to start again"
            )
        yield row


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or not isinstance(row.get("relative"), str) or not _is_id(row.get("index")):
        return False
    if row.get("error"):
        return isinstance(row["error"], str)
    class_id, label = row.get("class_id"), row.get("label")
    return (
        "error" in row
        and (class_id is None or _is_id(class_id))
        and (label is None or isinstance(label, str))
        and isinstance(row.get("located"), bool)
        and isinstance(row.get("why_not"), str)
        and _has_values(row.get("values"))
    )


def _has_values(values: Any) -> bool:
    """Return whether these are the values of metrics: map -> metric -> value, reason and curve."""
    if not isinstance(values, dict) or not all(isinstance(metrics, dict) for metrics in values.values()):
        return False
    return all(isinstance(found, dict) and _is_value(found) for each in values.values() for found in each.values())


def _is_value(found: Mapping[str, Any]) -> bool:
    value, reason, curve = found.get("value"), found.get("reason", ""), found.get("curve")
    whole = curve is None or (isinstance(curve, list) and len(curve) == GRID and all(map(_is_number, curve)))
    return "value" in found and (value is None or _is_number(value)) and isinstance(reason, str) and whole


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max  # nor NaN


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST
