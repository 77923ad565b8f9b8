"""Small nets with loops and conditionals of the first kind (Switch, Merge, Enter, Exit), the same on both runtimes.

Every net is input [N, 8, 12, 3] - conv + relu, stride 2 ("features:0" [N, 4, 6, 4]) - columns - a loop - "logits:0".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, NamedTuple

import numpy as np

from gradcam_tf1.tf_runtime import tf

CHANNELS, HIDDEN, CLASSES, COLUMNS = 4, 5, 3, 6


@contextmanager
def loops_of_ops(wanted: bool = True) -> Iterator[None]:
    """Inside, loops and conditionals are spelt with Switch and Merge, or (wanted: False) as calls of functions."""
    was_functional = tf.control_flow_v2_enabled()
    (tf.disable_control_flow_v2 if wanted else tf.enable_control_flow_v2)()
    try:
        yield
    finally:
        (tf.enable_control_flow_v2 if was_functional else tf.disable_control_flow_v2)()


def images(count: int = 2) -> np.ndarray:
    return np.random.RandomState(1).uniform(0, 255, (count, 8, 12, 3)).astype(np.float32)


def weight(*shape: int) -> tf.Tensor:
    values = np.random.RandomState(sum(shape)).randn(*shape) * 0.6
    return tf.constant(values.astype(np.float32))


def columns(batch: Any = None) -> tf.Tensor:
    """The features' columns in time-major order: [6, N, 4]."""
    images = tf.placeholder(tf.float32, [batch, 8, 12, 3], name="input")
    scaled = images / 128.0 - 1.0
    features = tf.nn.relu(tf.nn.conv2d(scaled, weight(3, 3, 3, CHANNELS), [1, 2, 2, 1], "SAME") + 0.1)
    features = tf.identity(features, name="features")
    return tf.transpose(tf.reduce_mean(features, 1), [1, 0, 2])


def head(state: tf.Tensor) -> None:
    tf.nn.softmax(tf.add(tf.matmul(state, weight(int(state.shape[-1]), CLASSES)), 0.1, name="logits"), name="prob")


