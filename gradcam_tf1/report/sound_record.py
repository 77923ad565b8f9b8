"""Whether a record that lies in a report is one that this version writes; somebody may have changed it."""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping

from gradcam_tf1.report.map_grid import MapGrid

Check = Callable[[Any], bool]
IMAGE_ENDINGS = {"preview": ".jpg", "thumb": ".thumb.jpg"}  # key of a record -> ending of its file
IMAGES = "images"  # their folder, seen from the page
_MOST = 2**53  # larger numbers are not exact in a browser


def is_sound(record: Any, ident: str) -> bool:
    """Return whether a value has every key of the record of this image, with values that a page can use."""
    own = {name: _one_of(None, f"{IMAGES}/{ident}{ending}") for name, ending in IMAGE_ENDINGS.items()}
    whole = _has({**_RECORD, **own, "id": _one_of(ident)})(record)
    return whole and (record["size"] is not None or not record["targets"])


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_own_url(value: Any) -> bool:
    """Whether a URL is one of `ReportFolder.url`: of a file of the run, never of another place."""
    return isinstance(value, str) and value.startswith("../")


def _is_grid(value: Any) -> bool:
    try:
        MapGrid.from_json(value)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return False
    return all(_is_number(value[name]) for name in ("top", "left", "row_step", "col_step", "low", "high"))


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _one_of(*possible: Any) -> Check:
    return lambda value: value in possible


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _place(length: int) -> Check:
    return _or_none(lambda value: _list_of(_is_whole)(value) and len(value) == length)


def _has(checks: Mapping[str, Check]) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(name in value and check(value[name]) for name, check in checks.items())
    )


_SCORE = {
    **{"class_id": _is_whole, "label": _or_none(_is_text)},
    **{"score": _or_none(_is_number), "probability": _or_none(_is_number)},
}
_MAP = {
    **{"method": _is_text, "layer": _is_text, "status": _one_of("ok", "empty"), "reason": _is_text},
    **{"minimum": _or_none(_is_number), "maximum": _or_none(_is_number), "notes": _list_of(_is_text)},
    **{"peak": _place(2), "box": _place(4)},
    **{"focus": _or_none(_is_number), "signed": _is_flag, "grid": _or_none(_is_grid), "pixels": _or_none(_is_own_url)},
}
_TARGET = {**_SCORE, "about": _is_text, "maps": _list_of(_has(_MAP))}
_RECORD = {
    **{"name": _is_text, "status": _one_of("ok", "error"), "error": _or_none(_is_text), "row": _is_text},
    **{"size": lambda size: _place(2)(size) and min(size or [1]) >= 1},
    **{"missing": _or_none(_is_text), "truth": _or_none(_is_text)},
    **{"top": _list_of(_has(_SCORE)), "targets": _list_of(_has(_TARGET))},
}


def are_sound_strategies(stored: Any) -> bool:
    """Return whether a value is what `find_strategies` stores, with values that a page can use."""
    return _has(_STRATEGIES)(stored)


_CLUSTER = {
    **{"count": _is_whole, "share": _is_number, "accuracy": _or_none(_is_number)},
    **{"probability": _or_none(_is_number), "place": _is_text, "suspect": _is_text, "spread": _is_number},
    **{"grid": _is_grid, "images": _list_of(_is_text)},
}
_CLASS = {
    **{"class_id": _is_whole, "label": _or_none(_is_text), "count": _is_whole},
    "clusters": _list_of(_has(_CLUSTER)),
}
_STRATEGIES = {
    **{"gradcam_tf1": _is_text, "digest": _is_text, "method": _is_text, "layer": _is_text, "empty": _is_whole},
    **{"few": lambda value: isinstance(value, dict) and all(map(_is_whole, value.values()))},
    "classes": _list_of(_has(_CLASS)),
}
