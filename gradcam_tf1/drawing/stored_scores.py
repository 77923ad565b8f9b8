"""The best classes of each image as texts and an array of numbers, and back."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.stored_placements import need

_MOST = 2**31


def pack_top(top: Sequence[Sequence[ClassScore]]) -> Tuple[List[Any], np.ndarray]:
    """Return for each image its classes as [class_id, label, whether it has a probability], and float64 [K, 2]."""
    scores = [each for row in top for each in row]
    numbers = [(each.score, 0.0 if each.probability is None else each.probability) for each in scores]
    texts = [[[int(each.class_id), each.label, each.probability is not None] for each in row] for row in top]
    return texts, np.array(numbers, np.float64).reshape(-1, 2)


def unpack_top(texts: Any, numbers: np.ndarray, images: int) -> Tuple[Tuple[ClassScore, ...], ...]:
    """Return the best classes of each image, or () if they are unknown. Raises BadField if they are not such."""
    good = isinstance(texts, list) and len(texts) in (0, images) and all(isinstance(row, list) for row in texts)
    need(good and all(_is_class(each) for row in texts for each in row), "its best classes are damaged")
    count = sum(map(len, texts))
    need(numbers.shape == (count, 2) and numbers.dtype == np.float64, f"it has scores of other than {count} classes")
    left = iter(numbers.tolist())
    return tuple(tuple(_score(each, *next(left)) for each in row) for row in texts)


def _is_class(each: Any) -> bool:
    if not isinstance(each, list) or len(each) != 3:
        return False
    class_id, label, known = each
    whole = isinstance(class_id, int) and not isinstance(class_id, bool) and 0 <= class_id < _MOST
    return whole and (label is None or isinstance(label, str)) and isinstance(known, bool)


def _score(each: Sequence[Any], score: float, probability: float) -> ClassScore:
    class_id, label, known = each
    return ClassScore(class_id, label, score, probability if known else None)
