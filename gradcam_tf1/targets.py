"""What a person asks for, turned into codes that the graph resolves in the same forward pass.

A code is an int32: >= 0 is that class id; -1 the highest score, -2 the second highest, and so on.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels

TOP1 = -1


def target_codes(targets: Any, images: int, classes: int, labels: Optional[Labels] = None) -> np.ndarray:
    """Codes of what is asked for: int32 [N, T].

    Args:
        targets: None (the top class); a class id; a class name; a list of these, asked of every image; or a
            two-dimensional array [N, T], one row per image.
        images: N. classes: number of classes; ids run from 0 to classes - 1.
        labels: needed for names.

    Raises:
        TargetError: an id out of range, a name without labels, or rows that do not fit the images.
    """
    if targets is None:
        return np.full((images, 1), TOP1, np.int32)
    if isinstance(targets, str) or not hasattr(targets, "__len__"):
        targets = [targets]
    rows = [row if isinstance(row, (list, tuple, np.ndarray)) else None for row in targets]
    if rows and all(row is not None for row in rows):
        return _per_image(targets, images, classes, labels)
    if not rows or any(row is not None for row in rows):
        raise TargetError(
            f"targets {targets!r}: give a class id, a name, a list of these for all images, "
            "or a list of one list per image"
        )
    codes = [_code(target, classes, labels) for target in targets]
    return np.tile(np.array(codes, np.int32), (images, 1))


def _per_image(targets: Any, images: int, classes: int, labels: Optional[Labels]) -> np.ndarray:
    lengths = {len(row) for row in targets}
    if len(targets) != images or len(lengths) != 1 or lengths == {0}:
        raise TargetError(
            f"targets per image need one row for each of the {images} images, all of the same length; "
            f"given: {len(targets)} rows of lengths {sorted(lengths)}"
        )
    return np.array([[_code(target, classes, labels) for target in row] for row in targets], np.int32)


def _code(target: Any, classes: int, labels: Optional[Labels]) -> int:
    if isinstance(target, str):
        return _named(target, classes, labels)
    if isinstance(target, bool) or not isinstance(target, (int, np.integer)):
        raise TargetError(f"target {target!r} is a {type(target).__name__}; possible: a class id or a class name")
    if not 0 <= target < classes:
        raise TargetError(f"no class {target}: the net has {classes} classes, ids 0 to {classes - 1}")
    return int(target)


def _named(name: str, classes: int, labels: Optional[Labels]) -> int:
    if labels is None:
        raise TargetError(f"class name {name!r} was asked for, but no labels were given; give labels or a class id")
    ids = [class_id for class_id in labels.ids(name) if 0 <= class_id < classes]
    if len(ids) != 1:
        raise TargetError(f"class name {name!r} fits the ids {ids}; give one of them" if ids else f"no class {name!r}")
    return ids[0]
