"""Bounds of factors: features times a factor in 0..2 keep their rule, whatever the factor is made of."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.gradients.value_bounds import ANY, bounds_of
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(2)
A, B = (RANDOM.randn(4, 4).astype(np.float32) for _ in range(2))
X = (RANDOM.randn(40, 4) * 3).astype(np.float32)


def softmax_by_hand(z):
    """The way of older attention layers."""
    e = tf.exp(z - tf.reduce_max(z, 1, keepdims=True))
    return e / tf.reduce_sum(e, 1, keepdims=True)


def shares(z):
    e = tf.square(z)
    return e / (1e-6 + tf.reshape(tf.reduce_sum(e, 1), [-1, 1]))


# (a function of z, the bounds that are found)
FACTORS = {
    "softmax by hand": (softmax_by_hand, (0, 1)),
    "shares": (shares, (0, 1)),
    "mean of sigmoids": (lambda z: tf.reduce_mean(tf.sigmoid(z), 1, keepdims=True), (0, 1)),
    "largest of a softmax": (lambda z: tf.reduce_max(tf.nn.softmax(z), 1, keepdims=True), (0, 1)),
    "mask": (lambda z: tf.cast(z > 0.0, tf.float32), (0, 1)),
    "rounded": (lambda z: tf.round(tf.sigmoid(z)), (0, 1)),
    "joined": (lambda z: tf.concat([tf.sigmoid(z)[:, :2], 1.0 + tf.tanh(z)[:, 2:]], 1), (0, 2)),
    "chosen": (lambda z: tf.where(z > 1.0, tf.sigmoid(z), tf.exp(-tf.abs(z))), (0, 1)),
    "padded": (lambda z: tf.pad(1.0 + tf.sigmoid(z)[:, 1:], [[0, 0], [1, 0]]), (0, 2)),
    "logistic": (lambda z: tf.math.reciprocal(1.0 + tf.exp(-z)), (0, 1)),
    "square": (lambda z: tf.square(tf.tanh(z)), (0, 1)),
    "root": (lambda z: tf.sqrt(tf.sigmoid(z)), (0, 1)),
    "power": (lambda z: tf.pow(tf.sigmoid(z), 1.7), (0, 1)),
    "product": (lambda z: tf.sigmoid(z) * tf.nn.softmax(z), (0, 1)),
    "bell": (lambda z: tf.exp(-tf.square(z)), (0, 1)),
    "exp of log_softmax": (lambda z: tf.exp(tf.nn.log_softmax(z)), (0, 1)),
    "sum of half and half": (lambda z: tf.add_n([0.5 * tf.sigmoid(z), 0.5 * tf.sigmoid(-z)]), (0, 1)),
    "other half": (lambda z: 1.0 - tf.sigmoid(z), (0, 1)),
    "in another order": (lambda z: tf.gather(tf.reverse(tf.sigmoid(z), [1]), [3, 0, 2, 1], axis=1), (0, 1)),
}


def graph_of(factor):
    """(graph, x, features times the factor, which is called u)."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        u = tf.identity(factor(tf.matmul(x, B)), name="u")
        product = tf.multiply(tf.nn.relu(tf.matmul(x, A), name="features"), u, name="product")
    return graph, x, product


@pytest.mark.parametrize("name", FACTORS)
def test_the_values_lie_within_the_bounds_and_features_times_them_keep_their_rule(name):
    factor, wanted = FACTORS[name]
    graph, x, product = graph_of(factor)
    known = {}
    for op in graph.get_operations():
        if op.type not in ("Placeholder", "Const") and op.outputs:
            known[op.name] = bounds_of(op, known)
    assert known["u"] == pytest.approx(wanted)
    tensors = [op.outputs[0] for op in graph.get_operations() if op.name in known]
    with tf.Session(graph=graph) as sess:
        for tensor, values in zip(tensors, sess.run(tensors, {x: X})):
            low, high = known[tensor.op.name]
            assert low - 1e-6 <= np.min(values), tensor
            assert np.max(values) <= high + 1e-6, tensor
    assert not Activations.between([product], x).is_gate(graph.get_operation_by_name("features"))


@pytest.mark.parametrize(
    "factor",
    [
        lambda z: z,
        lambda z: tf.nn.relu6(z),
        lambda z: 1.0 + 2.0 * tf.sigmoid(z),
        lambda z: tf.sigmoid(z) - 0.1,
        lambda z: tf.exp(z) / tf.reduce_sum(tf.exp(2.0 * z), 1, keepdims=True),
        lambda z: z / tf.reduce_sum(z, 1, keepdims=True),
        lambda z: tf.exp(z) / (tf.reduce_sum(tf.exp(z), 1, keepdims=True) - 1.0),
        lambda z: tf.pad(tf.sigmoid(z)[:, 1:], [[0, 0], [1, 0]], constant_values=9.0),
    ],
)
def test_a_factor_of_other_values_makes_them_a_gate(factor):
    graph, x, product = graph_of(factor)
    assert Activations.between([product], x).is_gate(graph.get_operation_by_name("features"))


def test_an_op_without_a_rule_has_no_bounds():
    with tf.Graph().as_default():
        assert bounds_of(tf.matmul(A, B).op, {}) == ANY
