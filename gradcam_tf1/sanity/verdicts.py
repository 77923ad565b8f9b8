"""Does a method depend on what the net has learned? One verdict for each method. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from gradcam_tf1.metrics.intervals import Interval, bootstrap

CHANGES, HARDLY, UNDECIDED = "changes", "hardly changes", "undecided"
DECIDING = "spearman signed"
# measured on six nets, see docs/sanity.md
CHANGES_BELOW, HARDLY_ABOVE = 0.3, 0.5


@dataclass(frozen=True)
class MethodVerdict:
    """What the randomisation says of a method.

    Attributes
    ----------
    method : str
        The method.
    verdict : {"changes", "hardly changes", "undecided"}
        Whether its maps change with the weights.
    kept : Interval
        What is left of the maps once the upper half of the layers is drawn, from the class scores down: the mean
        signed Spearman correlation with the maps of the intact net.
    reason : str
        Why it is undecided, or "".
    """

    method: str
    verdict: str
    kept: Interval
    reason: str = ""


def verdict_of(method: str, values: Sequence[np.ndarray], seed: int) -> MethodVerdict:
    """Judge a method.

    Parameters
    ----------
    method : str
        Its name.
    values : sequence of np.ndarray
        For each step of the cascade, from the class scores down, the similarity of each image, float64 [N].
    seed : int
        Of the bootstrap.
    """
    kept = bootstrap(values[(len(values) - 1) // 2], seed)
    if not kept.n:
        return MethodVerdict(method, UNDECIDED, kept, "no image has a map and finite scores")
    if kept.high < CHANGES_BELOW:
        return MethodVerdict(method, CHANGES, kept)
    if kept.low > HARDLY_ABOVE:
        return MethodVerdict(method, HARDLY, kept)
    why = f"{kept.low:.2f} to {kept.high:.2f} is not below {CHANGES_BELOW} and not above {HARDLY_ABOVE}"
    return MethodVerdict(method, UNDECIDED, kept, why)
