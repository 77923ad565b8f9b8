"""The classes that a run has found: those that were asked for, the best ones, and their probabilities."""

from __future__ import annotations

from dataclasses import replace
from typing import Hashable, Mapping, Optional

import numpy as np

from gradcam_tf1.engine.map_request import BestClasses
from gradcam_tf1.types import ScoreRequest, Slot

NO_CLASS = -1
Found = Mapping[Hashable, np.ndarray]


def class_ids_of(score: ScoreRequest, found: Found, slot: Slot) -> np.ndarray:
    """Return the explained classes, int64 [N]; none where the target is no class, or a rank among NaN scores."""
    if "code" not in score.values:
        return np.full(len(found["broken"]), NO_CLASS)
    codes = score.values["code"]
    unknown = found["broken"] & (codes < 0)
    return np.where(unknown, NO_CLASS, found.get(("code", slot), codes)).astype(np.int64)


def predicted_of(found: Found) -> np.ndarray:
    """Return the top class of each image, int64 [N]; none where the scores are broken."""
    return np.where(found["broken"], NO_CLASS, found["best classes"][:, 0].astype(np.int64))


def best_of(found: Found) -> BestClasses:
    """Return the best classes of each image, with their probabilities if the net has some."""
    class_ids, probabilities = found["best classes"], found.get("probabilities")
    chosen = None if probabilities is None else _at(probabilities, class_ids)
    return BestClasses(class_ids, found["best scores"], chosen)


def chosen_of(probabilities: Optional[np.ndarray], class_ids: np.ndarray) -> Optional[np.ndarray]:
    """Return the probabilities of the classes, NaN where there is no class: float32 [N, T]."""
    if probabilities is None:
        return None
    return np.where(class_ids == NO_CLASS, np.nan, _at(probabilities, np.maximum(class_ids, 0)))


def with_ids(score: ScoreRequest, found: Found, slot: Slot) -> ScoreRequest:
    """Return the target with its codes resolved, so that a changed image is explained for the same classes."""
    ids = {name: found[name, slot] for name in score.values if (name, slot) in found}
    return replace(score, values={**score.values, **ids}) if ids else score


def of_image(score: ScoreRequest, n: int) -> ScoreRequest:
    """Return the target of one image."""
    values, inputs = ({name: rows[n : n + 1] for name, rows in part.items()} for part in (score.values, score.inputs))
    return replace(score, values=values, inputs=inputs)


def _at(values: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Return `np.take_along_axis(values, class_ids, axis=1)` of [N, C] and [N, T], several times faster."""
    taken: np.ndarray = values[np.arange(len(values))[:, np.newaxis], class_ids]
    return taken
