"""Does a method depend on what the net has learned? One verdict for each method. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Mapping, Sequence

import numpy as np

from gradcam_tf1.metrics.intervals import Interval, bootstrap

CHANGES, HARDLY, UNDECIDED = "changes", "hardly changes", "undecided"
DECIDING = "spearman signed"
# between the two groups that were measured on five nets, see docs/sanity.md
CHANGES_BELOW, HARDLY_ABOVE = 0.3, 0.5
ALIKE = 0.9  # maps of different images that are more alike than this have no room to change

_NONE: Mapping[str, str] = MappingProxyType({})


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
        What is left of the maps while the upper half of the layers is drawn, see `kept_share`.
    reason : str
        Why it is undecided, or "".
    """

    method: str
    verdict: str
    kept: Interval
    reason: str = ""


def verdict_of(
    method: str, values: Sequence[np.ndarray], chance: float, seed: int, doubts: Mapping[str, str] = _NONE
) -> MethodVerdict:
    """Judge a method.

    Parameters
    ----------
    method : str
        Its name.
    values : sequence of np.ndarray
        For each step of the cascade, from the class scores down, the similarity of each image, float64 [N].
    chance : float
        Mean similarity of the maps of different images; NaN for a single image.
    seed : int
        Of the bootstrap.
    doubts : mapping
        Verdict -> why it would say nothing.
    """
    kept = bootstrap(kept_share(values, chance), seed)
    if not kept.n:
        return MethodVerdict(
            method, UNDECIDED, kept, "no image has a map with several values and finite scores in half of the steps"
        )
    if kept.n == 1:
        return MethodVerdict(method, UNDECIDED, kept, "one image says nothing about others; give two or more")
    if chance > ALIKE:
        return MethodVerdict(method, UNDECIDED, kept, f"maps of different images are alike already ({chance:.2f})")
    found = CHANGES if kept.high < CHANGES_BELOW else HARDLY if kept.low > HARDLY_ABOVE else UNDECIDED
    if found in doubts:
        return MethodVerdict(method, UNDECIDED, kept, doubts[found])
    if found != UNDECIDED:
        return MethodVerdict(method, found, kept)
    why = f"{kept.low:.2f} to {kept.high:.2f} is not below {CHANGES_BELOW} and not above {HARDLY_ABOVE}"
    return MethodVerdict(method, UNDECIDED, kept, why)


def kept_share(values: Sequence[np.ndarray], chance: float) -> np.ndarray:
    """Return (s - c) / (1 - c) of each image, float64 [N].

    s: the mean similarity with the map of the intact net over the steps in which the upper half of the layers is drawn;
    c: `chance`, or 0 if it is negative or not known. NaN where fewer than half of these steps have a similarity. 1 is
    the same map, 0 is as far as that of another image. Without c, a pattern that all maps of a method have, such as the
    grid of strided convolutions, counts as kept.
    """
    steps = np.array(values[: (len(values) + 1) // 2])
    known = ~np.isnan(steps)
    means = np.where(known, steps, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    floor = 0.0 if np.isnan(chance) else min(max(chance, 0.0), 1 - 1e-9)
    return np.where(2 * known.sum(axis=0) >= len(steps), (means - floor) / (1 - floor), np.nan)
