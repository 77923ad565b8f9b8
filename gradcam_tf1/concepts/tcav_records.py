"""What a test with concept activation vectors found."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Tuple

import numpy as np
from scipy import stats

LEAST_ACCURACY = 0.7  # of the vectors on held-out images; 0.5 is chance
LEVEL = 0.05
_PERMUTATIONS = 9999
SIGNIFICANT, NOT_SIGNIFICANT, NO_CONCEPT = "significant", "not significant", "no concept"


@dataclass(frozen=True, eq=False)
class ClassSensitivity:
    """How a class depends on a concept.

    Attributes
    ----------
    class_id : int
        The class.
    label : str
        Its name, else "class 3".
    scores : np.ndarray
        float64 [R]: the TCAV score of each vector of the concept, the share of images whose logit rises along it.
    random_scores : np.ndarray
        float64 [Q]: the same of vectors between random sets.
    p : float
        Two-sided probability that both have the same mean, times the number of classes (Bonferroni), at most 1: the
        larger one of Welch's t-test and of a permutation test.
    verdict : {"significant", "not significant", "no concept"}
        "significant" if p < 0.05; "no concept" if the vectors tell held-out images apart in less than 70 %.
    """

    class_id: int
    label: str
    scores: np.ndarray
    random_scores: np.ndarray
    p: float
    verdict: str

    @property
    def score(self) -> float:
        """The mean of `scores`."""
        return float(self.scores.mean())

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        random = {"random_score": float(self.random_scores.mean()), "random_spread": float(self.random_scores.std())}
        return {**vars(self), "score": self.score, **random}


@dataclass(frozen=True, eq=False)
class Tcav:
    """The result of `tcav`.

    Attributes
    ----------
    layer : str
        The layer.
    classes : tuple of ClassSensitivity
        One for each class that was asked for.
    accuracies : np.ndarray
        float64 [R]: share of held-out images on the right side of each vector's plane, half of each kind.
    size : int
        Positive and negative images behind each vector.
    counts : mapping
        Number of images by role: "images", "positive", "negative".
    vectors : np.ndarray
        float64 [R, D]: the vectors of the concept.
    failed : mapping
        Name of each image that was left out, with the reason.
    settings : mapping
        Everything that changes a number.
    page : str
        Path of the page; "" if nothing was written.
    """

    layer: str
    classes: Tuple[ClassSensitivity, ...]
    accuracies: np.ndarray
    size: int
    counts: Mapping[str, int]
    vectors: np.ndarray
    failed: Mapping[str, str]
    settings: Mapping[str, Any]
    page: str = ""

    @property
    def accuracy(self) -> float:
        """The mean of `accuracies`."""
        return float(self.accuracies.mean())

    def as_json(self) -> Dict[str, Any]:
        """Return plain values."""
        return {
            **{"layer": self.layer, "classes": [each.as_json() for each in self.classes]},
            **{"accuracy": self.accuracy, "accuracies": self.accuracies, "vectors": len(self.accuracies)},
            "images_per_vector": self.size,
            **{"counts": dict(self.counts), "failed": dict(self.failed), "settings": dict(self.settings)},
        }


def probability_by_chance(scores: np.ndarray, random_scores: np.ndarray, tests: int) -> float:
    """Return the larger two-sided p of Welch's t-test and of a permutation test, times the number of tests, at most 1.

    Where the class depends on the layer almost linearly, a score is nearly always 0 or 1. Then a few vectors agree by
    chance, their scores have no variance, and the t-test takes that for certain; the permutation test does not.

    Parameters
    ----------
    scores, random_scores : np.ndarray
        float [R], float [Q].
    tests : int
        Number of classes that are tested together.
    """
    if scores.std() == 0 and random_scores.std() == 0:
        return 1.0  # no spread to compare with; all zero where the gradient vanishes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scores that are all the same
        p = float(stats.ttest_ind(scores, random_scores, equal_var=False).pvalue)
    return min(1.0, max(p, _by_permutation(scores, random_scores)) * tests)


def _by_permutation(scores: np.ndarray, random_scores: np.ndarray) -> float:
    """Return how often the means differ as much where the scores are dealt out at random."""
    together, count = np.concatenate([scores, random_scores]), len(scores)
    order = np.random.RandomState(0).uniform(size=(_PERMUTATIONS, len(together))).argsort(axis=1)
    dealt = together[order]
    apart = np.abs(dealt[:, :count].mean(axis=1) - dealt[:, count:].mean(axis=1))
    own = abs(scores.mean() - random_scores.mean())
    return float((1 + (apart >= own - 1e-12).sum()) / (1 + _PERMUTATIONS))


def verdict_of(p: float, accuracy: float) -> str:
    """Return the verdict, see `ClassSensitivity`."""
    if accuracy < LEAST_ACCURACY:
        return NO_CONCEPT
    return SIGNIFICANT if p < LEVEL else NOT_SIGNIFICANT
