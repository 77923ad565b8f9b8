"""Large nets are looked through for activations and gates in time linear in their ops, whatever they are made of."""

from __future__ import annotations

from collections import Counter

import pytest
from counted_calls import calls

from gradcam_tf1.gradients.activations import Activations
from gradcam_tf1.tf_runtime import tf

STEPS = {  # a: what the step before gave, x: the images
    "residual": (lambda a, x: tf.nn.relu(a + 0.1 * a), {"Relu": 1}),
    "leaky": (lambda a, x: tf.maximum(0.9 * a, a), {"Maximum": 1}),
    "hard-swish": (lambda a, x: a * tf.nn.relu6(a + 3.0) * 0.2, {}),
    "sums": (lambda a, x: a + a, {}),
    "products with the images": (lambda a, x: tf.nn.relu(a) * x, {}),
    "products of all before": (lambda a, x: tf.identity(a) * tf.nn.relu(a), {}),
}


def repeated(step, count):
    """A graph of so many steps, one behind the other: (last output, x)."""
    with tf.Graph().as_default() as one:
        a, x = (tf.placeholder(tf.float32, [None, 4], name=name) for name in "ax")
        tf.identity(step(a, x), name="out")
    many = tf.GraphDef(versions=one.as_graph_def().versions)
    many.node.add().CopyFrom(one.get_operation_by_name("x").node_def)
    for number in range(count):
        for node in one.as_graph_def().node:
            if node.name in "ax":
                continue
            new = many.node.add()
            new.CopyFrom(node)
            new.name = f"{node.name}_{number}"
            before = {"a": f"out_{number - 1}" if number else "x", "x": "x"}
            del new.input[:]
            new.input.extend(before.get(name, f"{name}_{number}") for name in node.input)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(many, name="")
    return graph.get_tensor_by_name(f"out_{count - 1}:0"), graph.get_tensor_by_name("x:0")


@pytest.mark.parametrize("name", STEPS)
def test_large_nets_are_looked_through_in_linear_time(name):
    step, changed = STEPS[name]

    def look_through(steps):
        end, x = repeated(step, steps)
        known = Activations.between([end], x)
        ops = [op for op in end.graph.get_operations() if known.is_activation(op)]
        whole = [op.type for op in ops if not known.is_part(op) and not known.is_gate(op)]
        assert dict(Counter(whole)) == {kind: steps * count for kind, count in changed.items()}

    assert calls(lambda: look_through(500)) < 7 * calls(lambda: look_through(100))
