"""The first batch norm: found in its forms, and its distance as the divergence of normal distributions."""

from __future__ import annotations

import numpy as np
import pytest
from device_nets import cpus

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.diagnosis.norm_records import NormRecord, first_norm
from gradcam_tf1.tf_runtime import tf

DRAW = np.random.RandomState(0)
MEAN, VARIANCE = DRAW.randn(4).astype(np.float32), DRAW.uniform(0.5, 2, 4).astype(np.float32)
GAMMA, BETA = DRAW.uniform(0.5, 2, 4).astype(np.float32), DRAW.randn(4).astype(np.float32)
KERNEL = DRAW.randn(3, 3, 3, 4).astype(np.float32)


def fused(x):
    return tf.nn.fused_batch_norm(x, GAMMA, BETA, MEAN, VARIANCE, is_training=False)[0]


def spelled_out(x):
    return tf.nn.batch_normalization(x, *map(tf.constant, (MEAN, VARIANCE, BETA, GAMMA)), 1e-3)


def without_gamma(x):
    return tf.nn.batch_normalization(x, *map(tf.constant, (MEAN, VARIANCE, BETA)), None, 1e-3)


def training(x):
    return tf.nn.fused_batch_norm(x, GAMMA, BETA, is_training=True)[0]


def scaled(x):
    return x * GAMMA + BETA


def opened(norm):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.relu(norm(tf.nn.conv2d(x, KERNEL, [1, 1, 1, 1], "SAME", name="conv")))
        tf.matmul(tf.reduce_mean(features, [1, 2]), DRAW.randn(4, 3).astype(np.float32), name="logits")
    return GradCamGraph(graph.as_graph_def(), preset="raw", config=cpus())


@pytest.mark.parametrize("norm", [fused, spelled_out, without_gamma])
def test_its_record_is_found(norm):
    with opened(norm) as net:
        record = first_norm(net.graph, net.binding)
    assert record.tensor == "conv:0"
    np.testing.assert_allclose(record.mean, MEAN)
    np.testing.assert_allclose(record.variance, VARIANCE)


@pytest.mark.parametrize("norm", [training, scaled])
def test_there_is_no_record(norm):
    with opened(norm) as net:
        assert first_norm(net.graph, net.binding) is None


def test_the_distance_is_the_divergence_of_normal_distributions():
    """Against the mean of log p - log q over many draws of p, and exactly 0 for p = q."""
    record = NormRecord("x:0", np.array([1.0]), np.array([4.0]))
    drawn = np.random.RandomState(1).normal(3, 1, 400_000)
    log_p = -0.5 * (drawn - 3) ** 2
    log_q = -0.5 * (drawn - 1) ** 2 / 4 - np.log(2)
    found = record.distance(np.array([3.0]), np.array([10.0]))
    assert found == pytest.approx((log_p - log_q).mean(), abs=0.005)
    assert record.distance(np.array([1.0]), np.array([5.0])) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("last", [True, False])
def test_moments_are_those_of_each_image(last):
    features = np.random.RandomState(2).randn(3, 5, 6, 4).astype(np.float32)
    mean, square = NormRecord("x:0", MEAN, VARIANCE, last).moments(features if last else np.moveaxis(features, -1, 1))
    np.testing.assert_allclose(mean, features.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(square, (features**2).mean((1, 2)), rtol=1e-5)
