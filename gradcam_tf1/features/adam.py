"""Adam: steps uphill, each coefficient at its own rate. No TensorFlow here."""

from __future__ import annotations

from typing import Optional

import numpy as np

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # the rates of forgetting, and what keeps it from dividing by zero


class Adam:
    """Steps uphill, each coefficient at its own rate.

    Parameters
    ----------
    rate : float
        Learning rate.

    References
    ----------
    https://arxiv.org/abs/1412.6980
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._count = 0
        self._mean: Optional[np.ndarray] = None
        self._square: Optional[np.ndarray] = None

    def step(self, grads: np.ndarray) -> np.ndarray:
        """Return what is added to the coefficients."""
        if self._mean is None or self._square is None:
            self._mean, self._square = np.zeros_like(grads), np.zeros_like(grads)
        self._count += 1
        self._mean += (1 - _FIRST) * (grads - self._mean)
        self._square += (1 - _SECOND) * (grads * grads - self._square)
        bias = np.sqrt(1 - _SECOND**self._count) / (1 - _FIRST**self._count)
        # the tiny number is that of the paper's second form, on the scale of the gradients
        largest = np.sqrt(self._square.max(axis=tuple(range(1, grads.ndim)), keepdims=True))
        return np.asarray(self._rate * bias * self._mean / (np.sqrt(self._square) + _TINY * largest + 1e-30))
