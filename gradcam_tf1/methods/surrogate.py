"""LIME: a linear model of the score near the image, of which parts are shown."""

from __future__ import annotations

from typing import Any, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.mask_sampler import MaskSampler, random_sets, row_chunks, same_scores

MOST_FITTED = 4000  # parts: a matrix of 128 MB, half a minute


def lime(sampler: MaskSampler, *, samples: int, width: float, ridge: float, seed: int) -> np.ndarray:
    """min_w,b sum_z k(z) (y(z) - b - w . z)^2 + ridge |w|^2, k(z) = exp(-(D(z) / width)^2).

    z in {0, 1}^P says which parts are shown: all of them in the first sample, in the others a number drawn evenly from
    1..P, which ones at random. D(z) = 1 - sqrt(sum z / P) is the cosine distance to the whole image. The notes say how
    well the linear model describes the samples.

    Parameters
    ----------
    sampler : MaskSampler
        Has the image and its P parts.
    samples : int
        Number of z.
    width : float
        Distance at which the weight of a sample is 1 / e.
    ridge : float
        Pulls w to 0; the bias b is free.
    seed : int
        Of the samples.

    Returns
    -------
    np.ndarray
        w, float64 [P, T], signed.

    Raises
    ------
    OptionError
        If the samples do not determine w, or there are too many of them or of the parts.

    References
    ----------
    LIME, https://arxiv.org/abs/1602.04938
    """
    sampler.check_samples(samples, sampler.players)
    check_fitted(sampler.players)
    shown = near_samples(sampler.players, samples, seed)
    weights = np.exp(-(((1 - np.sqrt(shown.mean(axis=1))) / width) ** 2))
    values, fits = weighted_ridge(shown, weights, sampler.scores(shown), ridge)
    for target, fit in enumerate(fits):
        sampler.note(
            target, f"the linear model of {sampler.players} parts explains {fit:.1%} of the variance of the samples"
        )
    return values


def near_samples(players: int, samples: int, seed: int) -> np.ndarray:
    """Return which parts are shown: bool [M, P], all of them in the first row."""
    random = np.random.RandomState(seed)
    numbers = random.randint(1, players + 1, samples)
    numbers[0] = players
    return random_sets(random, numbers, players)


def check_fitted(players: int) -> None:
    """Refuse more parts than a linear model can be fitted to: its time is their number cubed. Raises OptionError."""
    if players > MOST_FITTED:
        raise OptionError(f"a linear model of {players} parts takes too long; give at most {MOST_FITTED} by count")


def weighted_products(shown: np.ndarray, weights: np.ndarray, outputs: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return Z^T W Z [P, P] and Z^T W Y [P, T] of Z = shown - its weighted mean [M, P], in bounded memory."""
    share = weights / weights.sum()
    means = sum(share[rows] @ shown[rows] for rows in row_chunks(*shown.shape))
    square, product = np.zeros((shown.shape[1],) * 2), np.zeros((shown.shape[1], outputs.shape[1]))
    for rows in row_chunks(*shown.shape):
        inputs = shown[rows] - means
        weighted = inputs.T * weights[rows]
        square += weighted @ inputs
        product += weighted @ outputs[rows]
    return square, product


def weighted_ridge(
    shown: np.ndarray, weights: np.ndarray, scores: np.ndarray, ridge: float
) -> Tuple[np.ndarray, np.ndarray]:
    """Fit scores [M, T] by a bias and shown [M, P], weighted [M].

    Returns
    -------
    tuple
        The slopes, float64 [P, T], and the share of the weighted variance that the fit explains, [T]; 1 where
        there is none.

    Raises
    ------
    OptionError
        If the samples do not determine the slopes.
    """
    share = weights / weights.sum()
    outputs = scores - share @ scores
    square, product = weighted_products(shown, weights, outputs)
    matrix = square + ridge * np.eye(shown.shape[1])
    if np.linalg.matrix_rank(matrix, hermitian=True) < len(matrix):
        raise OptionError(
            f"{len(shown)} samples do not tell {shown.shape[1]} parts apart: give more samples, fewer parts by count, "
            "a larger width, or a ridge above 0"
        )
    slopes = np.linalg.solve(matrix, product)
    fitted = np.concatenate([shown[rows] @ slopes for rows in row_chunks(*shown.shape)])
    left = share @ (outputs + share @ fitted - fitted) ** 2
    variances = share @ outputs**2
    spread = np.array([np.inf if same_scores(each) else variance for each, variance in zip(scores.T, variances)])
    if not spread.all():
        raise OptionError("only the image itself has any weight, no sample with a part hidden; give a larger width")
    return slopes, 1 - left / spread


def lime_runs(_players: int, *, samples: int, **_others: Any) -> int:
    """Return 1 for each sample."""
    return samples
