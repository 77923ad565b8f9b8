"""Write evaluation.csv and evaluation.json. No TensorFlow here."""

from __future__ import annotations

import csv
import os
import uuid
from typing import Any, Iterator, Mapping

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.evaluation.evaluation_result import Evaluation
from gradcam_tf1.evaluation.measured_rows import measured_rows
from gradcam_tf1.run.manifest_lines import readable, strict_json
from gradcam_tf1.run.row_journal import RowJournal

JOURNAL_NAME, CSV_NAME, JSON_NAME, PAGE_NAME = (f"evaluation.{ending}" for ending in ("jsonl", "csv", "json", "html"))
WRITTEN = (CSV_NAME, JSON_NAME, PAGE_NAME)
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet computes
COLUMNS = ("image", "class_id", "class", "method", "metric", "value", "reason")


def write_evaluation(folder: str, evaluation: Evaluation, journal: RowJournal) -> None:
    """Write evaluation.json, and evaluation.csv with a line for each image, method and metric.

    Raises
    ------
    OSError
        If a file cannot be written; names the path.
    """
    text = strict_json(evaluation.as_json(), indent=1) + "\n"
    write_whole(os.path.join(folder, JSON_NAME), text.encode("ascii"), "evaluation")
    _write_table(os.path.join(folder, CSV_NAME), journal)


def _write_table(path: str, journal: RowJournal) -> None:
    """Write the table line by line, so that it takes no memory, and put it in place when it is whole."""
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "x", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in measured_rows(journal):
                table.writerows(_lines(row))
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the table: {error.strerror}", path) from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _lines(row: Mapping[str, Any]) -> Iterator[Any]:
    image = _text(row["relative"])
    if row["error"]:
        yield (image, "", "", "", "", "", _text(row["error"]))
        return
    start = (image, "" if row["class_id"] is None else row["class_id"], _text(row.get("label") or ""))
    if not row["values"]:
        yield (*start, "", "", "", row["why_not"])
    for name, metrics in row["values"].items():
        for metric, found in metrics.items():
            value = found["value"]
            yield (*start, name, metric, "" if value is None else repr(value), found.get("reason", ""))


def _text(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula, with control characters escaped."""
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in readable(text))
    return f"'{safe}" if safe.startswith(_FORMULA) else safe
