"""Small nets of signals and volumes with a float64 numpy twin each."""

from __future__ import annotations

from itertools import product
from typing import Any, Tuple

import numpy as np

from gradcam_tf1.gradients.guided import override_map
from gradcam_tf1.tf_runtime import tf


def conv_same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution of odd size, stride 1, SAME, any number of axes: x [N, ..., C], kernel [..., C, K]."""
    axes = kernel.shape[:-2]
    padded = np.pad(x, [(0, 0), *((side // 2, side // 2) for side in axes), (0, 0)], mode="constant")
    total: Any = 0.0
    for shift in product(*map(range, axes)):
        window = tuple(slice(start, start + side) for start, side in zip(shift, x.shape[1:-1]))
        total = total + padded[(slice(None), *window)] @ kernel[shift]
    return total


class ArrayNet:
    """x [N, ..., C] - conv 3 + ReLU (features [N, ..., 4]) - flatten - dense + ReLU - dense (logits [N, 3]).

    flat: the input is [N, L], without its one channel. image: a signal's net as one of images [N, 1, L, C].
    """

    def __init__(self, sides: Tuple[int, ...], channels: int = 2, flat: bool = False, image: bool = False) -> None:
        random = np.random.RandomState(len(sides))
        self.sides, self.channels, self.flat, self.image = sides, channels, flat, image
        self.w1 = (random.randn(*[3] * len(sides), channels, 4) * 0.5).astype(np.float32)
        self.b1 = (random.randn(4) * 0.1).astype(np.float32)
        self.w2 = (random.randn(int(np.prod(sides)) * 4, 6) * 0.2).astype(np.float32)
        self.w3 = random.randn(6, 3).astype(np.float32)

    def arrays(self, count: int) -> np.ndarray:
        values = np.random.RandomState(7).randn(count, *self.sides, self.channels).astype(np.float32)
        return values[..., 0] if self.flat else values

    def graph(self, baked: bool = True) -> Any:
        """The net as a GraphDef. baked: the sides stand in the input's shape."""
        graph = tf.Graph()
        with graph.as_default(), override_map(graph):
            sides = list(self.sides) if baked else [None] * len(self.sides)
            if self.image:
                x = tf.placeholder(tf.float32, [None, 1, *sides, self.channels], name="x")
                a = tf.nn.conv2d(x, self.w1[np.newaxis], [1, 1, 1, 1], "SAME")
            else:
                x = tf.placeholder(tf.float32, [None, *sides, *([] if self.flat else [self.channels])], name="x")
                values = tf.expand_dims(x, -1) if self.flat else x
                volume = len(self.sides) == 3
                a = tf.nn.conv3d(values, self.w1, [1] * 5, "SAME") if volume else conv1d(values, self.w1)
            a = tf.nn.relu(tf.nn.bias_add(a, self.b1), name="features")
            hidden = tf.nn.relu(tf.matmul(tf.reshape(a, [-1, self.w2.shape[0]]), self.w2))
            tf.nn.softmax(tf.matmul(hidden, self.w3, name="logits"))
        return graph.as_graph_def()

    # the twin

    def features(self, arrays: np.ndarray) -> np.ndarray:
        return np.maximum(conv_same(arrays.astype(np.float64), self.w1.astype(np.float64)) + self.b1, 0)

    def logits(self, features: np.ndarray) -> np.ndarray:
        hidden = np.maximum(features.reshape(len(features), -1) @ self.w2.astype(np.float64), 0)
        return hidden @ self.w3.astype(np.float64)

    def grads(self, features: np.ndarray, class_id: int) -> np.ndarray:
        """dy/dA: float64 like the features."""
        on = features.reshape(len(features), -1) @ self.w2.astype(np.float64) > 0
        return ((on * self.w3[:, class_id]) @ self.w2.astype(np.float64).T).reshape(features.shape)

    def pixel_grads(self, arrays: np.ndarray, class_id: int) -> np.ndarray:
        """dy/dx: float64 like the arrays."""
        features = self.features(arrays)
        axes = range(len(self.sides))
        turned = np.moveaxis(np.flip(self.w1, tuple(axes)), -1, -2)
        return conv_same(self.grads(features, class_id) * (features > 0), turned.astype(np.float64))


def conv1d(x: Any, kernel: np.ndarray, stride: int = 1) -> Any:
    """A one-dimensional convolution, as TensorFlow spells it."""
    return tf.nn.conv1d(x, tf.constant(kernel), stride, "SAME")
