"""Rows of an earlier comparison that goes on; somebody may have changed the file. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Sequence

from gradcam_tf1.comparison.image_pair import NAMES, SCORES
from gradcam_tf1.comparison.map_agreement import MEASURES
from gradcam_tf1.errors import ManifestError
from gradcam_tf1.run.json_form import Check, has, is_flag, is_number, is_text, is_whole, or_none

_SIMILARITY = has(dict.fromkeys(MEASURES, or_none(is_number)))
_IMAGE = has(
    {
        **{"index": is_whole, "source": is_text, "relative": is_text, "error": or_none(is_text)},
        "no_answer": lambda value: (
            isinstance(value, dict) and {*value} <= {*NAMES} and all(map(is_text, value.values()))
        ),
    }
)
_ANSWERS = {
    **{f"{key}_{which}": check for which in "ab" for key, check in (("class", is_whole), ("name", is_text))},
    **{f"probability_{which}": is_number for which in "ab"},
    **{"same_class": is_flag, "distance": is_number},
    **dict.fromkeys(SCORES, or_none(is_number)),
}


def check_row(row: Any, methods: Sequence[str], path: str) -> None:
    """Raise ManifestError unless a row is one that this version writes."""
    maps: Check = has(dict.fromkeys(methods, has({"same": _SIMILARITY, "own": _SIMILARITY})))
    answered = has({**_ANSWERS, "maps": maps})
    if not _IMAGE(row) or not (row["error"] is not None or row["no_answer"] or answered(row)):
        raise ManifestError(
            f"{path} has a row that is damaged or of another version; run without resume to start again"
        )
