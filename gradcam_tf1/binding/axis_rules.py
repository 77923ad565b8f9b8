"""How one op changes the axes of images and channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence

import numpy as np

from gradcam_tf1.binding.graph_index import Axes, GraphIndex
from gradcam_tf1.binding.layout import op_layout
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, CTC_OPS, DENSE, REDUCTIONS
from gradcam_tf1.binding.reshapes import channels_after, merges_channels, merges_rows, splits_rows
from gradcam_tf1.tf_runtime import tf

KnownAxes = Mapping[str, Axes]

# Each rule takes the op, its input `name` and the known axes of all tensors. It returns the axes of the op's output.


def _rank_of(index: GraphIndex, op: tf.Operation) -> Optional[int]:
    return index.rank(index.outputs[op.name][0])


def _layer(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank, state = _rank_of(index, op), known[name]
    if state.merged is not None or (op.type in DENSE and _sums_beside_channels(index, op, name, state)):
        return state
    if rank is None:
        return replace(state, channels=None, split=False)
    first = op.type in CONVOLUTIONS and op_layout(op) is False
    return replace(state, channels=frozenset({1 if first else rank - 1}), split=False)


def _sums_beside_channels(index: GraphIndex, op: tf.Operation, name: str, state: Axes) -> bool:
    """Return whether a product sums over another last axis than the channels: members, positions."""
    rank = index.rank(name)
    if not state.channels or rank is None or rank < 3 or index.inputs[op.name][0] != name:
        return False
    turned = any(op.node_def.attr[key].b for key in ("adj_x", "transpose_a") if key in op.node_def.attr)
    return not turned and _rank_of(index, op) == rank and rank - 1 not in state.channels


def _moved(state: Axes, new_axis: Callable[[int], Optional[int]]) -> Axes:
    """Renumber the axes; `new_axis` returns None for a removed axis."""
    channels = state.channels
    if channels is not None:
        moved = [new_axis(axis) for axis in channels]
        channels = frozenset(axis for axis in moved if axis is not None)
    if state.rows:
        return replace(state, channels=channels)
    return replace(state, images=None if state.images is None else new_axis(state.images), channels=channels)


def _transpose(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    order = index.constant(index.inputs[op.name][1])
    if order is None:
        return replace(known[name], channels=None)
    axes = [int(axis) for axis in order.reshape(-1)]
    return _moved(known[name], lambda axis: axes.index(axis) if axis in axes else None)


def _numbers(value: Optional[np.ndarray]) -> List[int]:
    return [] if value is None else [int(number) for number in value.reshape(-1)]


def _expanded(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank, state = index.rank(name), known[name]
    axes = _numbers(index.constant(index.inputs[op.name][1]))
    if rank is None or not axes:
        return replace(state, channels=None)
    new = axes[0] % (rank + 1)
    moved = _moved(state, lambda axis: axis + (axis >= new))
    return replace(moved, images=0) if state.images is None and new == 0 else moved


def _without(state: Axes, gone: Sequence[int]) -> Axes:
    return _moved(state, lambda axis: None if axis in gone else axis - sum(removed < axis for removed in gone))


def _squeezed(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    dims = index.dims(name)
    if dims is None:
        return replace(known[name], channels=None)
    axes = [axis % len(dims) for axis in op.get_attr("squeeze_dims")]
    gone = axes or [axis for axis, side in enumerate(dims) if side == 1]
    return _without(known[name], gone)


def _reduced(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank = index.rank(name)
    axes = _numbers(index.constant(index.inputs[op.name][1])) if len(index.inputs[op.name]) > 1 else []
    if rank is None or not axes:
        return replace(known[name], channels=None)
    if _rank_of(index, op) == rank:
        return known[name]
    return _without(known[name], [axis % rank for axis in axes])


def _sliced(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank, state = index.rank(name), known[name]
    shrunk, new, dots = (op.get_attr(key) for key in ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask"))
    if not shrunk and not new:
        return state
    begin = _numbers(index.constant(index.inputs[op.name][1]))
    if rank is None or not begin:
        return replace(state, channels=None)
    new_axes: Dict[int, Optional[int]] = {}
    consumed = len(begin) - bin(new & ((1 << len(begin)) - 1)).count("1") - bool(dots)
    before = after = 0
    for n in range(len(begin)):
        if dots >> n & 1:
            for _ in range(rank - consumed):
                new_axes[before] = after
                before, after = before + 1, after + 1
        elif new >> n & 1:
            if after == 0 and state.images is None:
                state, new_axes[-1] = replace(state, images=-1), 0
            after += 1
        else:
            new_axes[before] = None if shrunk >> n & 1 else after
            before, after = before + 1, after + (not shrunk >> n & 1)
    return _moved(state, lambda axis: new_axes.get(axis, after + axis - before if axis >= before else None))


def _packed(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank = index.rank(name)
    if rank is None:
        return replace(known[name], channels=None)
    new = op.get_attr("axis") % (rank + 1)
    state = _moved(known[name], lambda axis: axis + (axis >= new))
    if state.images is None and new == 0:
        state = replace(state, images=0)
    return replace(state, channels=frozenset({new})) if state.channels == frozenset() else state


def _unpacked(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    rank = index.rank(name)
    return known[name] if rank is None else _without(known[name], [op.get_attr("axis") % rank])


def _chosen(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    """Gather: rows picked along the image axis may belong to any image, in any number."""
    state = known[name]
    if index.inputs[op.name][0] != name:
        return state
    axes = _numbers(index.constant(index.inputs[op.name][2])) if len(index.inputs[op.name]) > 2 else [0]
    if op.type == "GatherNd" or axes == [state.images]:
        return replace(state, images=0, rows=True, uneven=True, channels=_last(index, op))
    return state if _rank_of(index, op) == index.rank(name) else replace(state, channels=None)


def _last(index: GraphIndex, op: tf.Operation) -> Optional[FrozenSet[int]]:
    rank = _rank_of(index, op)
    return None if not rank else frozenset({rank - 1})


def _cropped(_index: GraphIndex, _op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    return replace(known[name], images=0, rows=True, uneven=True)


def _reshaped(index: GraphIndex, op: tf.Operation, name: str, known: KnownAxes) -> Axes:
    state, before, after = known[name], index.dims(name), index.dims(index.outputs[op.name][0])
    if before is None or after is None or not before or not after:
        return replace(state, channels=None)
    if state.merged is not None:
        apart = len(after) > state.merged
        return replace(state, rows=False, channels=frozenset({state.merged}), merged=None) if apart else state
    product = _is_product_of_sides(index, op)
    if state.channels and not state.rows and merges_channels(state.channels, before, after, product):
        return replace(state, rows=True, channels=frozenset(), merged=min(state.channels))
    channels, split = channels_after(state.channels, before, after)
    state = replace(state, channels=channels, split=state.split or split)
    if state.images is None:
        return replace(state, images=0) if after[0] == 1 and len(after) > 1 else state
    if state.rows:
        return state if not splits_rows(before, after) else replace(state, rows=False, uneven=False)
    if state.images == 1:
        return replace(state, rows=len(after) < len(before))
    if state.images != 0 or _kept(index, op, known):
        return state
    return replace(state, rows=merges_rows(before, after) or product)


def _is_product_of_sides(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the first requested side is a product of several sides of a tensor, as in tf.tensordot."""
    shape = index.source(index.inputs[op.name][1])
    first = index.source(index.inputs[shape.name][0]) if shape.type == "Pack" else shape
    if first.type != "Prod":
        return False
    sides = index.dims(index.inputs[first.name][0])
    return sides is not None and len(sides) == 1 and (sides[0] or 1) > 1


