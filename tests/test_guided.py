"""The switch: off it is TensorFlow's own gradient to the bit, on it drops negative gradients, in its own thread."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from gradcam_tf1.guided import guided_relu, override_map
from gradcam_tf1.importing import import_graph
from gradcam_tf1.tf_runtime import tf


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
            with guided_relu() as reached:
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


def test_the_switch_is_off_again_after_an_error_and_in_other_threads():
    graph = relu_chain("relu", overridden=True)
    values = np.array([[0.5, 0.5, 0.5]], np.float32)
    with pytest.raises(RuntimeError, match="stop"), guided_relu():
        raise RuntimeError("stop")
    np.testing.assert_array_equal(slope(graph, values), [[3, -1, -2]])
    answers = []
    with guided_relu() as reached:
        thread = threading.Thread(target=lambda: answers.append(slope(graph, values)))
        thread.start()
        thread.join()
    assert reached.count == 0
    np.testing.assert_array_equal(answers[0], [[3, -1, -2]])


def test_activations_without_the_override_are_not_counted():
    graph = relu_chain("relu", overridden=False)
    with graph.as_default(), guided_relu() as reached:
        tf.gradients(graph.get_tensor_by_name("y:0"), graph.get_tensor_by_name("x:0"))
    assert reached.count == 0


def test_registering_twice_in_a_process_is_harmless():
    for _ in range(2):
        graph = tf.Graph()
        with graph.as_default(), override_map(graph):
            tf.nn.relu([1.0])
