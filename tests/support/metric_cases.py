"""Images of four pixels with scores that are known in closed form, and inputs of metrics made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.metrics.metric_row import MetricInput

WEIGHTS = np.array([[0.4, 0.1], [0.2, 0.3]])
ONES = np.ones((2, 2, 1), np.float32)
ZEROS = np.zeros((2, 2, 1), np.float32)


def linear(images: np.ndarray) -> np.ndarray:
    """sum_i w_i x_i over the pixels, 1 for the image of ones."""
    return np.sum(images[..., 0] * WEIGHTS, axis=(1, 2))


def constant(value: float) -> Any:
    return lambda images: np.full(len(images), value)


def metric_input(saliency: Any = WEIGHTS, score: Any = linear, **more: Any) -> MetricInput:
    """The image of ones and a baseline of zeros, of the map's size, unless others are given."""
    values = np.array(saliency)
    image = np.ones((*values.shape, 1), np.float32)
    given = {"image": image, "baseline": lambda name: np.zeros_like(image), **more}
    return MetricInput(saliency=values, placed=values, score=score, **given)