def step(x: tf.Tensor, h: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.tanh(tf.matmul(tf.concat([x, h], 1), kernel))


def start(x: tf.Tensor) -> tf.Tensor:
    return tf.zeros([tf.shape(x)[1], HIDDEN])


def array_of(x: tf.Tensor) -> Any:
    return tf.TensorArray(tf.float32, size=COLUMNS).unstack(x)


def recurrent(x: tf.Tensor, kept: Any = None) -> tf.Tensor:
    """A cell over the columns; its outputs are collected, and the loop's other results are left unused."""
    kernel, array = weight(CHANNELS + HIDDEN, HIDDEN), array_of(x)
    kernel = kept(kernel) if kept else kernel

    def body(t: tf.Tensor, h: tf.Tensor, outputs: Any) -> Any:
        h = step(array.read(t), h, kernel)
        return t + 1, h, outputs.write(t, h)

    outputs = tf.TensorArray(tf.float32, size=COLUMNS)
    return tf.while_loop(lambda t, *_: t < COLUMNS, body, [0, start(x), outputs])[2].stack()[-1]


def unrolled(x: tf.Tensor) -> tf.Tensor:
    """The same cell without a loop."""
    kernel, h = weight(CHANNELS + HIDDEN, HIDDEN), start(x)
    for t in range(COLUMNS):
        h = step(x[t], h, kernel)
    return h


def rectified_cell(x: tf.Tensor, activation: Any = None) -> tf.Tensor:
    """A loop with an activation in its body."""
    kernel, first = weight(HIDDEN, HIDDEN), tf.matmul(x[0], weight(CHANNELS, HIDDEN))
    body = lambda t, h: (t + 1, (activation or tf.nn.relu)(tf.matmul(h, kernel)) + first)  # noqa: E731
    return tf.while_loop(lambda t, h: t < 3, body, [0, first])[1]


def rectified_thrice(x: tf.Tensor, activation: Any = None) -> tf.Tensor:
    """The same without a loop."""
    kernel, first = weight(HIDDEN, HIDDEN), tf.matmul(x[0], weight(CHANNELS, HIDDEN))
    h = first
    for _ in range(3):
        h = (activation or tf.nn.relu)(tf.matmul(h, kernel)) + first
    return h


def joined(x: tf.Tensor) -> tf.Tensor:
    """A TensorArray that is split and concatenated."""
    array = tf.TensorArray(tf.float32, size=3, infer_shape=False).split(x, [1, 2, 3])

    def body(t: tf.Tensor, outputs: Any) -> Any:
        return t + 1, outputs.write(t, tf.tanh(array.read(t)) * tf.to_float(t + 1))

    outputs = tf.TensorArray(tf.float32, size=3, infer_shape=False)
    whole = tf.while_loop(lambda t, _: t < 3, body, [0, outputs])[1].concat()
    return tf.reduce_sum(tf.reshape(whole, tf.shape(x)), 0)


def nested(x: tf.Tensor) -> tf.Tensor:
    """A loop in a loop: as many inner rounds as the column's number."""
    kernel, array = weight(CHANNELS + HIDDEN, HIDDEN), array_of(x)

    def body(t: tf.Tensor, h: tf.Tensor) -> Any:
        column = array.read(t)
        inner = tf.while_loop(lambda r, _: r <= t, lambda r, g: (r + 1, step(column, g, kernel)), [0, h])
        return t + 1, inner[1]

    return tf.while_loop(lambda t, _: t < COLUMNS, body, [0, start(x)])[1]


def branching(x: tf.Tensor) -> tf.Tensor:
    """A loop whose body has a conditional, and one in the conditional's branch."""
    kernel, array = weight(CHANNELS + HIDDEN, HIDDEN), array_of(x)

    def body(t: tf.Tensor, h: tf.Tensor) -> Any:
        column = array.read(t)
        inner = lambda: tf.cond(t > 3, lambda: tf.nn.relu(column[:, :1] * h), lambda: h * h)  # noqa: E731
        return t + 1, tf.cond(tf.equal(t % 2, 0), lambda: step(column, h, kernel), inner)

    return tf.while_loop(lambda t, _: t < COLUMNS, body, [0, start(x)])[1]


def within_branch(x: tf.Tensor) -> tf.Tensor:
    """A loop in one branch of a conditional."""
    return tf.cond(tf.shape(x)[0] > 3, lambda: recurrent(x), lambda: tf.matmul(x[0], weight(CHANNELS, HIDDEN)))


def mapped(x: tf.Tensor) -> tf.Tensor:
    kernel = weight(CHANNELS, HIDDEN)
    return tf.reduce_sum(tf.map_fn(lambda column: tf.tanh(tf.matmul(column, kernel)), x), 0)


def scanned(x: tf.Tensor) -> tf.Tensor:
    kernel = weight(CHANNELS + HIDDEN, HIDDEN)
    return tf.scan(lambda h, column: step(column, h, kernel), x, initializer=start(x))[-1]


def branch_alone(x: tf.Tensor) -> tf.Tensor:
    """A conditional without any loop."""
    return tf.cond(tf.shape(x)[0] > 3, lambda: tf.tanh(x[0]), lambda: x[1])


KINDS: Dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    each.__name__: each
    for each in (recurrent, nested, branching, within_branch, mapped, scanned, branch_alone, rectified_cell, joined)
}


class Built(NamedTuple):
    """A net as a frozen file has it, and what tf.gradients says in the graph that built it."""

    graph: tf.Graph
    frozen: Any
    features: np.ndarray
    grads: np.ndarray
    pixels: np.ndarray

    def hirescam(self) -> np.ndarray:
        """sum_k g_k A_k of class 1: float64 [N, h, w]."""
        return (self.grads.astype(np.float64) * self.features).sum(-1)


def build(kind: Callable[[tf.Tensor], tf.Tensor], functional: bool = False) -> Built:
    """The oracle is tf.gradients of class 1 of `images()`, before freezing. functional: TensorFlow 2's own loops."""
    graph = tf.Graph()
    with graph.as_default(), loops_of_ops(not functional):
        head(kind(columns()))
        frozen = tf.graph_util.extract_sub_graph(graph.as_graph_def(), ["prob"])
        logits, features, photos = (graph.get_tensor_by_name(f"{name}:0") for name in ("logits", "features", "input"))
        fetches = [features, *tf.gradients(logits[:, 1], [features, photos])]
        with tf.Session(graph=graph) as sess:
            return Built(graph, frozen, *sess.run(fetches, {"input:0": images()}))
