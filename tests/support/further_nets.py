"""Nets that take more than an image, and the same nets with the further value baked in."""

from __future__ import annotations

from typing import Any

import numpy as np
from binding_graphs import conv_relu, dense, images, pooled

from gradcam_tf1.tf_runtime import tf

SIDE = 16


def with_meta(meta: Any = None, shape: Any = (None, 2), dtype: str = "float32") -> Any:
    """A net of an image and two numbers, 'meta', that bend the image's score; a value of `meta` is baked in."""
    graph = tf.Graph()
    with graph.as_default():
        x = images(None, SIDE, SIDE, 3)
        features = pooled(conv_relu(x, 6, name="features"))
        given = tf.placeholder(dtype, shape, name="meta") if meta is None else tf.constant(np.array(meta), dtype)
        if given.shape.rank == 1:
            given = tf.tile(given[tf.newaxis], [tf.shape(x)[0], 1])
        joined = tf.concat([features, tf.cast(given, tf.float32)], axis=1)
        tf.nn.softmax(dense(tf.nn.sigmoid(dense(joined, 7, 8, "hidden")), 3, 7, "logits"), name="prob")
    return graph.as_graph_def()


def siamese(left: str = "left", right: str = "right", sides: Any = (SIDE, SIDE)) -> Any:
    """Two images, one tower: scores of the product of what they come to, so that each one's map needs the other."""
    graph = tf.Graph()
    with graph.as_default():
        found = []
        for name, side in zip((left, right), sides):
            x = images(None, side, side, 3, name=name)
            found.append(pooled(conv_relu(x, 6, name=f"tower_{name}"), name=f"gap_{name}"))
        tf.nn.softmax(dense(tf.nn.tanh(found[0] * found[1] * 9.0), 3, 6, "logits"), name="prob")
    return graph.as_graph_def()


def noise(count: int, side: int = SIDE, seed: int = 0) -> np.ndarray:
    """Images: uint8 [N, side, side, 3]."""
    return np.random.RandomState(seed).randint(0, 256, (count, side, side, 3)).astype(np.uint8)


def gradcam_by_hand(graph_def: Any, feed: Any, layer: str, class_id: int) -> np.ndarray:
    """ReLU(sum_k mean(dy/dA_k) A_k) by tf.gradients, float32 [N, h, w]."""
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        maps = graph.get_tensor_by_name(layer)
        grads = tf.gradients(graph.get_tensor_by_name("logits/BiasAdd:0")[:, class_id], maps)[0]
        cam = tf.nn.relu(tf.reduce_sum(tf.reduce_mean(grads, [1, 2], keepdims=True) * maps, 3))
        with tf.Session() as sess:
            return sess.run(cam, feed)
