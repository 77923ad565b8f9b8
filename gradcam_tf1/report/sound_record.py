"""Whether a record that lies in a report is one that this version writes; somebody may have changed it."""

from __future__ import annotations

import re
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
_DETECTION = {
    **{"box": lambda box: list_of(is_number)(box) and len(box) == 4, "confidence": is_number, "anchor": is_whole},
}
_TARGET = {**_SCORE, "about": is_text, "maps": list_of(has(_MAP))}


def _is_target(value: Any) -> bool:
    return has(_TARGET)(value) and or_none(has(_DETECTION))(value.get("detection"))  # earlier versions had none


_RECORD = {
    **{"name": is_text, "status": one_of("ok", "error"), "error": or_none(is_text), "row": is_text},
    **{"size": lambda size: _place(2)(size) and min(size or [1]) >= 1},
    **{"missing": or_none(is_text), "truth": or_none(is_text)},
    **{"top": list_of(has(_SCORE)), "targets": list_of(_is_target)},
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


def are_sound_concepts(stored: Any) -> bool:
    """Return whether a value is what `find_concepts` stores, with values that a page can use."""
    return has(_CONCEPTS)(stored)


def is_sound_tcav(stored: Any) -> bool:
    """Return whether a value is what `tcav` stores, with values that a page can use."""
    return has(_TCAV)(stored)


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_text, value.values()))


def _is_own_picture(value: Any) -> bool:
    """Whether a path is one that `find_concepts` writes, below the output folder."""
    return isinstance(value, str) and _OWN_PICTURE.fullmatch(value) is not None


def _is_side(value: Any) -> bool:
    return is_whole(value) and 1 <= value <= _LONGEST


_OWN_PICTURE = re.compile(r"concept_images/[a-z]{1,10}_[0-9]{1,10}\.png")
_LONGEST = 4096  # pixels of a side of one picture
_PICTURES = has({"file": _is_own_picture, "size": lambda size: list_of(_is_side)(size) and len(size) == 2})
_EFFECT = {"class_id": is_whole, "label": is_text, "effect": is_number}
_CONCEPT = {
    **{"concept": is_whole, "share": is_number, "importance": or_none(is_number), "classes": list_of(has(_EFFECT))},
    **{"images": list_of(is_text), "crops": or_none(_PICTURES), "color": or_none(is_text)},
    "rgb": or_none(lambda value: list_of(is_whole)(value) and len(value) == 3),
}
_OF_NET = has({"model": is_text, "model_sha256": is_text, "seed": is_whole})
_STUDY = {"gradcam_tf1": is_text, "layer": is_text, "settings": _OF_NET, "failed": _are_texts}
_CONCEPTS = {
    **{**_STUDY, "method": one_of("dff", "craft"), "explained": is_number, "notes": list_of(is_text)},
    **{"target": or_none(has({"label": is_text})), "concepts": list_of(has(_CONCEPT))},
    "images": list_of(has({"image": is_text, "label": is_text, "figure": or_none(_PICTURES)})),
}
_TESTED = {
    **{"class_id": is_whole, "label": is_text, "score": is_number},
    **{"random_score": is_number, "random_spread": is_number},
    **{"p": is_number, "verdict": one_of("significant", "not significant", "no concept"), "sentence": is_text},
}
_TCAV = {
    **{**_STUDY, "accuracy": is_number, "images_per_vector": is_whole, "classes": list_of(has(_TESTED))},
    **{"counts": has({"images": is_whole, "positive": is_whole, "negative": is_whole}), "vectors": is_whole},
    "settings": lambda value: _OF_NET(value) and has({"positive": is_text, "negative": is_text})(value),
}
