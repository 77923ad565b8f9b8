"""The switch of gradients: without a table nothing changes, neither numbers nor ops; a table reaches every type."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from gradcam_tf1.engine.graph_import import import_graph
from gradcam_tf1.gradients import fast_gradients
from gradcam_tf1.gradients.gradient_rules import TYPES, gradient_table
from gradcam_tf1.tf_runtime import own_gradient, tf

X = np.random.RandomState(0).randn(2, 6, 6, 4).astype(np.float32)


def a_net():
    """A net with an op of most kinds on the path."""
    random = np.random.RandomState(1)
    kernel = random.randn(3, 3, 4, 4).astype(np.float32)
    net = tf.Graph()
    with net.as_default():
        x = tf.placeholder(tf.float32, [None, 6, 6, 4], name="x")
        a = tf.nn.bias_add(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), [0.1, -0.2, 0.3, 0.0])
        norm = np.float32([1.5, 0.5, -1.0, 2.0])
        a = tf.nn.fused_batch_norm(a, norm, norm + 1, norm / 3, norm**2, is_training=False)[0]
        a = tf.nn.relu6(a) + x
        b = tf.nn.depthwise_conv2d_native(
            tf.pad(a, [[0, 0], [1, 1], [1, 1], [0, 0]]), kernel[..., :1], [1] * 4, "VALID"
        )
        b = b * tf.sigmoid(tf.reduce_mean(a, [1, 2], keepdims=True)) - 0.5
        c = tf.concat([tf.nn.avg_pool(b, 2, 2, "SAME"), tf.nn.max_pool(tf.nn.elu(a), 2, 2, "SAME")], -1)
        d = tf.matmul(tf.reshape(c, [-1, 72]), random.randn(72, 3).astype(np.float32)) / 3.0
        tf.nn.softmax(d, name="y")
    return net


def differentiated(graph, table=None):
    """(gradient of the first class by x, types of the ops that were added)."""
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, y = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("y:0")
        before = set(graph.get_operations())
        if table is None:
            grad = tf.gradients(y[:, 0], x)[0]
        else:
            with gradient_table(table):
                grad = tf.gradients(y[:, 0], x)[0]
        added = Counter(op.type for op in graph.get_operations() if op not in before)
        return sess.run(grad, {x: X}), added


@pytest.mark.parametrize("table", [None, {}])
def test_without_a_rule_numbers_and_ops_are_tensorflows_own(table, monkeypatch):
    monkeypatch.setattr(fast_gradients, "_is_worth_it", lambda: False)
    own, ops = differentiated(a_net())
    ours, our_ops = differentiated(import_graph(a_net().as_graph_def(), "net"), table)
    np.testing.assert_array_equal(ours, own)
    assert our_ops == ops
    assert np.abs(own).max() > 0


def test_a_table_reaches_each_type_on_the_path():
    graph = import_graph(a_net().as_graph_def(), "net")
    on_the_path = {op.type for op in graph.get_operations()} & set(TYPES)
    assert len(on_the_path) > 14
    reached = set()

    def watched(op, own, *grads):
        reached.add(op.type)
        return own(op, *grads)

    plain = differentiated(graph)[0]
    np.testing.assert_array_equal(differentiated(graph, dict.fromkeys(TYPES, watched))[0], plain)
    assert reached == on_the_path


def test_a_rule_takes_the_place_of_one_gradient_and_an_inner_table_of_the_outer():
    net = tf.Graph()
    with net.as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        tf.reshape(tf.tanh(tf.sigmoid(x)), [1, -1], name="y")
    graph = import_graph(net.as_graph_def(), "net")
    with graph.as_default(), tf.Session(graph=graph) as sess:
        x, y = graph.get_tensor_by_name("x:0"), graph.get_tensor_by_name("y:0")
        with gradient_table({"Sigmoid": lambda op, own, grad: 2 * grad, "Tanh": lambda op, own, grad: 3 * grad}):
            with gradient_table({"Tanh": lambda op, own, grad: 5 * grad}):
                inner = tf.gradients(y, x)[0]
            outer = tf.gradients(y, x)[0]
        inner, outer, sigmoid = sess.run([inner, outer, tf.sigmoid(x)], {x: np.float32([0.3, -1.0])})
    np.testing.assert_allclose(inner, 5 * sigmoid * (1 - sigmoid), rtol=1e-6)
    np.testing.assert_array_equal(outer, [6, 6])


def test_every_type_has_a_gradient_in_one_runtime_at_least():
    known = {"ClipByValue", "Einsum", "BatchMatMulV3"}  # of newer TensorFlows
    assert not [name for name in set(TYPES) - known if own_gradient(name) is None]
