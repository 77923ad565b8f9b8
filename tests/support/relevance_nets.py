"""Nets for relevance, and the relevance that the package hands down in them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator, Tuple

import numpy as np
from relevance_weights import EPSILON, twin_weights

from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.gradients.gradient_path import net_outputs
from gradcam_tf1.gradients.relevance import RelevanceComposite, relevances, start_of
from gradcam_tf1.gradients.relevance_path import RelevancePath
from gradcam_tf1.tf_runtime import tf


def imported(build: Callable[[tf.Tensor], tf.Tensor], shape: Tuple[Any, ...]) -> tf.Graph:
    """A net "input" -> "logits" as the package imports it."""
    net = tf.Graph()
    with net.as_default():
        tf.identity(build(tf.placeholder(tf.float32, shape, name="input")), name="logits")
    return import_graph(net.as_graph_def(), "net")


def norm(a: tf.Tensor, *numbers: np.ndarray, data_format: str = "NHWC") -> tf.Tensor:
    """A fused batch norm in inference: gamma, beta, mean, variance."""
    return tf.nn.fused_batch_norm(a, *numbers, epsilon=EPSILON, is_training=False, data_format=data_format)[0]


@contextmanager
def control_flow(functional: bool) -> Iterator[None]:
    """Let `tf.cond` make an If op, or Switch and Merge; afterwards it does what it did."""
    switches = {True: tf.enable_control_flow_v2, False: tf.disable_control_flow_v2}
    before = tf.control_flow_v2_enabled()
    switches[functional]()
    try:
        yield
    finally:
        switches[before]()


def conditional(a: tf.Tensor, functional: bool) -> tf.Tensor:
    """2 a where the sum of a is above 0, else -a: as an If op, or of Switch and Merge."""
    with control_flow(functional):
        return tf.cond(tf.reduce_sum(a) > 0, lambda: 2 * a, lambda: -a)


def twin_net(spelt_out: bool = False, biased: bool = True) -> tf.Graph:
    """The net of `relevance_weights`: conv, batch norm, pool, a shortcut, mean, two dense layers."""
    w = twin_weights(biased)

    def build(x: tf.Tensor) -> tf.Tensor:
        a = tf.nn.conv2d(x, w["conv1_kernel"], [1, 1, 1, 1], "VALID")
        numbers = [w[name] for name in ("gamma", "beta", "mean", "variance")]
        if spelt_out:
            factor = tf.rsqrt(tf.constant(numbers[3]) + EPSILON) * numbers[0]
            a = a * factor + (numbers[1] - numbers[2] * factor)
        else:
            a = norm(a, *numbers)
        a = tf.nn.max_pool(tf.nn.relu(a), [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        b = tf.nn.bias_add(tf.nn.conv2d(a, w["conv2_kernel"], [1, 1, 1, 1], "SAME"), w["conv2_bias"])
        a = tf.nn.avg_pool(tf.nn.relu(b + a), [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
        a = tf.reshape(a, [-1, 6])
        a = tf.nn.relu(tf.matmul(a, w["dense1_kernel"]) + w["dense1_bias"])
        return tf.nn.bias_add(tf.matmul(a, w["dense2_kernel"]), w["dense2_bias"])

    return imported(build, (None, 9, 9, 3))


def relevance_in(
    graph: tf.Graph, images: np.ndarray, how: RelevanceComposite, class_id: int = 2, bounds: Any = None
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(relevance of the images, the score [N], x dy/dx) of one class."""
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, logits = graph.get_tensor_by_name("input:0"), graph.get_tensor_by_name("logits:0")
        with tf.name_scope("gradcam_tf1"):
            score = logits[:, class_id]
        outputs = [logits] if net_outputs(score) != [logits] else net_outputs(score)
        if bounds is not None:
            low, high = (tf.fill(tf.shape(x), np.float32(end)) for end in bounds)
            how = how._replace(settings=how.settings._replace(low=low, high=high))
        found = relevances(RelevancePath(outputs, x), outputs, start_of(score, outputs), [x], how)[0]
        return tuple(sess.run([found, score, x * tf.gradients(score, x)[0]], {x: images}))
