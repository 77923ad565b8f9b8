"""Conditionals whose predicate is constant, such as a net's learning phase, replaced by the branch that is taken."""

from __future__ import annotations

from typing import Dict, Sequence, Set

from gradcam_tf1.export.control_depth import ops_inside
from gradcam_tf1.export.rewired import rewired
from gradcam_tf1.gradients.graph_walk import ops_before
from gradcam_tf1.tf_runtime import tf


def with_decided_branches(graph_def: tf.GraphDef, outputs: Sequence[str]) -> tf.GraphDef:
    """Return the graph without the conditionals (Switch, Merge) that no input decides.

    Parameters
    ----------
    graph_def : tf.GraphDef
        A frozen graph.
    outputs : sequence of str
        Names of the tensors that must stay.
    """
    nodes = len(graph_def.node) + 1
    while len(graph_def.node) < nodes:  # gradients of conditionals are conditionals on which branch was taken
        nodes = len(graph_def.node)
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
            known = _predicates(graph)
            if not known:
                return graph_def
            graph_def = rewired(graph, _taken(graph, known), outputs)
    return graph_def


def _predicates(graph: tf.Graph) -> Dict[str, bool]:
    """Return the values of the predicates that depend on no input, and lie in no other conditional and in no loop."""
    inside = ops_inside(graph)
    predicates = {op.inputs[1].name: op.inputs[1] for op in graph.get_operations() if op.type == "Switch"}
    outer = {name: tensor for name, tensor in predicates.items() if tensor.op.name not in inside}
    fixed = [name for name, tensor in outer.items() if not any(map(_is_open, ops_before(tensor)))]
    with tf.Session(graph=graph) as sess:
        return dict(zip(fixed, map(bool, sess.run(fixed)))) if fixed else {}


def _is_open(op: tf.Operation) -> bool:
    return op.type.startswith("Placeholder") or op.type in ("Switch", "Merge")


def _taken(graph: tf.Graph, known: Dict[str, bool]) -> Dict[str, str]:
    """Return for each output of a decided conditional the tensor that it passes on."""
    passed: Dict[str, str] = {}
    dead: Set[str] = set()
    for op in graph.get_operations():  # an op's inputs come before it
        live = [tensor.name for tensor in op.inputs if tensor.name not in dead]
        waits = any(before.outputs and before.outputs[0].name in dead for before in op.control_inputs)
        if op.type == "Merge" and live:
            if len(live) < len(op.inputs):
                taken = [tensor.name for tensor in op.inputs].index(live[0])
                passed.update({op.outputs[0].name: live[0], op.outputs[1].name: tf.constant(taken).name})
        elif waits or len(live) < len(op.inputs):
            dead.update(tensor.name for tensor in op.outputs)
        elif op.type == "Switch" and op.inputs[1].name in known:
            taken = int(known[op.inputs[1].name])  # output 0 for false, 1 for true
            passed[op.outputs[taken].name] = op.inputs[0].name
            dead.add(op.outputs[1 - taken].name)
    return passed
