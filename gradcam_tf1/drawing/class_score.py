"""The score of one class. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class ClassScore:
    """The score of one class on an image.

    Attributes
    ----------
    class_id : int
        The class, counted from 0.
    label : str or None
        Its name; None without labels.
    score : float
        Before softmax or sigmoid.
    probability : float or None
        None if the graph has no probabilities.
    """

    class_id: int
    label: Optional[str]
    score: float
    probability: Optional[float]
