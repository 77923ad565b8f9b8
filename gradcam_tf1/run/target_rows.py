"""The targets of each image of a run, checked before it begins. No TensorFlow here."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, Hashable, Iterator, List, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels
from gradcam_tf1.run.listing import Listed
from gradcam_tf1.scoring.score_requests import TargetContext, check_point, make_requests
from gradcam_tf1.targets import Region, Top

_UNKNOWN = 2**31 - 1  # stands for an unknown number of classes
_MAX_RANKS = 1_000_000  # of Top, for the check of class ids
_LISTS = (list, tuple, np.ndarray)
# classes are fed, so targets that differ only in these fields run together
_CLASS_FIELDS = ("class_spec", "a", "output")


def rows_of(targets: Any, listing: Sequence[Listed]) -> List[Any]:
    """Return the targets of each image.

    Parameters
    ----------
    targets : any
        As in `explain`, for all images; or one row per image; or a function of the listing that returns rows, such as a
        PerImage.
    listing : sequence of ImageSource or Clip
        The images to explain.

    Raises
    ------
    TargetError
        If the number of rows is not the number of images.
    """
    rows = targets(listing) if callable(targets) else targets
    if not differ(rows):
        return [rows] * len(listing)
    if len(rows) != len(listing):
        raise TargetError(f"targets has {len(rows)} rows, but there are {len(listing)} images; give one row for each")
    return [list(row) for row in rows]


def differ(targets: Any) -> bool:
    """Return whether targets are rows, one per image, or a function of the listing that returns rows."""
    return callable(targets) or (isinstance(targets, _LISTS) and any(isinstance(row, _LISTS) for row in targets))


def check_classes(rows: Sequence[Any], classes: Optional[int], labels: Optional[Labels]) -> None:
    """Look up every class id and name. Raises TargetError for a class that the net lacks, or a point in no image."""
    context = TargetContext(2 if classes == 1 else classes or _UNKNOWN, labels)
    for spec in dict.fromkeys(spec for row in rows for spec in _class_specs(row)):
        make_requests(spec, 1, context)
    for target in (target for row in rows for target in _listed(row)):
        if isinstance(target, Region) and target.point is not None:
            check_point(target.point)


def _listed(row: Any) -> Sequence[Any]:
    return list(row) if isinstance(row, _LISTS) else [row]


def _class_specs(row: Any) -> Iterator[Any]:
    for target in _listed(row):
        if isinstance(target, Top):
            yield Top(min(target.k, _MAX_RANKS))
        elif is_dataclass(target):
            yield from (getattr(target, name) for name in (*_CLASS_FIELDS, "b") if hasattr(target, name))
        else:
            yield target


def row_key(row: Any) -> Hashable:
    """Return a key that is equal for rows that can run together: as many targets, of the same kinds."""
    return tuple(_kind(target) for target in row) if isinstance(row, list) else None


def _kind(target: Any) -> Hashable:
    if not is_dataclass(target):
        return None
    values = [getattr(target, item.name) for item in fields(target) if item.name not in _CLASS_FIELDS]
    plain = (type(None), int, float, str, tuple)
    return (type(target), *(value if isinstance(value, plain) or callable(value) else type(value) for value in values))
