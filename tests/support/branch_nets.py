"""Nets whose ways part: branches with classes of their own, several nets in one, streams, ways past all maps."""

from __future__ import annotations

from typing import Any, List, Optional

import numpy as np

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.tf_runtime import tf

SIDE = 16


def images(count: int, seed: int = 0, side: int = SIDE) -> np.ndarray:
    return np.random.RandomState(seed).rand(count, side, side, 3).astype(np.float32)


def numbers(*shape: int, seed: int = 0, scale: float = 0.5) -> np.ndarray:
    return (np.random.RandomState(seed).randn(*shape) * scale).astype(np.float32)


def placeholder(side: Optional[int] = SIDE) -> Any:
    return tf.placeholder(tf.float32, [None, side, side, 3], name="input")


def conv(x: Any, filters: int, name: str, seed: int = 0, kernel: int = 3, stride: int = 1) -> Any:
    """Convolution and ReLU: 'name/Relu:0'."""
    weights = numbers(kernel, kernel, x.shape.as_list()[3], filters, seed=seed)
    linear = tf.nn.conv2d(x, weights, [1, stride, stride, 1], "SAME", name=f"{name}/Conv2D")
    return tf.nn.relu(linear, name=f"{name}/Relu")


def one_by_one(x: Any, filters: int, name: str, seed: int = 0) -> Any:
    return tf.nn.conv2d(x, numbers(1, 1, x.shape.as_list()[3], filters, seed=seed), [1, 1, 1, 1], "SAME", name=name)


def dense(x: Any, units: int, name: str, seed: int = 0) -> Any:
    with tf.name_scope(name):
        return tf.nn.bias_add(tf.matmul(x, numbers(x.shape.as_list()[1], units, seed=seed)), numbers(units, seed=seed))


def pooled(x: Any) -> Any:
    return tf.reduce_mean(x, [1, 2])


def pool(x: Any, by: int = 2) -> Any:
    return tf.nn.max_pool(x, [1, by, by, 1], [1, by, by, 1], "SAME")


def two_branches(widths: Any = (5, 7)) -> Any:
    """trunk -> conv a -> 1x1, trunk -> conv b -> 1x1, concat of the classes, mean over the positions."""
    trunk = pool(conv(placeholder(), 6, "trunk", seed=1))
    parts = [
        one_by_one(conv(trunk, 4, n, seed=k), w, f"scores_{n}", seed=k) for k, (n, w) in enumerate(zip("ab", widths))
    ]
    return tf.nn.softmax(tf.reduce_mean(tf.concat(parts, 3, name="joined"), [1, 2], name="logits"))


def detector(counts: Any = (2, 2), classes: int = 3, side: Optional[int] = SIDE, apart: bool = False) -> Any:
    """Heads of two scales, their anchors joined: scores [N, anchors, classes]; apart: each with its own sigmoid."""
    trunk = pool(conv(placeholder(side), 6, "trunk", seed=1))
    scales = [trunk, pool(conv(trunk, 6, "deeper", seed=2))]
    heads = [
        one_by_one(conv(x, 4, f"head{k}", seed=k), n * classes, f"scores{k}", seed=k)
        for k, (x, n) in enumerate(zip(scales, counts))
    ]
    rows = [tf.reshape(head, [tf.shape(head)[0], -1, classes]) for head in heads]
    if apart:
        return tf.concat([tf.nn.sigmoid(row) for row in rows], 1, name="logits")
    return tf.nn.softmax(tf.concat(rows, 1, name="logits"))


def member(x: Any, name: str, seed: int, classes: int = 4, stride: int = 1) -> Any:
    """A whole small net: two convolutions, pooling, class scores."""
    x = pool(conv(x, 5, f"{name}1", seed=seed))
    return dense(pooled(conv(x, 6, name, seed=seed + 50, stride=stride)), classes, f"dense_{name}", seed=seed)


def ensemble(names: str = "abc", strides: Any = (1, 1, 1)) -> Any:
    """The mean of the scores of three nets."""
    x = placeholder()
    outputs: List[Any] = [member(x, name, k, stride=s) for k, (name, s) in enumerate(zip(names, strides))]
    return tf.nn.softmax(tf.divide(tf.add_n(outputs), float(len(outputs)), name="logits"))


def streams() -> Any:
    """The image and a smaller copy of it, each through its own convolutions into one dense layer."""
    x = placeholder()
    large = conv(pool(conv(x, 4, "large1", seed=1)), 5, "large", seed=2)
    small = tf.nn.avg_pool(x, [1, 4, 4, 1], [1, 4, 4, 1], "SAME", name="smaller")
    small = conv(conv(small, 4, "small1", seed=3), 5, "small", seed=4)
    return tf.nn.softmax(dense(tf.concat([pooled(large), pooled(small)], 1), 4, "logits", seed=5))


class Net(GradCamGraph):
    """Images go in as they are, 0..1 for 0..255."""

    def preprocess(self, images):
        return images / 255.0


def opened(build, **named):
    graph = tf.Graph()
    with graph.as_default():
        build()
    return Net(graph, **named)


def rgb(count=2):
    return images(count) * 255
