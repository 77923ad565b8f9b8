"""One axis of a tensor, followed back through ops that keep it intact: reshapes, transposes, poolings, biases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Callable, Collection, Dict, Optional, Sequence

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import ACTIVATIONS, AFFINE, FORWARDING, POOLS, REDUCTIONS, RESIZES
from gradcam_tf1.tf_runtime import tf

# each entry of the axis comes from the same entry of the data input
_ENTRY_BY_ENTRY = FORWARDING | ACTIVATIONS | AFFINE | RESIZES | POOLS | {"Cast", "Dequantize", "StopGradient"}


@dataclass(frozen=True)
class Axis:
    """An axis of a tensor, counted from 0."""

    tensor: str
    axis: int


def follow_axis(index: GraphIndex, path: Collection[str], tracked: Axis) -> Axis:
    """Follow an axis back as long as it stays intact.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : collection of str
        The tensors that carry the data.
    tracked : Axis
        The axis to follow.

    Returns
    -------
    Axis
        The same axis on the earliest tensor that still has it.
    """
    while True:
        op = index.maker[tracked.tensor]
        data = {name for name in index.carried(op, tracked.tensor) if name in path and index.rank(name) is not None}
        if len(data) != 1 or index.rank(tracked.tensor) is None:
            return tracked
        (name,) = data
        before = _axis_before(index, op, name, tracked)
        if before is None:
            return tracked
        tracked = Axis(name, before)


def _axis_before(index: GraphIndex, op: tf.Operation, name: str, tracked: Axis) -> Optional[int]:
    if op.type in _STEPS:
        return _STEPS[op.type](index, op, name, tracked)
    if op.type in REDUCTIONS:
        return _before_reduction(index, op, name, tracked)
    before, after = index.dims(name) or (), index.dims(tracked.tensor) or ()
    same = len(before) == len(after) and before[tracked.axis] == after[tracked.axis]
    return tracked.axis if same and op.type in _ENTRY_BY_ENTRY else None


def _before_transpose(index: GraphIndex, op: tf.Operation, _name: str, tracked: Axis) -> Optional[int]:
    order = index.constant(index.inputs[op.name][1])
    return None if order is None else int(order[tracked.axis])


def _before_squeeze(index: GraphIndex, op: tf.Operation, name: str, tracked: Axis) -> Optional[int]:
    rank = index.rank(name) or 0
    removed = {axis % rank for axis in op.get_attr("squeeze_dims")}
    if not removed:
        removed = {axis for axis, side in enumerate(index.dims(name) or ()) if side == 1}
    kept = [axis for axis in range(rank) if axis not in removed]
    return kept[tracked.axis] if len(kept) == index.rank(tracked.tensor) else None


def _before_expansion(index: GraphIndex, op: tf.Operation, name: str, tracked: Axis) -> Optional[int]:
    new = index.constant(index.inputs[op.name][1])
    if new is None or int(new) % ((index.rank(name) or 0) + 1) == tracked.axis:
        return None
    return tracked.axis - (int(new) % ((index.rank(name) or 0) + 1) < tracked.axis)


def _before_reshape(index: GraphIndex, _op: tf.Operation, name: str, tracked: Axis) -> Optional[int]:
    """An axis stays intact if the product of the sides after it is unchanged."""
    before, after = index.dims(name) or (), index.dims(tracked.tensor) or ()
    length, behind = after[tracked.axis], _product(after[tracked.axis + 1 :])
    if length is None or behind is None:
        return None
    for axis in reversed(range(len(before))):
        if before[axis] == length and _product(before[axis + 1 :]) == behind:
            return axis
    return None


def _product(sides: Sequence[Optional[int]]) -> Optional[int]:
    return None if None in sides else reduce(mul, [side or 0 for side in sides], 1)


def _before_reduction(index: GraphIndex, op: tf.Operation, name: str, tracked: Axis) -> Optional[int]:
    reduced, rank = index.constant(index.inputs[op.name][1]), index.rank(name) or 0
    if reduced is None:
        return None
    removed = {int(axis) % rank for axis in reduced.reshape(-1)}
    if op.get_attr("keep_dims"):
        return None if tracked.axis in removed else tracked.axis
    return [axis for axis in range(rank) if axis not in removed][tracked.axis]


_STEPS: Dict[str, Callable[[GraphIndex, tf.Operation, str, Axis], Optional[int]]] = {
    "Transpose": _before_transpose,
    "Squeeze": _before_squeeze,
    "ExpandDims": _before_expansion,
    "Reshape": _before_reshape,
}
