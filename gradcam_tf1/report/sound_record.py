"""Whether a record that lies in a report is one that this version writes; somebody may have changed it."""

from __future__ import annotations

from typing import Any

from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.run.json_form import Check, has, is_flag, is_number, is_text, is_whole, list_of, one_of, or_none

IMAGE_ENDINGS = {"preview": ".jpg", "thumb": ".thumb.jpg"}  # key of a record -> ending of its file
IMAGES = "images"  # their folder, seen from the page


def is_sound(record: Any, ident: str) -> bool:
    """Return whether a value has every key of the record of this image, with values that a page can use."""
    own = {name: one_of(None, f"{IMAGES}/{ident}{ending}") for name, ending in IMAGE_ENDINGS.items()}
    whole = has({**_RECORD, **own, "id": one_of(ident)})(record)
    return whole and (record["size"] is not None or not record["targets"])


def _is_own_url(value: Any) -> bool:
    """Whether a URL is one of `ReportFolder.url`: of a file of the run, never of another place."""
    return isinstance(value, str) and value.startswith("../")


def _is_grid(value: Any) -> bool:
    try:
        MapGrid.from_json(value)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return all(is_number(value[name]) for name in ("top", "left", "row_step", "col_step", "low", "high"))


def _place(length: int) -> Check:
    return or_none(lambda value: list_of(is_whole)(value) and len(value) == length)


_SCORE = {
    **{"class_id": is_whole, "label": or_none(is_text)},
    **{"score": or_none(is_number), "probability": or_none(is_number)},
}
_MAP = {
    **{"method": is_text, "layer": is_text, "status": one_of("ok", "empty"), "reason": is_text},
    **{"minimum": or_none(is_number), "maximum": or_none(is_number), "notes": list_of(is_text)},
    **{"peak": _place(2), "box": _place(4)},
    **{"focus": or_none(is_number), "signed": is_flag, "grid": or_none(_is_grid), "pixels": or_none(_is_own_url)},
}
_TARGET = {**_SCORE, "about": is_text, "maps": list_of(has(_MAP))}
_RECORD = {
    **{"name": is_text, "status": one_of("ok", "error"), "error": or_none(is_text), "row": is_text},
    **{"size": lambda size: _place(2)(size) and min(size or [1]) >= 1},
    **{"missing": or_none(is_text), "truth": or_none(is_text)},
    **{"top": list_of(has(_SCORE)), "targets": list_of(has(_TARGET))},
}


def are_sound_strategies(stored: Any) -> bool:
    """Return whether a value is what `find_strategies` stores, with values that a page can use."""
    return has(_STRATEGIES)(stored)


_CLUSTER = {
    **{"count": is_whole, "share": is_number, "accuracy": or_none(is_number)},
    **{"probability": or_none(is_number), "place": is_text, "suspect": is_text, "spread": is_number},
    **{"grid": _is_grid, "images": list_of(is_text)},
}
_CLASS = {
    **{"class_id": is_whole, "label": or_none(is_text), "count": is_whole},
    "clusters": list_of(has(_CLUSTER)),
}
_STRATEGIES = {
    **{"gradcam_tf1": is_text, "digest": is_text, "method": is_text, "layer": is_text, "empty": is_whole},
    "unread": is_whole,
    **{"few": lambda value: isinstance(value, dict) and all(map(is_whole, value.values()))},
    "classes": list_of(has(_CLASS)),
}
