"""The classes that a run has found: those that were asked for, the best ones, and their probabilities."""

from __future__ import annotations

from typing import Hashable, Mapping, Optional

import numpy as np

from gradcam_tf1.engine.map_request import BestClasses
from gradcam_tf1.types import ScoreRequest, Slot

NO_CLASS = -1
Found = Mapping[Hashable, np.ndarray]


def class_ids_of(score: ScoreRequest, found: Found, slot: Slot) -> np.ndarray:
    """Return the explained classes, int64 [N]; none where the target is no class, or a rank among NaN scores."""
    if ("code", slot) not in found:
        return np.full(len(found["broken"]), NO_CLASS)
    unknown = found["broken"] & (score.values["code"] < 0)
    return np.where(unknown, NO_CLASS, found["code", slot]).astype(np.int64)


def best_of(found: Found) -> BestClasses:
    """Return the best classes of each image, with their probabilities if the net has some."""
    class_ids, probabilities = found["best classes"], found.get("probabilities")
    chosen = None if probabilities is None else np.take_along_axis(probabilities, class_ids, axis=1)
    return BestClasses(class_ids, found["best scores"], chosen)


def chosen_of(probabilities: Optional[np.ndarray], class_ids: np.ndarray) -> Optional[np.ndarray]:
    """Return the probabilities of the classes, NaN where there is no class: float32 [N, T]."""
    if probabilities is None:
        return None
    chosen = np.take_along_axis(probabilities, np.maximum(class_ids, 0), axis=1)
    return np.where(class_ids == NO_CLASS, np.nan, chosen)
