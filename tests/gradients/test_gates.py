"""Guided rules reach activations, not the factors of products: hard-swish, Mish, hard sigmoids, attention."""

from __future__ import annotations

import numpy as np
import pytest

from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.gradients.guided import gradient_rule
from gradcam_tf1.tf_runtime import tf

RANDOM = np.random.RandomState(2)
A, B, C = (RANDOM.randn(4, 4).astype(np.float32) for _ in range(3))
X = (RANDOM.randn(6, 4) * 2).astype(np.float32)
R = RANDOM.randn(6, 4).astype(np.float32)


def hard_sigmoid(x):
    return tf.nn.relu6(x + 3.0) / 6.0


def keras_hard_sigmoid(x):
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)


def handed_down(spell, mode):
    """(what arrives at x where R comes from above, what the rule changed, what it left as gates)."""
    net = tf.Graph()
    with net.as_default():
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        tf.placeholder(tf.float32, [], name="keep_prob")
        tf.identity(spell(x), name="f")
    graph = import_graph(net.as_graph_def(), "net")
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, f = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("f:0")
        with gradient_rule(mode, Activations.between([f], x)) as reached:
            grad = tf.gradients(f, x, grad_ys=tf.constant(R))[0]
        kinds, gates = (
            {name.replace("V2", ""): n for name, n in each.items() if n} for each in (reached.kinds, reached.gates)
        )
        return sess.run(grad, {x: X, "keep_prob:0": 0.5}), kinds, gates


def hard_swish_slope(x):
    return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6))


def keras_swish_slope(x):
    return np.where(x <= -2.5, 0, np.where(x >= 2.5, 1, 0.4 * x + 0.5))


def mish_slope(x):
    w = np.log1p(np.exp(x))
    return np.tanh(w) + x * (1 - np.tanh(w) ** 2) / (1 + np.exp(-x))


def in_double(x):
    return tf.cast(tf.nn.relu6(tf.cast(x, tf.float64) + 3.0), tf.float32) * x * 0.16666667


def turned(x):
    return tf.gather(x, [3, 0, 1, 2], axis=1)


# one function of x, spelt in many ways: (what the net writes, f'(x))
SPELLINGS = {
    "x relu6(x+3) / 6": (lambda x: x * tf.nn.relu6(x + 3.0) / 6.0, hard_swish_slope),
    "relu6(x+3) x / 6": (lambda x: tf.nn.relu6(x + 3.0) * x / 6.0, hard_swish_slope),
    "relu6(3+x) (x/6)": (lambda x: tf.nn.relu6(3.0 + x) * (x / 6.0), hard_swish_slope),
    "x (relu6(x+3) 0.1667)": (lambda x: x * (tf.nn.relu6(x + 3.0) * 0.16666667), hard_swish_slope),
    "(x 0.1667) relu6(x+3)": (lambda x: (0.16666667 * x) * tf.nn.relu6(x + 3.0), hard_swish_slope),
    "x min(relu(x+3), 6) / 6": (lambda x: x * tf.minimum(tf.nn.relu(x + 3.0), 6.0) / 6.0, hard_swish_slope),
    "x max(min(x+3, 6), 0) / 6": (lambda x: x * tf.maximum(tf.minimum(x + 3.0, 6.0), 0.0) / 6.0, hard_swish_slope),
    "x clip(x+3) / 6": (lambda x: x * tf.clip_by_value(x + 3.0, 0.0, 6.0) / 6.0, hard_swish_slope),
    "x clip(x/6+.5)": (lambda x: tf.clip_by_value(x / 6.0 + 0.5, 0.0, 1.0) * x, hard_swish_slope),
    "keras": (lambda x: x * keras_hard_sigmoid(x), keras_swish_slope),
    "x (|x+3| - |x-3| + 6) / 12": (
        lambda x: x * (tf.abs(x + 3.0) - tf.abs(x - 3.0) + 6.0) / 12.0,
        hard_swish_slope,
    ),
    "x (1 - relu(1 - relu(x+3)/6))": (
        lambda x: x * (1.0 - tf.nn.relu(1.0 - tf.nn.relu(x + 3.0) / 6.0)),
        hard_swish_slope,
    ),
    "x (relu(x+3) - relu(x-3)) / 6": (
        lambda x: x * (tf.nn.relu(x + 3.0) - tf.nn.relu(x - 3.0)) / 6.0,
        hard_swish_slope,
    ),
    "multiplied out": (
        lambda x: (x * tf.nn.relu(x + 3.0) - x * tf.nn.relu(x - 3.0)) / 6.0,
        hard_swish_slope,
    ),
    "product over an axis": (
        lambda x: tf.reduce_prod(tf.stack([x, hard_sigmoid(x)]), 0),
        hard_swish_slope,
    ),
    "without NaN": (lambda x: tf.math.multiply_no_nan(x, hard_sigmoid(x)), hard_swish_slope),
    "several at once": (lambda x: x * tf.identity_n([hard_sigmoid(x), x])[0], hard_swish_slope),
    "in another order": (
        lambda x: tf.gather(
            tf.gather(x, [3, 0, 2, 1], axis=1) * tf.gather(hard_sigmoid(x), [3, 0, 2, 1], axis=1), [1, 3, 2, 0], axis=1
        ),
        hard_swish_slope,
    ),
    "mirrored": (
        lambda x: tf.reverse(tf.reverse(x, [1]) * tf.reverse(hard_sigmoid(x), [1]), [1]),
        hard_swish_slope,
    ),
    "through identities": (lambda x: tf.identity(x) * tf.identity(hard_sigmoid(tf.identity(x))), hard_swish_slope),
    "in double": (in_double, hard_swish_slope),
    "turned and back": (
        lambda x: tf.transpose(tf.transpose(x) * tf.transpose(hard_sigmoid(x))),
        hard_swish_slope,
    ),
    "over its inverse": (lambda x: x / (1.0 / (hard_sigmoid(x) + 1e-12)), hard_swish_slope),
    "mish": (lambda x: x * tf.tanh(tf.nn.softplus(x)), mish_slope),
    "mish turned round": (lambda x: tf.tanh(tf.nn.softplus(x)) * x, mish_slope),
}


