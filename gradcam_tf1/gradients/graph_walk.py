"""Walks over the ops of a graph and the functions they call, each in linear time."""

from __future__ import annotations

from typing import Any, Callable, Container, Dict, Iterable, List, Sequence, Set

from gradcam_tf1.tf_runtime import OUR_SCOPE, tf

# these read sizes, not values: no gradient goes through them
SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")
_FILLED = ("ZerosLike", "OnesLike")  # these too, for constants of that size
_CHOOSERS = ("ArgMax", "TopK", "TopKV2")
WEIGHTS = ("Const", "ReadVariableOp")  # large constants become variables, see engine/large_weights.py


def ops_before(*tensors: tf.Tensor) -> Set[tf.Operation]:
    """Return all ops from which the tensors are computed, their own ops included."""
    return _closure([tensor.op for tensor in tensors], lambda op: [tensor.op for tensor in op.inputs])


def ops_after(ops: Iterable[tf.Operation], without: Sequence[tf.Operation] = ()) -> Set[tf.Operation]:
    """Return the ops and all that use their values, not only their sizes, on paths that avoid the ops `without`."""
    blocked = set(without)
    starts = [op for op in ops if op not in blocked]
    return _closure(starts, lambda op: [user for user in users(op) if user not in blocked])


def ops_between(outputs: Sequence[tf.Tensor], start: tf.Tensor, without: Container[str] = ()) -> List[tf.Operation]:
    """Return the ops on all paths of values from `start` to `outputs`, ends included, in the order of the graph.

    The paths avoid the ops of the names `without`.
    """
    reached = _closure([start.op], lambda op: [user for user in users(op) if user.name not in without])
    return _in_order(start.graph, reached & _before(outputs, without))


def values_between(output: tf.Tensor, start: tf.Tensor, without: Container[str] = ()) -> List[tf.Operation]:
    """Return those of `ops_between` that make the values of a score, and not only choose which ones it takes.

    A target chooses a class, or the positions where the net predicts it, by ArgMax and TopK of the package's own.
    """
    reached = _closure([start.op], lambda op: [user for user in _users_of_values(op) if user.name not in without])
    return _in_order(start.graph, reached & _before([output], without))


def _before(outputs: Sequence[tf.Tensor], without: Container[str]) -> Set[tf.Operation]:
    ends = [tensor.op for tensor in outputs]
    return _closure(ends, lambda op: [tensor.op for tensor in op.inputs if tensor.op.name not in without])


def _in_order(graph: tf.Graph, ops: Set[tf.Operation]) -> List[tf.Operation]:
    return [op for op in graph.get_operations() if op in ops]


def users(op: tf.Operation) -> List[tf.Operation]:
    """Return the ops that use the values of an op, each once."""
    return _users(op.outputs)


def _users_of_values(op: tf.Operation) -> List[tf.Operation]:
    chooses = op.type in _CHOOSERS and op.name.startswith(OUR_SCOPE)
    return _users([output for output in op.outputs if output.dtype.is_floating or not chooses])


def _users(outputs: Iterable[tf.Tensor]) -> List[tf.Operation]:
    consumers = [user for output in outputs for user in output.consumers() if user.type not in (*SHAPE_OPS, *_FILLED)]
    return list(dict.fromkeys(consumers))


def _closure(ops: Iterable[tf.Operation], following: Callable[[tf.Operation], List[tf.Operation]]) -> Set[tf.Operation]:
    stack = list(ops)
    seen = set(stack)
    while stack:
        fresh = [op for op in following(stack.pop()) if op not in seen]
        seen.update(fresh)
        stack.extend(fresh)
    return seen


def calls_with(
    graph: tf.Graph, ops: Sequence[tf.Operation], matches: Callable[[tf.NodeDef], bool]
) -> List[tf.Operation]:
    """Return the ops that call a function with a matching node.

    If any op calls a function, the definition of the whole graph is read.

    Parameters
    ----------
    graph : tf.Graph
        The graph of the ops.
    ops : sequence of tf.Operation
        The ops to check.
    matches : callable
        Whether a NodeDef of a function matches.

    Returns
    -------
    list of tf.Operation
    """
    called = {op: names for op, names in ((op, _called_by(op.node_def)) for op in ops) if len(names) > 1}
    holding = _functions_with(graph.as_graph_def().library, matches) if called else set()
    return [op for op, names in called.items() if names & holding]


def _functions_with(library: Any, matches: Callable[[tf.NodeDef], bool]) -> Set[str]:
    """Return the functions of a FunctionDefLibrary that contain a matching node, or call one that does."""
    callers: Dict[str, List[str]] = {}
    pending: List[str] = []
    for function in library.function:
        name = function.signature.name
        for node in function.node_def:
            for called in _called_by(node):
                callers.setdefault(called, []).append(name)
        if any(matches(node) for node in function.node_def):
            pending.append(name)
    holding = set(pending)
    while pending:
        fresh = [name for name in callers.get(pending.pop(), ()) if name not in holding]
        holding.update(fresh)
        pending += fresh
    return holding


def _called_by(node: tf.NodeDef) -> Set[str]:
    """Return the names of the functions that a node may call, its op type among them."""
    names = {node.op}
    for value in node.attr.values():
        names.update(function.name for function in ([value.func] if value.HasField("func") else value.list.func))
    return names
