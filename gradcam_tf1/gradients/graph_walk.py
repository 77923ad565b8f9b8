"""Walks over the ops of a graph and the functions they call, each linear in what it visits."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Sequence, Set

from gradcam_tf1.tf_runtime import tf

# they read sizes, not values: a path through them is none
SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")
WEIGHTS = ("Const", "ReadVariableOp")  # large ones are in variables, see weights.py


def ops_before(*tensors: tf.Tensor) -> Set[tf.Operation]:
    """All ops that the tensors are made by, their own included."""
    return _closure([tensor.op for tensor in tensors], lambda op: [each.op for each in op.inputs])


def ops_after(ops: Iterable[tf.Operation], without: Sequence[tf.Operation] = ()) -> Set[tf.Operation]:
    """The ops and all that use their values, not their sizes; ways through the ops `without` are not gone."""
    blocked = set(without)
    starts = [op for op in ops if op not in blocked]
    return _closure(starts, lambda op: [each for each in users(op) if each not in blocked])


def ops_between(outputs: Sequence[tf.Tensor], start: tf.Tensor) -> List[tf.Operation]:
    """The ops on all ways of values from `start` to `outputs`, both ends' own included, in the order of the graph."""
    on_the_way = ops_after([start.op]) & ops_before(*outputs)
    return [op for op in start.graph.get_operations() if op in on_the_way]


def users(op: tf.Operation) -> List[tf.Operation]:
    """The ops that use the values of an op, each once."""
    found = [each for output in op.outputs for each in output.consumers() if each.type not in SHAPE_OPS]
    return list(dict.fromkeys(found))


def _closure(ops: Iterable[tf.Operation], following: Callable[[tf.Operation], List[tf.Operation]]) -> Set[tf.Operation]:
    stack = list(ops)
    seen = set(stack)
    while stack:
        fresh = [op for op in following(stack.pop()) if op not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return seen


def calls_with(graph: Any, ops: Sequence[Any], is_meant: Callable[[Any], bool]) -> List[Any]:
    """Those of the ops of a tf.Graph whose functions contain such a NodeDef; reads the whole graph if any calls one."""
    called = {op: names for op, names in ((op, _called_by(op.node_def)) for op in ops) if len(names) > 1}
    holding = _functions_with(graph.as_graph_def().library, is_meant) if called else set()
    return [op for op, names in called.items() if names & holding]


def _functions_with(library: Any, is_meant: Callable[[Any], bool]) -> Set[str]:
    """The functions that contain such a node, or call one that does, however far."""
    callers: Dict[str, List[str]] = {}
    found: List[str] = []
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            for called in _called_by(node):
                callers.setdefault(called, []).append(name)
        if any(is_meant(node) for node in function.node_def):
            found.append(name)
    holding = set(found)
    while found:
        fresh = [name for name in callers.get(found.pop(), ()) if name not in holding]
        holding.update(fresh)
        found += fresh
    return holding


def _called_by(node: Any) -> Set[str]:
    """The names of the functions that a NodeDef may call, its op among them."""
    names = {node.op}
    for value in node.attr.values():
        names.update(function.name for function in ([value.func] if value.HasField("func") else value.list.func))
    return names
