"""Walks on the ops of a graph, each in time linear in what it visits."""

from __future__ import annotations

from typing import Callable, Iterable, List, Sequence, Set

from gradcam_tf1.tf_runtime import tf

# they read sizes, not values: a path through them is none
SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")


def ops_before(tensor: tf.Tensor) -> Set[tf.Operation]:
    """All ops that the tensor is made by, its own included."""
    return _closure([tensor.op], lambda op: [each.op for each in op.inputs])


def ops_after(ops: Iterable[tf.Operation], without: Sequence[tf.Operation] = ()) -> Set[tf.Operation]:
    """The ops and all that use their values, not their sizes; ways through the ops `without` are not gone."""
    blocked = set(without)
    starts = [op for op in ops if op not in blocked]
    return _closure(starts, lambda op: [each for each in users(op) if each not in blocked])


def ops_between(score: tf.Tensor, start: tf.Tensor) -> List[tf.Operation]:
    """The ops on all ways from `start` to `score`, both ends' own ops included, in the order of the graph."""
    after = _closure([start.op], lambda op: [each for output in op.outputs for each in output.consumers()])
    before = ops_before(score)
    return [op for op in score.graph.get_operations() if op in after and op in before]


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
