"""Nets with loops and conditions in them, as GraphDefs: images [N, 8, 8, 3] in 0..255, three classes."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np

from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(0)
KERNELS = [RANDOM.randn(3, 3, 3, width).astype(np.float32) * 0.3 for width in (4, 5)]
KERNELS[1] = RANDOM.randn(3, 3, 4, 5).astype(np.float32) * 0.3
DENSE = RANDOM.randn(5, 3).astype(np.float32)
PHOTOS = np.random.RandomState(1).randint(0, 255, (2, 8, 8, 3)).astype(np.uint8)


@contextmanager
def functional(wanted):
    """Loops and conditions of TensorFlow's second version inside, where `wanted`, else of the first."""
    had = tf.control_flow_v2_enabled()
    switch = {True: tf.enable_control_flow_v2, False: tf.disable_control_flow_v2}
    switch[wanted]()
    try:
        yield
    finally:
        switch[had]()


def bent(image):
    """Of one image, or of several without a loop."""
    mean = tf.reduce_mean(image, [-3, -2, -1], keepdims=True)
    return tf.nn.relu(image * 0.02 - 1) * image / 100 - mean / 200


def straight(x):
    return bent(x)


def mapped(x):
    return tf.ensure_shape(tf.map_fn(bent, x), [None, 8, 8, 3])


def turned_hue(x):
    """A loop without a gradient: the hue is turned before what has one."""

    def turned(image):
        return tf.exp(tf.image.adjust_hue(image / 255, 0.1) * 0.1) * image / 255

    return tf.ensure_shape(tf.map_fn(turned, x), [None, 8, 8, 3])


def turned_before(x):
    """The same before a loop that has a gradient."""
    return mapped(tf.image.adjust_hue(x / 255, 0.1) * 255)


def chosen(a):
    """Two branches, of which the first is taken."""
    return tf.cond(tf.reduce_mean(a) > -100, lambda: a * tf.sigmoid(a), lambda: tf.exp(a))


def loop_net(start=straight, v2=True, middle=chosen):
    """Images - start - conv, ReLU ("one") - middle - conv, ReLU ("two") - mean, dense - "logits"."""
    graph = tf.Graph()
    with graph.as_default(), functional(v2):
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
        a = tf.nn.relu(tf.nn.conv2d(start(x), KERNELS[0], [1, 1, 1, 1], "SAME"), name="one")
        a = tf.nn.relu(tf.nn.conv2d(middle(a), KERNELS[1], [1, 2, 2, 1], "SAME"), name="two")
        tf.nn.softmax(tf.matmul(tf.reduce_mean(a, [1, 2]), DENSE, name="logits"), name="prob")
    return graph.as_graph_def()
