"""The weights and images of the net that zennit and innvestigate explained; numpy alone, for their script."""

from __future__ import annotations

from typing import Dict

import numpy as np

EPSILON = 1e-3  # of the batch norm


def twin_weights(biased: bool = True) -> Dict[str, np.ndarray]:
    """Seeded weights: conv1 without a bias and a batch norm with factors of both signs, conv2, dense1, dense2."""
    random = np.random.RandomState(7)
    made = {
        "conv1_kernel": random.randn(3, 3, 3, 6) * 0.3,
        "gamma": np.array([1.2, -0.8, 0.5, 1.0, -1.5, 0.9]),
        "beta": random.randn(6) * 0.2,
        "mean": random.randn(6) * 0.3,
        "variance": random.rand(6) + 0.5,
        "conv2_kernel": random.randn(3, 3, 6, 6) * 0.2,
        "conv2_bias": random.randn(6) * 0.2,
        "dense1_kernel": random.randn(6, 8) * 0.4,
        "dense1_bias": random.randn(8) * 0.2,
        "dense2_kernel": random.randn(8, 4) * 0.5,
        "dense2_bias": random.randn(4) * 0.2,
    }
    shifts = ("beta", "mean", "conv2_bias", "dense1_bias", "dense2_bias") if not biased else ()
    return {name: (value * (name not in shifts)).astype(np.float32) for name, value in made.items()}


def twin_images() -> np.ndarray:
    """float32 [2, 9, 9, 3] within -3..3."""
    return np.clip(np.random.RandomState(8).randn(2, 9, 9, 3), -3, 3).astype(np.float32)


def folded(weights: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """The same with the batch norm in the first convolution."""
    factor = weights["gamma"].astype(np.float64) / np.sqrt(weights["variance"].astype(np.float64) + EPSILON)
    first = {"conv1_kernel": weights["conv1_kernel"] * factor, "conv1_bias": weights["beta"] - weights["mean"] * factor}
    return {**weights, **{name: value.astype(np.float32) for name, value in first.items()}}
