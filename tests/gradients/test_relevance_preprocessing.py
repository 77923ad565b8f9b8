"""Arithmetic before the first layer with weights: relevance passes it, and the bounds of the images go through it."""

from __future__ import annotations

import numpy as np
from relevance_nets import imported, relevance_in

from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.relevance_rules import Settings
from gradcam_tf1.tf_runtime import tf

EXACT = RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=0))
EYE = np.eye(3, dtype=np.float32)[None, None]
HEAD = np.random.RandomState(1).randn(3, 3).astype(np.float32)


def test_preprocessing_in_the_graph_hands_relevance_down_unchanged():
    def build(x):
        a = (x - np.float32([100, 110, 120])) * np.float32(0.01)
        return tf.matmul(tf.reduce_sum(tf.nn.conv2d(a, EYE, [1] * 4, "SAME"), [1, 2]), HEAD)

    images = np.random.RandomState(3).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    found, score, _ = relevance_in(imported(build, (None, 4, 4, 3)), images, EXACT)
    expected = (images.astype(np.float64) - [100, 110, 120]) * 0.01 * HEAD[:, 2]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found.sum((1, 2, 3)), score, rtol=1e-4)


def test_the_bounds_of_zb_go_through_the_preprocessing():
    """One convolution of one weight per channel, in float64."""
    w = np.float32([[[[1.0, -0.5, 0.2], [0.3, 0.8, -1.0], [-0.6, 0.1, 0.4]]]])

    def build(x):
        return tf.matmul(tf.reduce_sum(tf.nn.conv2d(100 - x, w, [1] * 4, "SAME"), [1, 2]), HEAD)

    images = np.random.RandomState(3).uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)
    found = relevance_in(imported(build, (None, 4, 4, 3)), images, EXACT._replace(first="zb"), bounds=(0, 255))[0]
    x, w64 = 100 - images.astype(np.float64), w[0, 0].astype(np.float64)
    low, high = 100 - 255.0, 100.0
    parts = x[..., None] * w64 - low * np.maximum(w64, 0) - high * np.minimum(w64, 0)
    relevance = (x @ w64) * HEAD[:, 2]
    expected = (parts / parts.sum(-2, keepdims=True) * relevance[..., None, :]).sum(-1)
    np.testing.assert_allclose(found, expected, atol=1e-3)
