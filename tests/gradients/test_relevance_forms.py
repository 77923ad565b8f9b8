"""One layer in the forms in which programs write it has one relevance."""

from __future__ import annotations

import numpy as np
import pytest
from relevance_nets import imported, norm, relevance_in

from gradcam_tf1.gradients.relevance import RelevanceComposite
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(0)
X = RANDOM.uniform(0.2, 1.5, (2, 4, 4, 3)).astype(np.float32) * np.float32([1, -1, 1])
KERNEL, HEAD = RANDOM.randn(3, 3, 3, 3).astype(np.float32), RANDOM.randn(3, 3).astype(np.float32)
SHIFT = np.float32([0.5, -0.25, 1.0])
GAMMA, BETA, MEAN, VARIANCE = (np.float32(row) for row in ([2, 1, -1], [0.1, 0.2, 0.3], [1, 0, -1], [1, 4, 0.25]))
FACTOR = GAMMA / np.sqrt(VARIANCE + 1e-3)


def plain(a):
    """What follows the convolution: a bias, and a batch norm."""
    return norm(a + SHIFT, GAMMA, BETA, MEAN, VARIANCE)


def channels_first(a):
    a = tf.nn.bias_add(tf.transpose(a, [0, 3, 1, 2]), SHIFT, data_format="NCHW")
    mean, factor, beta = (row.astype(np.float32)[:, None, None] for row in (MEAN, FACTOR, BETA))
    return tf.transpose((a - mean) * factor + beta, [0, 2, 3, 1])


def cast(a):
    return tf.cast(norm(tf.cast(a + SHIFT, tf.float32), GAMMA, BETA, MEAN, VARIANCE), tf.float16)


def net(follow, dtype=tf.float32):
    def build(x):
        a = tf.nn.conv2d(tf.cast(x, dtype), KERNEL.astype(dtype.as_numpy_dtype), [1] * 4, "SAME")
        a = tf.reduce_sum(tf.nn.relu(follow(a)), [1, 2])
        return tf.cast(tf.matmul(a, HEAD.astype(dtype.as_numpy_dtype)), tf.float32)

    return imported(build, (None, 4, 4, 3))


@pytest.mark.parametrize("rule", ["zplus", "gamma"])
@pytest.mark.parametrize(("follow", "dtype", "close"), [(channels_first, "float32", 1e-4), (cast, "float16", 2e-2)])
def test_what_is_moved_or_cast_before_its_bias_is_one_layer(follow, dtype, close, rule):
    how = RelevanceComposite(rule, rule)
    expected, score, _ = relevance_in(net(plain), X, how)
    found, same_score, _ = relevance_in(net(follow, tf.as_dtype(dtype)), X, how)
    np.testing.assert_allclose(same_score, score, rtol=close, atol=close)
    np.testing.assert_allclose(found, expected, atol=close * np.abs(expected).max())


@pytest.mark.parametrize("rule", ["zplus", "gamma", "epsilon"])
@pytest.mark.parametrize("turned", [False, True])
def test_groups_that_are_joined_before_their_bias_are_one_layer(rule, turned):
    """As AlexNet has them: the same as one convolution whose kernel is 0 from one group to the other."""
    whole = np.zeros((3, 3, 3, 3), np.float32)
    whole[:, :, :2, :1], whole[:, :, 2:, 1:] = KERNEL[:, :, :2, :1], KERNEL[:, :, 2:, 1:]

    def one(x):
        return tf.nn.conv2d(x, whole, [1] * 4, "SAME")

    def joined(x):
        parts = (
            tf.nn.conv2d(x[..., :2], whole[:, :, :2, :1], [1] * 4, "SAME"),
            tf.nn.conv2d(x[..., 2:], whole[:, :, 2:, 1:], [1] * 4, "SAME"),
        )
        if not turned:
            return tf.concat(parts, -1)
        return tf.transpose(tf.concat([tf.transpose(each, [0, 3, 1, 2]) for each in parts], 1), [0, 2, 3, 1])

    how = RelevanceComposite(rule, rule)
    expected, found = (
        relevance_in(
            imported(lambda x, c=c: tf.matmul(tf.reduce_sum(tf.nn.relu(plain(c(x))), [1, 2]), HEAD), X.shape), X, how
        )[0]
        for c in (one, joined)
    )
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_a_batch_norm_of_features_and_a_convolution_is_a_layer_of_its_own():
    """As DenseNet has it: relevance of what is joined adds up to that of the batch norm."""

    def build(x):
        a = tf.nn.conv2d(x, KERNEL, [1] * 4, "SAME")
        both = tf.concat([tf.nn.relu(a), tf.nn.conv2d(a, KERNEL, [1] * 4, "SAME")], -1)
        ones = np.ones(6, np.float32)
        both = norm(both, ones, ones * 0, ones * 0, ones)
        return tf.matmul(tf.reduce_sum(both, [1, 2]), np.concatenate([HEAD, HEAD]))

    exact = RelevanceComposite("epsilon", "epsilon")
    found, score, _ = relevance_in(imported(build, X.shape), X, exact)
    np.testing.assert_allclose(found.sum((1, 2, 3)), score, rtol=1e-3)


@pytest.mark.parametrize("rule", ["zplus", "alpha_beta", "flat"])
def test_nothing_overflows_in_half_precision_where_a_sum_is_zero(rule):
    """Black pixels with a bias: R / (0 + epsilon) is beyond float16, and infinity times 0 no number."""

    def scaled(a):
        return tf.nn.avg_pool(tf.nn.relu(a + SHIFT.astype(a.dtype.as_numpy_dtype)), [1, 2, 2, 1], [1] * 4, "SAME")

    images = X * (np.arange(4) < 1).astype(np.float32)[:, None, None]
    how = RelevanceComposite(rule, rule)
    expected = relevance_in(net(scaled), images, how)[0]
    found = relevance_in(net(scaled, tf.float16), images, how)[0]
    np.testing.assert_allclose(found, expected, atol=2e-2 * np.abs(expected).max())
