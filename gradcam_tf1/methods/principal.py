"""The first principal component of a layer's features, as a map."""

from __future__ import annotations

import numpy as np


def principal_map(features: np.ndarray) -> np.ndarray:
    """A v, with v the first right singular vector of the centred features A, and the sign of A's mean.

    Parameters
    ----------
    features : np.ndarray
        [h, w, K], with any number of spatial axes.

    Returns
    -------
    np.ndarray
        float64 [h, w]; NaN where the features are not finite, so that the map's status says why.
    """
    matrix = as_matrix(features)
    if not np.isfinite(matrix).all():
        return np.full(features.shape[:-1], np.nan)
    columns = centred(matrix)
    first = np.linalg.svd(columns, full_matrices=False)[2][0]
    return turned(columns @ first, matrix).reshape(features.shape[:-1])


def as_matrix(features: np.ndarray) -> np.ndarray:
    """Return [h, w, K] as float64 [positions, K]."""
    return features.reshape(-1, features.shape[-1]).astype(np.float64)


def centred(matrix: np.ndarray) -> np.ndarray:
    """Return the columns less their means; exactly zero where a column is constant, which rounding would hide."""
    return np.where(np.ptp(matrix, axis=0) == 0, 0.0, matrix - matrix.mean(axis=0))


def turned(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the values, or their negative, whichever correlates with the mean over the channels."""
    mean = matrix.mean(axis=1)
    return np.asarray(-values if values @ (mean - mean.mean()) < 0 else values)
