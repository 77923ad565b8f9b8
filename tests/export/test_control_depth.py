"""Which ops lie inside loops and conditionals."""

from __future__ import annotations

import pytest
from loop_nets import loops_of_ops

from gradcam_tf1.export.control_depth import ops_inside
from gradcam_tf1.tf_runtime import tf


@pytest.fixture(scope="module")
def found():
    graph = tf.Graph()
    with graph.as_default(), loops_of_ops():
        x = tf.placeholder(tf.float32, [None], name="x")

        def body(t, h):
            return t + 1, tf.cond(t > 1, lambda: tf.multiply(h, 2.0, name="deep"), lambda: h)

        _, h = tf.while_loop(lambda t, _: tf.less(t, 3, name="condition"), body, [0, tf.identity(x, name="start")])
        y = tf.identity(h, name="after_the_loop")
        z = tf.cond(tf.reduce_sum(y) > 0, lambda: tf.add(tf.constant([1.0], name="waits"), y, name="taken"), lambda: y)
        tf.identity(z, name="after_both")
    return {name.split("/")[-1] for name in ops_inside(graph)}


@pytest.mark.parametrize("name", ["deep", "condition", "waits", "taken"])
def test_ops_inside(found, name):
    assert name in found


@pytest.mark.parametrize("name", ["x", "start", "after_the_loop", "after_both"])
def test_ops_outside(found, name):
    assert name not in found
