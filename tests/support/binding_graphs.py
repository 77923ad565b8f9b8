"""Graphs in the style people wrote them in, small and frozen, for the tests of binding."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from gradcam_tf1.binding.bind_graph import bind
from gradcam_tf1.tf_runtime import tf


def weights(*shape: int, seed: int = 0) -> Any:
    """A constant of small random numbers."""
    values = np.random.RandomState(seed).randn(*shape) * 0.1
    return tf.constant(values.astype(np.float32))


def images(*shape: Optional[int], name: str = "input", dtype: Any = None) -> Any:
    return tf.placeholder(dtype or tf.float32, shape or [None, 16, 16, 3], name=name)


def conv(x: Any, filters: int, kernel: int = 3, inputs: int = 3, name: str = "conv", padding: str = "SAME") -> Any:
    """Convolution and bias under one scope."""
    with tf.name_scope(name):
        return tf.nn.bias_add(
            tf.nn.conv2d(x, weights(kernel, kernel, inputs, filters), [1, 1, 1, 1], padding), weights(filters)
        )


def conv_relu(x: Any, filters: int, kernel: int = 3, inputs: int = 3, name: str = "conv", padding: str = "SAME") -> Any:
    linear = conv(x, filters, kernel, inputs, name, padding)
    return tf.nn.relu(linear, name=f"{name}/Relu")


def dense(x: Any, units: int, inputs: int, name: str = "dense") -> Any:
    with tf.name_scope(name):
        return tf.nn.bias_add(tf.matmul(x, weights(inputs, units)), weights(units))


def pooled(x: Any, name: str = "gap") -> Any:
    return tf.reduce_mean(x, [1, 2], name=name)


def batch_norm(x: Any, channels: int, training: bool = False, name: str = "bn") -> Any:
    mean, variance = (None, None) if training else (weights(channels), tf.ones([channels]))
    return tf.nn.fused_batch_norm(
        x, tf.ones([channels]), weights(channels), mean, variance, is_training=training, name=name
    )[0]  # fmt: skip


def branches(training: Any, x: Any, at_training: Any, at_inference: Any) -> Any:
    """tf.cond as TensorFlow 1 writes it into graphs, on both runtimes: Switch and Merge."""
    unused, used = tf.raw_ops.Switch(data=x, pred=training)
    return tf.raw_ops.Merge(inputs=[at_inference(unused), at_training(used)])[0]


def two_layers(x: Any, inputs: int = 3) -> Any:
    """conv1, conv2 with ReLU: [N, 16, 16, 8]."""
    return conv_relu(conv_relu(x, 4, inputs=inputs, name="conv1"), 8, inputs=4, name="conv2")


def classifier(x: Any, classes: int = 5, inputs: int = 3) -> Any:
    """conv1, conv2, global pooling, dense: logits 'dense/BiasAdd:0', probabilities 'prob:0'."""
    return tf.nn.softmax(dense(pooled(two_layers(x, inputs)), classes, 8), name="prob")


def finish(features: Any, channels: int = 8) -> Any:
    """Mean over the positions and five class scores."""
    return dense(pooled(features), 5, channels)


def bound(graph: Any, **options: Any) -> Tuple[str, Optional[str]]:
    """Names of the scores and of the probabilities that `bind` finds."""
    binding = bind(graph, **options)
    return binding.logits, binding.probabilities
