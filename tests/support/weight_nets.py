"""Small nets whose weights are drawn anew, as GraphDefs."""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.loaders import load
from gradcam_tf1.tf_runtime import tf

SIZE = (16, 20)
CLASSES = 3
IMAGES = np.random.RandomState(4).uniform(0, 255, (3, *SIZE, 3)).astype(np.float32)


def made(build: Callable[[tf.Tensor], tf.Tensor]) -> tf.GraphDef:
    """The graph of a net: images x [N, 16, 20, 3] -> build -> logits [N, 3]."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, *SIZE, 3], name="x")
        tf.identity(build(x), name="logits")
    return graph.as_graph_def()


def opened(graph_def: tf.GraphDef, **options: Any) -> GradCamGraph:
    """The net of a graph."""
    return GradCamGraph(load(graph_def), **{"input": "x", "logits": "logits", "preset": "raw", **options})


def numbers(name: str, *shape: int, scale: float = 0.3) -> np.ndarray:
    """Random numbers, the same for one name."""
    seed = sum(ord(letter) * place for place, letter in enumerate(name, 1))
    return np.random.RandomState(seed).normal(0, scale, shape).astype(np.float32)


def weight(name: str, *shape: int, scale: float = 0.3) -> tf.Tensor:
    """A constant of random numbers."""
    return tf.constant(numbers(name, *shape, scale=scale), name=name)


def conv(x: tf.Tensor, name: str, channels: int, size: int = 3, padding: str = "SAME") -> tf.Tensor:
    """A convolution, its bias and a ReLU."""
    taken = x.shape.as_list()[-1]
    y = tf.nn.conv2d(x, weight(f"{name}/w", size, size, taken, channels), [1, 1, 1, 1], padding, name=name)
    return tf.nn.relu(tf.nn.bias_add(y, weight(f"{name}/b", channels, scale=0.1)), name=f"{name}/relu")


def normed(x: tf.Tensor, name: str) -> tf.Tensor:
    """Batch norm with stored statistics."""
    channels = x.shape.as_list()[-1]
    scale, offset, mean = (weight(f"{name}/{part}", channels, scale=0.2) for part in ("scale", "offset", "mean"))
    variance = tf.constant(np.abs(numbers(f"{name}/variance", channels)) + 0.5, name=f"{name}/variance")
    return tf.nn.fused_batch_norm(x, scale + 1.0, offset, mean, variance, is_training=False, name=name)[0]


def dense(x: tf.Tensor, name: str = "dense") -> tf.Tensor:
    """Mean over the positions and a dense layer."""
    pooled = tf.reduce_mean(x, [1, 2])
    y = tf.matmul(pooled, weight(f"{name}/w", x.shape.as_list()[-1], CLASSES, scale=1.0), name=name)
    return tf.nn.bias_add(y, weight(f"{name}/b", CLASSES, scale=0.1))


def branched(x: tf.Tensor) -> tf.Tensor:
    """stem - (long: two convolutions; short: one) - joined - dense, after preprocessing in the graph."""
    stem = conv(x / 255.0 - tf.constant([0.4, 0.5, 0.6], name="mean_pixel"), "stem", 4)
    long = conv(conv(stem, "long_1", 5), "long_2", 4)
    joined = conv(tf.concat([long, conv(stem, "short", 3)], 3), "joined", 6)
    return dense(joined)


def plain(x: tf.Tensor) -> tf.Tensor:
    """Two convolutions and a dense layer."""
    return dense(conv(conv(x / 255.0, "one", 4), "two", 5))


def changed(graph_def: tf.GraphDef, values: Dict[str, np.ndarray]) -> tf.GraphDef:
    """The graph with other values of its constants, by the names of their tensors."""
    other = tf.GraphDef()
    other.CopyFrom(graph_def)
    left = dict(values)
    for node in other.node:
        if node.op == "Const" and f"{node.name}:0" in left:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(left.pop(f"{node.name}:0")))
    if left:
        raise AssertionError(f"no constants {sorted(left)}")
    return other
