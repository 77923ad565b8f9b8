"""Concept activation vectors: linear classifiers between two sets of features. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

LEAST_IMAGES = 5  # of each set, for one classifier
LEAST_VECTORS, MOST_VECTORS = 3, 12
_RANDOM_VECTORS = 50


@dataclass(frozen=True, eq=False)
class Direction:
    """A concept activation vector.

    Attributes
    ----------
    vector : np.ndarray
        float64 [D], of length 1: the normal of the plane between the two sets, towards the first one.
    accuracy : float
        Share of held-out features, half of each set, on the right side.
    """

    vector: np.ndarray
    accuracy: float


def fit_direction(positive: np.ndarray, negative: np.ndarray, others: Tuple[np.ndarray, np.ndarray]) -> Direction:
    """Fit a logistic regression with an L2 penalty.

    Parameters
    ----------
    positive, negative : np.ndarray
        float [N, D].
    others : tuple of np.ndarray
        The held-out features of both sets, for the accuracy.

    Returns
    -------
    Direction

    References
    ----------
    https://arxiv.org/abs/1711.11279
    """
    from sklearn.linear_model import LogisticRegression  # imported late: it takes a while

    rows = np.concatenate([positive, negative]).astype(np.float64)
    middle = rows.mean(axis=0)
    # the mean length becomes 1, so that the penalty means the same for all layers
    scale = np.sqrt(np.square(rows - middle).sum(axis=1).mean()) or 1.0
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    model = LogisticRegression(C=10.0, max_iter=1000).fit((rows - middle) / scale, labels)
    shares = [(model.predict((part - middle) / scale) == label).mean() for part, label in zip(others, (1, 0))]
    normal = model.coef_[0]
    return Direction(normal / (np.linalg.norm(normal) or 1.0), float(np.mean(shares)))


def concept_directions(positive: np.ndarray, negative: np.ndarray, seed: int) -> Tuple[List[Direction], int]:
    """Return directions of a concept, and the number of images of each set behind one.

    Each direction is fitted on images of its own: no two of them share an image, so that their scores are independent
    samples, which the t-test asks for.

    Parameters
    ----------
    positive, negative : np.ndarray
        float [N, D].
    seed : int
        Of the split.

    Raises
    ------
    OptionError
        If a set has fewer than 15 images.
    """
    least = min(len(positive), len(negative))
    if least < LEAST_VECTORS * LEAST_IMAGES:
        which = "positive" if len(positive) <= len(negative) else "negative"
        raise OptionError(
            f"the test needs {LEAST_VECTORS * LEAST_IMAGES} {which} images or more, and has {least}: "
            f"{LEAST_VECTORS} vectors of {LEAST_IMAGES} images each that share none; 60 make {MOST_VECTORS} vectors"
        )
    count = int(np.clip(least // LEAST_IMAGES, LEAST_VECTORS, MOST_VECTORS))
    size = least // count
    random = np.random.RandomState(seed)
    orders = [random.permutation(len(rows)) for rows in (positive, negative)]
    found = []
    for number in range(count):
        own = [order[number * size : (number + 1) * size] for order in orders]
        rest = (np.delete(positive, own[0], axis=0), np.delete(negative, own[1], axis=0))
        found.append(fit_direction(positive[own[0]], negative[own[1]], rest))
    return found, size


def random_directions(sets: Sequence[np.ndarray], size: int, seed: int) -> List[Direction]:
    """Return directions between two random sets of negative images, as many of each as the concept's have.

    Parameters
    ----------
    sets : sequence of np.ndarray
        float [N, D] of each negative folder; two random sets are of two folders if there are several.
    size : int
        Images of each random set; a single folder has twice as many or more.
    seed : int
        Of the draws.
    """
    random = np.random.RandomState(seed + 1)
    big = [rows for rows in sets if len(rows) >= size]
    found = []
    for _ in range(_RANDOM_VECTORS):
        if len(big) > 1:
            first, second = (big[n] for n in random.permutation(len(big))[:2])
            pair = [rows[random.permutation(len(rows))[:size]] for rows in (first, second)]
        else:
            rows = np.concatenate(list(sets))
            order = random.permutation(len(rows))
            pair = [rows[order[:size]], rows[order[size : 2 * size]]]
        found.append(fit_direction(pair[0], pair[1], (pair[0], pair[1])))
    return found
