"""Ops of conditionals (Switch, Merge) that never run, because what is fed decides them: the training half of a net."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Set

from gradcam_tf1.tf_runtime import tf

_PASSED = ("Identity", "Switch", "Snapshot")


def untaken_ops(graph: tf.Graph, fed: Mapping[str, Any]) -> Set[str]:
    """Return the names of the ops that never run.

    Parameters
    ----------
    graph : tf.Graph
        Holds the net.
    fed : mapping
        Tensor name -> its value in every run. A placeholder that is not among these has its default, if it has one.

    Returns
    -------
    set of str
        Empty where no conditional is decided by a value that is always the same.
    """
    unused: Set[str] = set()  # tensors
    found: Set[str] = set()
    for op in graph.get_operations():  # an op's inputs come before it, but for the ends of loops
        given = [tensor.name in unused for tensor in op.inputs]
        waits = any(before.name in found for before in op.control_inputs)
        if waits or (given and (all(given) if op.type == "Merge" else any(given))):
            found.add(op.name)
            unused.update(tensor.name for tensor in op.outputs)
        elif op.type == "Switch":
            taken = _value(op.inputs[1], fed)
            if taken is not None:
                unused.add(op.outputs[0 if taken else 1].name)
    return found


def _value(predicate: tf.Tensor, fed: Mapping[str, Any]) -> Optional[bool]:
    """Return the value of a predicate that is fed, or a constant or its negation; None for one that may change."""
    negated = False
    while predicate.name not in fed:
        op = predicate.op
        if op.type == "Const":
            return bool(tf.make_ndarray(op.get_attr("value"))) is not negated
        if op.type not in (*_PASSED, "LogicalNot", "PlaceholderWithDefault"):
            return None
        negated = negated is not (op.type == "LogicalNot")
        predicate = op.inputs[0]
    value = fed[predicate.name]
    return bool(value) is not negated if getattr(value, "shape", ()) == () else None
