"""The files of a comparison: comparison.json, comparison.csv. No TensorFlow here."""

from __future__ import annotations

import csv
import io
import os
from typing import Any, Dict, Iterable, Mapping, Sequence

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.comparison.comparison_result import Comparison
from gradcam_tf1.comparison.image_pair import SCORES, Row
from gradcam_tf1.comparison.map_agreement import MEASURES
from gradcam_tf1.run.manifest_lines import readable, strict_json

JOURNAL_NAME, JSON_NAME, CSV_NAME, PAGE_NAME = (f"comparison.{ending}" for ending in ("jsonl", "json", "csv", "html"))
_CLASSES = ("class_a", "name_a", "probability_a", "class_b", "name_b", "probability_b", "same_class")


def write_json(folder: str, found: Comparison, settings: Mapping[str, Any]) -> None:
    """Write the means, the checks, the verdict and the settings. Raises OSError."""
    text = strict_json({**found.as_json(), "settings": dict(settings)}, indent=1) + "\n"
    write_whole(os.path.join(folder, JSON_NAME), text.encode("ascii"), "comparison")


def write_csv(folder: str, rows: Iterable[Row], methods: Sequence[str]) -> None:
    """Write a table with one line per image. Raises OSError."""
    text = io.StringIO()
    names = ["image", "error", *_CLASSES, *SCORES, "distance"]
    names += [f"{method}_{kind}_{name}" for method in methods for kind in ("same", "own") for name in MEASURES]
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow(_flat(row, methods))
    write_whole(os.path.join(folder, CSV_NAME), text.getvalue().encode("utf-8", "replace"), "table")


def error_of(row: Row) -> str:
    """Return why an image was not compared; "" if it was."""
    if row["error"] is not None:
        return str(row["error"])
    return "; ".join(f"{name}: {reason}" for name, reason in row["no_answer"].items())


def _flat(row: Row, methods: Sequence[str]) -> Dict[str, Any]:
    flat: Dict[str, Any] = {"image": readable(row["relative"]), "error": error_of(row)}
    flat.update({name: row.get(name) for name in (*_CLASSES, *SCORES, "distance")})
    for method in methods:
        kinds = row.get("maps", {}).get(method, {})
        flat.update({f"{method}_{kind}_{name}": value for kind in kinds for name, value in kinds[kind].items()})
    return flat
