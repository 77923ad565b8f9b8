"""Small nets with loops and conditionals of the first kind (Switch, Merge, Enter, Exit), built the same on both runtimes.

Every net is input [N, 8, 12, 3] - conv + relu, stride 2 ("features:0" [N, 4, 6, 4]) - columns - a loop - "logits:0".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, NamedTuple

import numpy as np

from gradcam_tf1.tf_runtime import tf

CHANNELS, HIDDEN, CLASSES, COLUMNS = 4, 5, 3, 6


@contextmanager
def loops_of_ops() -> Iterator[None]:
    """Inside, loops and conditionals are spelt with Switch and Merge on TensorFlow 2 too."""
    was_functional = tf.control_flow_v2_enabled()
    tf.disable_control_flow_v2()
    try:
        yield
    finally:
        if was_functional:
            tf.enable_control_flow_v2()


def images(count: int = 2) -> np.ndarray:
    return np.random.RandomState(1).randn(count, 8, 12, 3).astype(np.float32)


def weight(*shape: int) -> tf.Tensor:
    values = np.random.RandomState(sum(shape)).randn(*shape) * 0.6
    return tf.constant(values.astype(np.float32))


def columns(batch: Any = None) -> tf.Tensor:
    """The features' columns in time-major order: [6, N, 4]."""
    pictures = tf.placeholder(tf.float32, [batch, 8, 12, 3], name="input")
    features = tf.nn.relu(tf.nn.conv2d(pictures, weight(3, 3, 3, CHANNELS), [1, 2, 2, 1], "SAME") + 0.1)
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


def recurrent(x: tf.Tensor) -> tf.Tensor:
    """A cell over the columns; its outputs are collected, and the loop's other results are left unused."""
    kernel, array = weight(CHANNELS + HIDDEN, HIDDEN), array_of(x)

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


def guided_cell(x: tf.Tensor) -> tf.Tensor:
    """A loop with a ReLU in its body."""
    kernel = weight(HIDDEN, HIDDEN)
    first = tf.matmul(x[0], weight(CHANNELS, HIDDEN))
    body = lambda t, h: (t + 1, tf.nn.relu(tf.matmul(h, kernel)) + first)  # noqa: E731
    return tf.while_loop(lambda t, h: t < 3, body, [0, first])[1]


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
    for each in (recurrent, nested, branching, within_branch, mapped, scanned, branch_alone, guided_cell)
}


class Built(NamedTuple):
    """A net, its gradient in the graph that built it, and its parts as a frozen file has them."""

    graph: tf.Graph
    frozen: Any
    gradient: np.ndarray


def build(kind: Callable[[tf.Tensor], tf.Tensor]) -> Built:
    """The oracle is tf.gradients in the building graph: d(sum of class 1)/d(features) of `images()`."""
    graph = tf.Graph()
    with graph.as_default(), loops_of_ops():
        head(kind(columns()))
        frozen = tf.graph_util.extract_sub_graph(graph.as_graph_def(), ["prob"])
        logits, features = (graph.get_tensor_by_name(name) for name in ("logits:0", "features:0"))
        grads = tf.gradients(logits[:, 1], features)[0]
        with tf.Session(graph=graph) as sess:
            return Built(graph, frozen, sess.run(grads, {"input:0": images()}))
