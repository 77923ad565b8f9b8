"""What a run asks of each of its images: rows of targets, checked before the run begins. No TensorFlow here."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Hashable, Iterator, List, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.targets import Top

_MANY = 2**31 - 1  # classes of a net that does not tell how many it has
_MOST = 1_000_000  # ranks that are written out one by one
_LISTS = (list, tuple, np.ndarray)
_CLASS_FIELDS = ("class_spec", "a", "output")  # a class is fed: targets that differ in it alone go together


def rows_of(targets: Any, listing: Sequence[Any]) -> List[Any]:
    """What to ask of each image of the listing: its own row where targets are rows, else the same of all.

    targets: as in `explain`; or a function of the listing that returns one row per image, such as PerImage.
    Raises: TargetError where there are not as many rows as images.
    """
    rows = targets(listing) if callable(targets) else targets
    if not differ(rows):
        return [rows] * len(listing)
    if len(rows) != len(listing):
        raise TargetError(f"targets has {len(rows)} rows, but there are {len(listing)} images; give one row for each")
    return [list(row) for row in rows]


def differ(targets: Any) -> bool:
    """Whether targets are rows, one for each image, or a function that makes rows of the listing."""
    return callable(targets) or (isinstance(targets, _LISTS) and any(isinstance(row, _LISTS) for row in targets))


def check_classes(rows: Sequence[Any], classes: Optional[int], labels: Optional[Labels]) -> None:
    """Look up every class id and name once. Raises: TargetError for one that the net does not have."""
    context = TargetContext(2 if classes == 1 else classes or _MANY, labels)
    for spec in dict.fromkeys(spec for row in rows for spec in _class_specs(row)):
        make_requests(spec, 1, context)


def _class_specs(row: Any) -> Iterator[Any]:
    for target in row if isinstance(row, _LISTS) else [row]:
        if isinstance(target, Top):
            yield Top(min(target.k, _MOST))
        elif is_dataclass(target):
            yield from (getattr(target, name) for name in (*_CLASS_FIELDS, "b") if hasattr(target, name))
        else:
            yield target


def row_key(row: Any) -> Hashable:
    """Equal for rows that one pass can serve: as many targets, of the same kinds."""
    return tuple(_kind(target) for target in row) if isinstance(row, list) else None


def _kind(target: Any) -> Hashable:
    if not is_dataclass(target):
        return None
    values = [getattr(target, item.name) for item in fields(target) if item.name not in _CLASS_FIELDS]
    plain = (type(None), int, float, str, tuple)
    return (type(target), *(value if isinstance(value, plain) or callable(value) else type(value) for value in values))