@pytest.mark.parametrize("mode", ["guided", "deconvnet"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_the_inside_of_a_product_of_x_is_no_activation(name, mode):
    spell, slope = SPELLINGS[name]
    grad, kinds, gates = handed_down(spell, mode)
    np.testing.assert_allclose(grad, slope(X.astype(float)) * R, rtol=1e-4, atol=1e-5)
    assert kinds == {}
    assert sum(gates.values()) >= 1 or "|" in name  # |x+3| - |x-3| is no spelling of an activation


@pytest.mark.parametrize("name", SPELLINGS)
def test_relus_before_and_behind_it_keep_their_rule(name):
    spell, slope = SPELLINGS[name]
    grad, kinds, _ = handed_down(lambda x: tf.nn.relu(tf.matmul(spell(tf.nn.relu(x)), A)), "guided")
    assert kinds == {"Relu": 2}
    x = np.maximum(X.astype(float), 0)
    double = {"mish": x * np.tanh(np.log1p(np.exp(x)))}.get(name.split(" turned")[0])
    value = double if double is not None else x * np.clip(0.2 * x + 0.5 if name == "keras" else x / 6 + 0.5, 0, 1)
    back = (np.maximum(R, 0) * (value @ A > 0)) @ A.T.astype(float)
    np.testing.assert_allclose(grad, np.maximum(back * slope(x), 0) * (X > 0), rtol=1e-4, atol=1e-5)


def squeezed(r, gate):
    """Squeeze-and-excitation: the mean of r over the batch axis stands for the pool over positions."""
    pooled = tf.reduce_mean(r, axis=1, keepdims=True) * np.ones((1, 4), np.float32)
    return gate(tf.matmul(tf.nn.relu(tf.matmul(pooled, A)), B))


def dropped(x):
    r = tf.nn.relu(x)
    keep = tf.get_default_graph().get_tensor_by_name("keep_prob:0")
    return r / keep * tf.floor(keep + tf.random_uniform(tf.shape(r), seed=1))


def normalised(x):
    r = tf.nn.relu(tf.matmul(x, A))
    mean, variance = tf.nn.moments(r, [1], keepdims=True)
    return (r - mean) * tf.rsqrt(variance + 1e-3) * C[0]


def lstm_step(x):
    i, f, o = (keras_hard_sigmoid(tf.matmul(x, each)) for each in (A, B, C))
    c = f * tf.matmul(x, A) + i * tf.nn.relu(tf.matmul(x, B))
    return o * tf.tanh(c)


# (what the net writes, what is changed, what is left as a gate)
TABLE = {
    "squeeze-and-excitation": (
        lambda x: (lambda r: r * squeezed(r, tf.sigmoid))(tf.nn.relu(x)),
        {"Relu": 2},
        {},
    ),
    "with a hard sigmoid": (
        lambda x: (lambda r: r * squeezed(r, hard_sigmoid))(tf.nn.relu(x)),
        {"Relu": 2},
        {"Relu6": 1},
    ),
    "with Keras's": (
        lambda x: (lambda r: squeezed(r, keras_hard_sigmoid) * r)(tf.nn.relu6(x)),
        {"Relu6": 1, "Relu": 1},
        {"Maximum": 1},
    ),
    "on a map of no activation": (
        lambda x: (lambda z: z * squeezed(z, hard_sigmoid))(tf.matmul(x, C)),
        {"Relu": 1},
        {"Relu6": 1},
    ),
    "of what is before the ReLU": (lambda x: tf.nn.relu(x) * squeezed(x, tf.sigmoid), {"Relu": 2}, {}),
    "hard, of what is before the ReLU": (
        lambda x: tf.nn.relu(x) * squeezed(x, hard_sigmoid),
        {"Relu": 2},
        {"Relu6": 1},
    ),
    "with the map added": (
        lambda x: (lambda r: r + r * squeezed(r, hard_sigmoid))(tf.nn.relu(x)),
        {"Relu": 2},
        {"Relu6": 1},
    ),
    "residual attention": (
        lambda x: tf.nn.relu(tf.matmul(x, A)) * (1.0 + tf.sigmoid(tf.matmul(x, B))),
        {"Relu": 1},
        {},
    ),
    "softmax attention": (
        lambda x: tf.nn.relu(tf.matmul(x, A)) * tf.nn.softmax(tf.matmul(tf.nn.relu(tf.matmul(x, B)), C)),
        {"Relu": 2},
        {},
    ),
    "gated by a ReLU": (lambda x: tf.matmul(x, A) * tf.nn.relu(tf.matmul(x, B)), {}, {"Relu": 1}),
    "a leaky gate": (lambda x: tf.matmul(x, A) * tf.maximum(0.2 * x, x), {}, {"Maximum": 1}),
    "a PReLU as gate": (
        lambda x: tf.matmul(x, A) * (tf.nn.relu(x) - C[0] * tf.nn.relu(-x)),
        {},
        {"Sub": 1},
    ),
    "two ReLUs": (lambda x: tf.nn.relu(tf.matmul(x, A)) * tf.nn.relu(tf.matmul(x, B)), {}, {"Relu": 2}),
    "three factors": (
        lambda x: tf.matmul(x, A) * (tf.sigmoid(x) * tf.nn.relu6(tf.matmul(x, B))),
        {},
        {"Relu6": 1},
    ),
    "divided by a softplus": (
        lambda x: tf.matmul(x, A) / (1.0 + tf.nn.softplus(tf.matmul(x, B))),
        {},
        {"Softplus": 1},
    ),
    "a sum with a ReLU as gate": (
        lambda x: tf.matmul(x, A) * (tf.nn.relu(tf.matmul(x, B)) + tf.matmul(x, C)),
        {},
        {"Relu": 1},
    ),
    "the mean of two as gate": (
        lambda x: tf.matmul(x, A) * tf.add_n([tf.nn.relu(tf.matmul(x, each)) for each in (B, C)]) / 2.0,
        {},
        {"Relu": 2},
    ),
    "the sine of one as gate": (lambda x: x * tf.sin(tf.nn.relu(x)), {}, {"Relu": 1}),
    "attention with ReLU features": (
        lambda x: tf.matmul(tf.nn.relu(tf.matmul(x, A)), tf.matmul(tf.nn.relu(x), x, transpose_a=True)),
        {},
        {"Relu": 2},
    ),
    "split of one ReLU": (
        lambda x: tf.concat([a * b for a, b in [tf.split(tf.nn.relu(x + 2), 2, 1)] * 2], 1),
        {"Relu": 1},
        {},
    ),
    "gated linear unit": (
        lambda x: tf.concat([a * tf.nn.relu(b) for a, b in [tf.split(tf.matmul(x, A), 2, 1)] * 2], 1),
        {},
        {"Relu": 2},
    ),
    "bilinear": (lambda x: (lambda r: tf.matmul(r, tf.matmul(r, r, transpose_a=True)))(tf.nn.relu(x)), {"Relu": 1}, {}),
    "square": (lambda x: tf.square(tf.nn.relu(x)) + (lambda r: r * r)(tf.nn.relu(-x)), {"Relu": 2}, {}),
    "of length one": (lambda x: tf.math.l2_normalize(tf.nn.relu(x), 1), {"Relu": 1}, {}),
    "normalised": (normalised, {"Relu": 1}, {}),
    "dropout that is on": (dropped, {"Relu": 1}, {}),
    "LSTM": (lstm_step, {"Relu": 1}, {"Maximum": 3}),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_is_changed_and_what_is_left(name):
    spell, changed, left = TABLE[name]
    grad, kinds, gates = handed_down(spell, "guided")
    assert (kinds, gates) == (changed, left)
    assert handed_down(spell, "deconvnet")[1:] == (changed, left)
    plain = handed_down(spell, "plain")[0]
    assert np.array_equal(grad, plain) == (not changed) or name == "dropout that is on"


def test_squeeze_and_excitation_with_a_hard_sigmoid_by_hand():
    """f = r g(B relu(A p)), p = mean(r), r = relu(x): the rule at both ReLUs, TensorFlow's own at the gate."""
    grad, _, _ = handed_down(TABLE["with a hard sigmoid"][0], "guided")
    a, b, x, above = (each.astype(float) for each in (A, B, X, R))
    r = np.maximum(x, 0)
    pooled = r.mean(axis=1, keepdims=True) * np.ones((1, 4))
    hidden = np.maximum(pooled @ a, 0)
    inner = hidden @ b + 3
    gate = np.clip(inner, 0, 6) / 6
    at_hidden = (above * r / 6 * ((inner > 0) & (inner < 6))) @ b.T
    at_pooled = (np.maximum(at_hidden, 0) * (hidden > 0)) @ a.T
    at_r = above * gate + at_pooled.sum(axis=1, keepdims=True) / 4
    np.testing.assert_allclose(grad, np.maximum(at_r, 0) * (x > 0), rtol=1e-4, atol=1e-5)
