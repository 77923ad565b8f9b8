"""Constant conditionals go, with their gradients; those that an input decides stay."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.export.decided_branches import with_decided_branches
from gradcam_tf1.tf_runtime import tf


def conditional(predicate):
    """out = d/dx of 2 x or 3 x, by TensorFlow's conditional of version 1."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None], name="x")
        decides = tf.identity(predicate())
        no, yes = tf.raw_ops.Switch(data=x, pred=decides)
        y, _ = tf.raw_ops.Merge(inputs=[no * 3, yes * 2])
        tf.identity(y, name="out")
    return graph.as_graph_def()


def kinds(graph_def):
    return {node.op for node in graph_def.node}


def run(graph_def, feed):
    graph = tf.Graph()
    with graph.as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name="")
        return sess.run("out:0", feed)


def test_a_constant_conditional_is_replaced_by_the_branch_that_is_taken():
    for value, factor in ((True, 2), (False, 3)):
        decided = with_decided_branches(conditional(lambda value=value: tf.constant(value)), ["out:0"])
        assert not kinds(decided) & {"Switch", "Merge"}
        np.testing.assert_array_equal(run(decided, {"x:0": [5.0]}), [5.0 * factor])


def test_a_conditional_of_an_input_stays():
    before = conditional(lambda: tf.placeholder(tf.bool, [], name="asked"))
    decided = with_decided_branches(before, ["out:0"])
    assert kinds(decided) >= {"Switch", "Merge"}
    for value, factor in ((True, 2), (False, 3)):
        np.testing.assert_array_equal(run(decided, {"x:0": [5.0], "asked:0": value}), [5.0 * factor])
