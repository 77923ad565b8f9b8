"""A small net on several devices; a session configuration with several CPUs stands for several GPUs."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.graphdef.large_constants import MIN_BYTES
from gradcam_tf1.tf_runtime import tf

SIDE = 8
TWO = ("/cpu:1", "/cpu:2")  # what is nowhere in particular would be on /cpu:0


def cpus(**options):
    return tf.ConfigProto(device_count={"CPU": 3}, **options)


def graph_def(change=lambda pooled, _x: pooled):
    """Pixels to -1..1 by arithmetic, convolution, ReLU, large dense layer, `change`, dense layer, softmax."""
    state = np.random.RandomState(0)
    width = MIN_BYTES // (SIDE * SIDE * 4 * 4)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, SIDE, SIDE, 3], name="input")
        scaled = x * (2.0 / tf.sqrt(tf.constant(255.0**2))) - tf.identity(1.0)
        kernel = state.randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(scaled, kernel, [1, 1, 1, 1], "SAME", name="conv"), name="features")
        large = tf.constant((state.randn(SIDE * SIDE * 4, width) / 16).astype(np.float32), name="kernel")
        hidden = tf.nn.relu(tf.matmul(tf.reshape(features, [-1, SIDE * SIDE * 4]), large, name="dense"))
        last = state.randn(width, 3).astype(np.float32) / 30
        tf.nn.softmax(tf.matmul(change(hidden, x), last, name="logits"), name="prob")
    return graph.as_graph_def()


class Counted:
    """Counts what a session runs."""

    def __init__(self, sess):
        self.runs = 0
        self._run, sess.run = sess.run, self
        sess.run_again = self

    def __call__(self, *args, **options):
        self.runs += 1
        return self._run(*args, **options)


def images(count=2):
    return np.random.RandomState(1).randint(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)


_PLAIN = ExplainOptions()


def explain_on(explainer, inputs, targets=None, methods="gradcam", score="logit", options=_PLAIN):
    """What the net on one device answers."""
    return explainer.explain(explainer.prepare(inputs), targets, methods, None, score, options)