def _kept(index: GraphIndex, op: tf.Operation, known: KnownAxes) -> bool:
    """Return whether the first requested side is read from a tensor's number of images."""
    shape = index.source(index.inputs[op.name][1])
    if shape.type not in ("Pack", "Concat", "ConcatV2"):
        return False
    first = index.source(index.inputs[shape.name][shape.type == "Concat"])
    while first.type in ("StridedSlice", "Slice", "Gather", "GatherV2", "Cast", "Squeeze", "Reshape"):
        start = index.constant(index.inputs[first.name][1]) if len(index.inputs[first.name]) > 1 else None
        if first.type in ("StridedSlice", "Slice", "Gather", "GatherV2") and _numbers(start)[:1] != [0]:
            return False
        first = index.source(index.inputs[first.name][0])
    if first.type != "Shape":
        return False
    state = known.get(index.inputs[first.name][0])
    return state is not None and state.images == 0 and not state.rows


def _decoded(_index: GraphIndex, _op: tf.Operation, _name: str, _known: KnownAxes) -> Axes:
    return Axes(None, uneven=True)


RULES: Dict[str, Callable[[GraphIndex, tf.Operation, str, KnownAxes], Axes]] = {
    **dict.fromkeys(CONVOLUTIONS | DENSE | {"Einsum"}, _layer),
    **dict.fromkeys(REDUCTIONS | {"ArgMax", "ArgMin"}, _reduced),
    **dict.fromkeys(("Gather", "GatherV2", "GatherNd", "ResourceGather"), _chosen),
    **dict.fromkeys(CTC_OPS, _decoded),
    "Transpose": _transpose,
    "Reshape": _reshaped,
    "ExpandDims": _expanded,
    "Squeeze": _squeezed,
    "StridedSlice": _sliced,
    "Pack": _packed,
    "Unpack": _unpacked,
    "CropAndResize": _cropped,
}
