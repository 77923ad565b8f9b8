"""A missing gradient is explained by the op that blocks it."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.derivatives import gradients
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.tf_runtime import tf


def net(block):
    """x - features - block - logits."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 4, 4, 3], name="x")
        features = tf.nn.relu(x, name="features")
        tf.identity(block(features), name="logits")
        tf.placeholder(tf.float32, [None, 4], name="elsewhere")
    return graph


def slope(graph, target="features:0"):
    with graph.as_default():
        return gradients(graph.get_tensor_by_name("logits:0"), [graph.get_tensor_by_name(target)])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (lambda a: tf.to_float(tf.argmax(tf.reduce_mean(a, [1, 2]), 1)), r"\(Cast\)|\(ArgMax\)"),
        (lambda a: tf.stop_gradient(tf.reduce_mean(a, [1, 2]), name="frozen"), r"stops at 'frozen' \(StopGradient\)"),
        (lambda a: tf.to_float(tf.reduce_mean(a, [1, 2], name="pooled") > 0.5), r"stops at"),
        (lambda a: tf.reshape(tf.floor(tf.reduce_mean(a, [1, 2])), [tf.shape(a)[0], 3]), r"\(Floor\).*bind 'Mean:0'"),
        (lambda a: tf.floor(tf.reduce_mean(a, [1, 2]), name="floored"), r"\(Floor\).*bind 'Mean:0'"),
    ],
)
def test_the_blocking_op_is_named(block, message):
    with pytest.raises(GradientError, match=message):
        slope(net(block))


def test_the_message_is_about_the_nets_own_ops():
    graph = net(lambda a: tf.stop_gradient(tf.reduce_mean(a, [1, 2]), name="frozen"))
    with GradCamGraph(graph.as_graph_def(), input="x", logits="logits", layer="features", preset="raw") as ours:
        message = r"from 'logits:0' to 'features:0' stops at 'frozen' \(StopGradient\).*bind 'Mean:0'"
        with pytest.raises(GradientError, match=message):
            ours.explain(np.zeros((4, 4, 3)))


def test_no_path_is_said_plainly():
    graph = net(lambda a: tf.reduce_mean(a, [1, 2]))
    with pytest.raises(GradientError, match="'logits:0' does not depend on 'elsewhere:0'"):
        slope(graph, "elsewhere:0")
