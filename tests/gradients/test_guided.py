"""The switch: off it is TensorFlow's own gradient to the bit, on it follows its mode, in its own thread."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.gradients.guided import gradient_rule, masked, override_map
from gradcam_tf1.tf_runtime import own_gradient, tf


def relu_chain(kind, overridden):
    """x - relu - times (1, -1, 2) - relu - sum."""
    graph = tf.Graph()
    activation = getattr(tf.nn, kind)
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        tf.reduce_sum(activation(activation(x) * [1.0, -1.0, 2.0] + 1.0) * [3.0, 1.0, -1.0], name="y")
    return import_graph(graph.as_graph_def(), "chain") if overridden else graph


def slope(graph, values, guided=False):
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, y = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("y:0")
        if guided:
            with gradient_rule("guided", Activations.between([y], x)) as reached:
                grad = tf.gradients(y, x)[0]
            assert reached.count == 2
        else:
            grad = tf.gradients(y, x)[0]
        return sess.run(grad, {x: values})


@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_switched_off_the_gradient_is_tensorflows_own_to_the_bit(kind):
    values = np.random.RandomState(0).randn(50, 3).astype(np.float32) * 4
    own = slope(relu_chain(kind, overridden=False), values)
    np.testing.assert_array_equal(slope(relu_chain(kind, overridden=True), values), own)
    assert (own < 0).any()


@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_switched_on_negative_gradients_are_dropped_at_every_relu(kind):
    # column 0: +3 passes both; column 1: +1 passes the upper, then times -1 is dropped; column 2: -1 is dropped
    values = np.array([[0.5, 0.5, 0.5]], np.float32)
    np.testing.assert_array_equal(slope(relu_chain(kind, overridden=True), values, guided=True), [[3, 0, 0]])
    np.testing.assert_array_equal(slope(relu_chain(kind, overridden=True), values), [[3, -1, -2]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_a_masked_gradient_is_that_of_the_relu_to_the_bit(dtype):
    random = np.random.RandomState(0)
    values = np.append(random.randn(50), [0.0, -0.0, np.inf, -np.inf]).astype(dtype)
    incoming = np.append(random.randn(50), [1.0, -1.0, 2.0, -2.0]).astype(dtype)
    with tf.Graph().as_default(), tf.Session() as sess:
        features = tf.nn.relu(tf.constant(values))
        grad = tf.constant(incoming)
        own, ours = sess.run([own_gradient("Relu")(features.op, grad), masked(features.op, grad)])
    assert own.tobytes() == ours.tobytes()
    assert 10 < np.count_nonzero(own) < 40


def test_the_switch_is_off_again_after_an_error_and_in_other_threads():
    graph = relu_chain("relu", overridden=True)
    values = np.array([[0.5, 0.5, 0.5]], np.float32)
    known = Activations.between([graph.get_tensor_by_name("y:0")], graph.get_tensor_by_name("x:0"))
    with pytest.raises(RuntimeError, match="stop"), gradient_rule("guided", known):
        raise RuntimeError("stop")
    np.testing.assert_array_equal(slope(graph, values), [[3, -1, -2]])
    answers = []
    with gradient_rule("guided", known) as reached:
        thread = threading.Thread(target=lambda: answers.append(slope(graph, values)))
        thread.start()
        thread.join()
    assert reached.count == 0
    np.testing.assert_array_equal(answers[0], [[3, -1, -2]])


def test_activations_without_the_override_are_not_counted():
    graph = relu_chain("relu", overridden=False)
    x, y = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("y:0")
    with graph.as_default(), gradient_rule("guided", Activations.between([y], x)) as reached:
        tf.gradients(y, x)
    assert reached.count == 0


def test_registering_twice_in_a_process_is_harmless():
    for _ in range(2):
        graph = tf.Graph()
        with graph.as_default(), override_map(graph), tf.Session() as sess:
            x = tf.constant([1.0, 2.0])
            y = tf.nn.relu(x) * [1.0, -1.0]
            with gradient_rule("guided", Activations.between([y], x)):
                guided = tf.gradients(y, x)[0]
            np.testing.assert_array_equal(sess.run([tf.gradients(y, x)[0], guided]), [[1, -1], [1, 0]])


# What follows: every activation, alone or spelt out, as one function f of x with f'(x) worked out in float64.

ALPHA = np.array([0.1, 0.25, 0.5], np.float32)
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717


def leaky(slope):
    return lambda x: np.where(x > 0, 1, slope)


def bounded(x):
    return ((x > 0) & (x < 6)).astype(float)


def clip_by_value(x, low, high):
    return tf.raw_ops.ClipByValue(t=x, clip_value_min=low, clip_value_max=high)


# name: (what the net writes, f'(x), op types that count)
SPELLINGS = {
    "relu": (lambda x: tf.nn.relu(x), leaky(0), {"Relu": 1}),
    "relu6": (lambda x: tf.nn.relu6(x), bounded, {"Relu6": 1}),
    "leaky relu": (lambda x: tf.nn.leaky_relu(x, 0.3), leaky(0.3), {"LeakyRelu": 1}),
    "elu": (lambda x: tf.nn.elu(x), lambda x: np.where(x > 0, 1, np.exp(x)), {"Elu": 1}),
    "selu": (
        lambda x: tf.nn.selu(x),
        lambda x: SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(x)),
        {"Selu": 1},
    ),
    "softplus": (lambda x: tf.nn.softplus(x), lambda x: 1 / (1 + np.exp(-x)), {"Softplus": 1}),
    "maximum(ax, x)": (lambda x: tf.maximum(0.2 * x, x), leaky(0.2), {"Maximum": 1}),
    "maximum(x, ax)": (lambda x: tf.maximum(x, ALPHA * x), leaky(ALPHA), {"Maximum": 1}),
    "maximum(x, 0)": (lambda x: tf.maximum(x, 0.0), leaky(0), {"Maximum": 1}),
    "keras relu(max_value=6)": (lambda x: tf.clip_by_value(tf.nn.relu(x), 0.0, 6.0), bounded, {"Relu": 1}),
    "clipped to 0..6": (lambda x: tf.clip_by_value(x, 0.0, 6.0), bounded, {"Maximum": 1}),
    "clip_by_value op": (lambda x: clip_by_value(x, 0.0, 6.0), bounded, {"ClipByValue": 1}),
    "relu(x) - relu(x - 6)": (
        lambda x: tf.nn.relu(x) - tf.nn.relu(x - 6.0),
        bounded,
        {"Sub": 1},
    ),
    "relu(x) - a relu(-x)": (lambda x: tf.nn.relu(x) - 0.2 * tf.nn.relu(-x), leaky(0.2), {"Sub": 1}),
    "keras prelu": (lambda x: tf.nn.relu(x) + -ALPHA * tf.nn.relu(-x), leaky(ALPHA), {"AddV2": 1}),
    "prelu by abs": (lambda x: tf.nn.relu(x) + ALPHA * (x - tf.abs(x)) * 0.5, leaky(ALPHA), {"AddV2": 1}),
    "prelu by minimum": (lambda x: tf.maximum(x, 0.0) + ALPHA * tf.minimum(x, 0.0), leaky(ALPHA), {"AddV2": 1}),
    "lrelu by abs": (lambda x: 0.6 * x + 0.4 * tf.abs(x), leaky(0.2), {"AddV2": 1}),
    "add of older nets": (lambda x: tf.raw_ops.Add(x=0.6 * x, y=0.4 * tf.abs(x)), leaky(0.2), {"Add": 1}),
}
X = np.array([[-2.0, -0.7, -0.1], [0.3, 1.5, 7.0], [-3.0, 2.0, 0.9]], np.float32)
R = np.array([[1.0, -2.0, 3.0], [-1.0, 2.0, 0.5], [-0.5, -4.0, 1.5]], np.float32)


def handed_down(spell, mode, overridden=True):
    """(what arrives at x where R comes from above, what the rule reached)."""
    net = tf.Graph()
    with net.as_default():
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        tf.identity(spell(x), name="f")
    graph = import_graph(net.as_graph_def(), "net") if overridden else net
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, f = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("f:0")
        with gradient_rule(mode, Activations.between([f], x)) as reached:
            grad = tf.gradients(f, x, grad_ys=tf.constant(R))[0]
        return sess.run(grad, {x: X}), dict(reached.kinds)


def without_gradient(name):
    return name == "clip_by_value op" and own_gradient("ClipByValue") is None


@pytest.mark.parametrize("name", SPELLINGS)
def test_guided_is_the_own_derivative_of_the_positive_part(name):
    spell, derivative, kinds = SPELLINGS[name]
    if without_gradient(name):
        pytest.skip("this TensorFlow has no gradient for ClipByValue")
    grad, reached = handed_down(spell, "guided")
    np.testing.assert_allclose(grad, derivative(X.astype(float)) * np.maximum(R, 0), rtol=1e-6, atol=1e-7)
    assert {kind.replace("AddV2", "Add") for kind in reached} == {kind.replace("AddV2", "Add") for kind in kinds}
    assert sum(reached.values()) == 1


@pytest.mark.parametrize("name", SPELLINGS)
def test_deconvnet_hands_down_the_positive_part_as_it_is(name):
    if without_gradient(name):
        pytest.skip("this TensorFlow has no gradient for ClipByValue")
    grad, reached = handed_down(SPELLINGS[name][0], "deconvnet")
    np.testing.assert_allclose(grad, np.maximum(R, 0), rtol=1e-6)
    assert sum(reached.values()) == 1


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_plain_mode_is_tensorflows_own_to_the_bit(name):
    spell, derivative, _ = SPELLINGS[name]
    if without_gradient(name):
        with pytest.raises(LookupError, match="ClipByValue"):
            handed_down(spell, "plain")
        return
    grad, reached = handed_down(spell, "plain")
    np.testing.assert_array_equal(grad, handed_down(spell, "plain", overridden=False)[0])
    np.testing.assert_allclose(grad, derivative(X.astype(float)) * R, rtol=1e-6)
    assert reached == {}


OTHER_USES = {
    "maximum of two tensors": lambda x: tf.maximum(tf.matmul(x, tf.eye(3)), x[:, ::-1]),
    "maximum with a floor": lambda x: tf.maximum(x, 1e-3),
    "maxout": lambda x: tf.pad(tf.maximum(x[:, :2], x[:, 1:]), [[0, 0], [0, 1]]),
    "shortcut": lambda x: x + tf.matmul(tf.tanh(x), tf.eye(3)),
    "batch norm": lambda x: 0.5 * x - ALPHA,
    "same tensor twice": lambda x: x + 0.5 * x,
    "swish": lambda x: x * tf.sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + tf.math.erf(x / 1.4142135)),
}


@pytest.mark.parametrize("mode", ["guided", "deconvnet"])
@pytest.mark.parametrize("name", OTHER_USES)
def test_other_uses_of_the_same_ops_are_left_alone(name, mode):
    grad, reached = handed_down(OTHER_USES[name], mode)
    assert reached == {}
    np.testing.assert_array_equal(grad, handed_down(OTHER_USES[name], "plain")[0])


def test_a_relu_beside_a_composite_keeps_its_own_rule():
    """The Relu feeds a LeakyReLU and is none of its parts: the leaf is its output."""

    def spell(x):
        rectified = tf.nn.relu(x)
        return tf.maximum(0.5 * rectified, rectified)

    grad, reached = handed_down(spell, "guided")
    assert reached == {"Maximum": 1, "Relu": 1}
    np.testing.assert_array_equal(grad, (X > 0) * np.maximum(R, 0))


def test_concatenated_relus_are_two_activations():
    """CReLU: relu(-x) is an activation of its own there, not the lower half of a LeakyReLU."""
    grad, reached = handed_down(
        lambda x: tf.reduce_sum(tf.stack([tf.nn.relu(x), tf.nn.relu(-x)]) * [[[1.0]], [[-1.0]]], 0), "guided"
    )
    assert reached == {"Relu": 2}
    # above zero R arrives as +R, below as -R: the second Relu passes only what raises it, and turns it round
    np.testing.assert_array_equal(grad, np.where(X > 0, np.maximum(R, 0), -np.maximum(-R, 0)))
