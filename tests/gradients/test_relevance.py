"""Relevance against zennit and innvestigate on the same weights, and against what is known of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from relevance_nets import imported, relevance_in, twin_net
from relevance_weights import twin_images

from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.gradients.relevance_rules import Settings
from gradcam_tf1.tf_runtime import tf

STORED = np.load(Path(__file__).resolve().parents[1] / "data" / "relevance_twins.npz")

ZENNIT = {
    "epsilon": RelevanceComposite("epsilon", "epsilon"),
    "epsilon_large": RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=0.1)),
    "gamma": RelevanceComposite("gamma", "gamma"),
    "alpha_beta": RelevanceComposite("alpha_beta", "alpha_beta"),
    "zplus": RelevanceComposite("zplus", "zplus"),
    "alpha1_beta0": RelevanceComposite("alpha_beta", "alpha_beta", "same", Settings(alpha=1, beta=0)),
    "epsilon_plus_flat": RelevanceComposite("zplus", "epsilon", "flat"),
    "epsilon_alpha2_beta1": RelevanceComposite("alpha_beta", "epsilon"),
    "epsilon_gamma_box": RelevanceComposite("gamma", "epsilon", "zb"),
    "w2": RelevanceComposite("epsilon", "epsilon", "w2"),
    "deep_taylor": RelevanceComposite("zplus", "zplus", "zb"),
}
INNVESTIGATE = {
    "epsilon": RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=1e-7)),
    "z": RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=1e-7)),
    "alpha_2_beta_1": RelevanceComposite("alpha_beta", "alpha_beta"),
    "alpha_1_beta_0": RelevanceComposite("zplus", "zplus"),
    "sequential_preset_a_flat": RelevanceComposite("zplus", "epsilon", "flat", Settings(epsilon=0.1)),
}


@pytest.mark.parametrize("spelt_out", [False, True])
@pytest.mark.parametrize("name", ZENNIT)
def test_every_composite_is_that_of_zennit(name, spelt_out):
    found = relevance_in(twin_net(spelt_out), twin_images(), ZENNIT[name], bounds=(-3, 3))[0]
    expected = STORED[f"zennit_{name}"]
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("name", INNVESTIGATE)
def test_the_rules_are_those_of_innvestigate(name):
    """Without biases where it has alpha: there its sums have b+ and b- at once."""
    net = twin_net(biased=name in ("epsilon", "z"))
    found = relevance_in(net, twin_images(), INNVESTIGATE[name])[0]
    expected = STORED[f"innvestigate_{name}"]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


# What is known without a peer.


def bias_free(x):
    """Convolutions, ReLUs, both pools, a shortcut, a concat and a dense layer: y is homogeneous in x."""
    random = np.random.RandomState(3)
    a = tf.nn.relu(tf.nn.conv2d(x, kernel(random, 3, 3, 3, 4), [1, 2, 2, 1], "SAME"))
    b = tf.nn.relu(tf.nn.depthwise_conv2d_native(a, kernel(random, 3, 3, 4, 2), [1] * 4, "SAME"))
    c = tf.nn.max_pool(tf.concat([b, a], -1), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    d = c + tf.nn.relu(tf.nn.conv2d(c, kernel(random, 1, 1, 12, 12), [1] * 4, "SAME", dilations=[1, 1, 1, 1]))
    pooled = tf.reduce_mean(tf.pad(d, [[0, 0], [1, 0], [0, 1], [0, 0]]), [1, 2])
    return tf.matmul(pooled, kernel(random, 12, 4))


def kernel(random, *shape):
    return random.randn(*shape).astype(np.float32) * 0.4


def test_without_biases_and_epsilon_it_is_gradient_times_input_and_adds_up_to_the_score():
    images = np.random.RandomState(4).randn(3, 12, 10, 3).astype(np.float32)
    graph = imported(bias_free, (None, 12, 10, 3))
    how = RelevanceComposite("epsilon", "epsilon", "same", Settings(epsilon=0))
    found, score, product = relevance_in(graph, images, how)
    np.testing.assert_allclose(found, product, atol=2e-4 * np.abs(product).max())
    np.testing.assert_allclose(found.sum((1, 2, 3)), score, rtol=1e-3)


# alpha-beta keeps relevance only where each sum has summands of both signs
@pytest.mark.parametrize("rule", ["epsilon", "gamma", "zplus"])
@pytest.mark.parametrize("first", ["same", "flat", "w2", "zb"])
def test_every_rule_keeps_relevance_in_a_net_without_biases(rule, first):
    images = np.random.RandomState(4).randn(3, 12, 10, 3).astype(np.float32)
    graph = imported(bias_free, (None, 12, 10, 3))
    found, score, _ = relevance_in(graph, images, RelevanceComposite(rule, rule, first), bounds=(-5, 5))
    np.testing.assert_allclose(found.sum((1, 2, 3)), score, rtol=2e-3)
