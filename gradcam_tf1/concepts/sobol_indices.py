"""Total Sobol indices by Jansen's estimator: how much of a score's variance a concept takes part in."""

from __future__ import annotations

import warnings
from typing import Tuple

import numpy as np
from scipy.stats import qmc


def mask_design(concepts: int, designs: int, seed: int) -> Tuple[np.ndarray, np.ndarray]:
    """Return two independent sets of masks, scrambled Sobol points in 0..1, and the mixed ones.

    Parameters
    ----------
    concepts : int
        C.
    designs : int
        N, a power of two.
    seed : int
        Of the scrambling.

    Returns
    -------
    np.ndarray, np.ndarray
        A, float64 [N, C]; and A with column c of B, float64 [C, N, C].
    """
    sampler = qmc.Sobol(2 * concepts, scramble=True, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a number of points that is no power of two
        points = sampler.random(designs)
    first, second = points[:, :concepts], points[:, concepts:]
    mixed = np.repeat(first[np.newaxis], concepts, axis=0)
    for column in range(concepts):
        mixed[column, :, column] = second[:, column]
    return first, mixed


def total_indices(scores: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """S_c = mean((f(A) - f(A with column c of B))^2) / (2 Var f): Jansen's total Sobol index.

    Parameters
    ----------
    scores : np.ndarray
        float [N]: f(A).
    mixed : np.ndarray
        float [C, N]: f of the mixed masks.

    Returns
    -------
    np.ndarray
        float64 [C]; zero if the score does not vary.

    References
    ----------
    CRAFT, https://arxiv.org/abs/2211.10154
    Analysis of variance designs for model output, https://doi.org/10.1016/S0010-4655(98)00154-4
    """
    scores, mixed = np.asarray(scores, np.float64), np.asarray(mixed, np.float64)
    # all values of the score, since each mixed mask is a uniform point too
    variance = np.concatenate([scores[np.newaxis], mixed]).var()
    if not variance > 1e-12 * max(np.square(scores).mean(), 1e-30):
        return np.zeros(len(mixed))
    indices: np.ndarray = np.square(scores - mixed).mean(axis=1) / (2 * variance)
    return indices
