"""Sobol indices and HSIC: how much the score depends on each part, when all are hidden more or less at random."""

from __future__ import annotations

from typing import Any, Iterator

import numpy as np

from gradcam_tf1.methods.mask_sampler import MaskSampler, row_chunks, same_scores

# distances are taken between no more scores than these
_MANY = 2000


def sobol(sampler: MaskSampler, *, samples: int, seed: int) -> np.ndarray:
    """S_i = sum_j (y(a_j) - y(c_ij))^2 / (2 N V), the total Sobol index of part i by Jansen's estimator.

    a_j and b_j, j = 1..N, are points of [0, 1]^P that say how much of each part is shown, c_ij is a_j with the value
    of part i from b_j, and V the variance of y(a_j). S_i is the share of the variance that is lost where part i is
    kept as it is, so interactions count fully for each part in them. It has no sign.

    Parameters
    ----------
    sampler : MaskSampler
        Has the image and its P parts.
    samples : int
        N. The points are a Latin hypercube.
    seed : int
        Of the points.

    Returns
    -------
    np.ndarray
        S, float64 [P, T], at least 0.

    Raises
    ------
    OptionError
        If the points do not fit in memory.

    References
    ----------
    Sobol attribution, https://arxiv.org/abs/2111.04138; Jansen 1999, https://doi.org/10.1016/S0010-4655(98)00154-4
    """
    sampler.check_samples(samples, 2 * sampler.players * (1 + sampler.targets))
    points = latin_hypercube(samples, 2 * sampler.players, seed)
    first, second = points[:, : sampler.players], points[:, sampler.players :]
    scores = sampler.scores(first)
    exchanged = sampler.scores(_exchanged(first, second)).reshape((sampler.players, *scores.shape))
    return total_indices(scores, exchanged)


def total_indices(scores: np.ndarray, exchanged: np.ndarray) -> np.ndarray:
    """Return Jansen's estimate of scores [N, T] and exchanged [P, N, T], 0 where the scores are equal: [P, T]."""
    variances = [np.inf if same_scores(each) else each.var(ddof=1) for each in scores.T]
    return np.asarray(((exchanged - scores) ** 2).mean(axis=1) / 2 / np.array(variances))


def _exchanged(first: np.ndarray, second: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for each part the points `first` with its value from `second`: float32 [P]."""
    for player in range(first.shape[1]):
        for point, other in zip(first, second):
            changed = point.copy()
            changed[player] = other[player]
            yield changed


def sobol_runs(players: int, *, samples: int, **_others: Any) -> int:
    """Return N for the points, and N for each part."""
    return samples * (players + 1)


def latin_hypercube(samples: int, axes: int, seed: int) -> np.ndarray:
    """Return points of which each N-th of each axis holds one: float32 [N, axes], 0..1."""
    random = np.random.RandomState(seed)
    places = random.random_sample((samples, axes)).argsort(axis=0)
    points = random.random_sample((samples, axes))
    points += places
    points /= samples
    return points.astype(np.float32)


def hsic(sampler: MaskSampler, *, samples: int, seed: int) -> np.ndarray:
    """tr(K_i H L H) / (N - 1)^2, how much the score depends on whether part i is shown; H = 1 - 1/N.

    K_i(a, b) = 1 where part i is shown in both masks or in none, else 0; L(a, b) = exp(-(y_a - y_b)^2 / (2 s^2)), s
    the median of the distances |y_a - y_b|. Each part is shown in half of the masks. It has no sign.

    Parameters
    ----------
    sampler : MaskSampler
        Has the image and its P parts.
    samples : int
        N, the number of masks, drawn as a Latin hypercube and rounded.
    seed : int
        Of the masks.

    Returns
    -------
    np.ndarray
        float64 [P, T], at least 0.

    Raises
    ------
    OptionError
        If the masks do not fit in memory.

    References
    ----------
    HSIC attribution, https://arxiv.org/abs/2206.06219
    """
    sampler.check_samples(samples, sampler.players)
    shown = latin_hypercube(samples, sampler.players, seed) >= 0.5
    scores = sampler.scores(shown)
    return np.stack([dependence(shown, each) for each in scores.T], axis=1)


def dependence(shown: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return HSIC of each column of shown [N, P] with scores [N], 0 where these are equal: float64 [P]."""
    if same_scores(scores):
        return np.zeros(shown.shape[1])
    width = _median_distance(scores)
    # K_i is 1/2 + z z' / 2 for z = -1 (hidden) or 1 (shown), and H takes the constant away
    signs = np.where(shown, 1.0, -1.0)
    signs -= signs.mean(axis=0)
    total = np.zeros(shown.shape[1])
    for rows in row_chunks(len(scores), len(scores)):
        kernel = np.exp(-(((scores[rows, np.newaxis] - scores) / width) ** 2) / 2)
        total += (signs[rows] * (kernel @ signs)).sum(axis=0)
    return total / 2 / (len(scores) - 1) ** 2


def _median_distance(scores: np.ndarray) -> float:
    """Return the median of the distances between the scores; their standard deviation where it is 0."""
    some = np.sort(scores)[:: -(-len(scores) // _MANY)]
    distances = (some[:, np.newaxis] - some)[np.triu_indices(len(some), 1)]
    return float(np.median(np.abs(distances))) or float(scores.std())


def hsic_runs(_players: int, *, samples: int, **_others: Any) -> int:
    """Return 1 for each mask."""
    return samples
