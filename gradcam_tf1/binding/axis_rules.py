"""What one op does to the axes of images and of channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layout import op_layout
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, CTC_OPS, DENSE, REDUCTIONS
from gradcam_tf1.binding.reshapes import channels_after, merges_rows, splits_rows


@dataclass(frozen=True)
class Axes:
    """Where the images and the channels of a tensor lie.

    images: their axis, None where there is none. rows: several rows of axis 0 belong to an image, image by image
    (images = 0) or, of a sequence with the time in front, step by step (images = 1). uneven: perhaps not the same
    number for each image. channels: the axes that hold channels, empty where they are mixed with positions, None
    where that is not known. split: the channels of a layer were split into anchors and classes.
    """

    images: Optional[int] = 0
    rows: bool = False
    uneven: bool = False
    channels: Optional[FrozenSet[int]] = None
    split: bool = False


# rules: what becomes of the axes of input `name` in an op

Found = Mapping[str, Axes]


def _rank_of(walk: GraphIndex, op: Op) -> Optional[int]:
    return walk.rank(walk.outputs[op.name][0])


def _layer(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank = _rank_of(walk, op)
    if rank is None:
        return replace(found[name], channels=None, split=False)
    first = op.type in CONVOLUTIONS and op_layout(op) is False
    return replace(found[name], channels=frozenset({1 if first else rank - 1}), split=False)


def _moved(state: Axes, place: Callable[[int], Optional[int]]) -> Axes:
    """The axes at their new places; None: gone."""
    channels = state.channels
    if channels is not None:
        places = [place(axis) for axis in channels]
        channels = frozenset(axis for axis in places if axis is not None)
    if state.rows:
        return replace(state, channels=channels)
    return replace(state, images=None if state.images is None else place(state.images), channels=channels)


def _transpose(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    order = walk.constant(walk.inputs[op.name][1])
    if order is None:
        return replace(found[name], channels=None)
    axes = [int(axis) for axis in order.reshape(-1)]
    return _moved(found[name], lambda axis: axes.index(axis) if axis in axes else None)


def _numbers(value: Any) -> List[int]:
    return [] if value is None else [int(number) for number in value.reshape(-1)]


def _expanded(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank, state = walk.rank(name), found[name]
    axes = _numbers(walk.constant(walk.inputs[op.name][1]))
    if rank is None or not axes:
        return replace(state, channels=None)
    new = axes[0] % (rank + 1)
    moved = _moved(state, lambda axis: axis + (axis >= new))
    return replace(moved, images=0) if state.images is None and new == 0 else moved


def _without(state: Axes, gone: Sequence[int]) -> Axes:
    return _moved(state, lambda axis: None if axis in gone else axis - sum(each < axis for each in gone))


def _squeezed(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    dims = walk.dims(name)
    if dims is None:
        return replace(found[name], channels=None)
    axes = [axis % len(dims) for axis in op.get_attr("squeeze_dims")]
    gone = axes or [axis for axis, side in enumerate(dims) if side == 1]
    return _without(found[name], gone)


def _reduced(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank = walk.rank(name)
    axes = _numbers(walk.constant(walk.inputs[op.name][1])) if len(walk.inputs[op.name]) > 1 else []
    if rank is None or not axes:
        return replace(found[name], channels=None)
    if _rank_of(walk, op) == rank:
        return found[name]
    return _without(found[name], [axis % rank for axis in axes])


def _sliced(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank, state = walk.rank(name), found[name]
    shrunk, new, dots = (op.get_attr(key) for key in ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask"))
    if not shrunk and not new:
        return state
    begin = _numbers(walk.constant(walk.inputs[op.name][1]))
    if rank is None or not begin:
        return replace(state, channels=None)
    places: Dict[int, Optional[int]] = {}
    given = len(begin) - bin(new & ((1 << len(begin)) - 1)).count("1") - bool(dots)
    before = after = 0
    for n in range(len(begin)):
        if dots >> n & 1:
            for _ in range(rank - given):
                places[before] = after
                before, after = before + 1, after + 1
        elif new >> n & 1:
            if after == 0 and state.images is None:
                state, places[-1] = replace(state, images=-1), 0
            after += 1
        else:
            places[before] = None if shrunk >> n & 1 else after
            before, after = before + 1, after + (not shrunk >> n & 1)
    return _moved(state, lambda axis: places.get(axis, after + axis - before if axis >= before else None))


def _packed(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank = walk.rank(name)
    if rank is None:
        return replace(found[name], channels=None)
    new = op.get_attr("axis") % (rank + 1)
    state = _moved(found[name], lambda axis: axis + (axis >= new))
    if state.images is None and new == 0:
        state = replace(state, images=0)
    return replace(state, channels=frozenset({new})) if state.channels == frozenset() else state


def _unpacked(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    rank = walk.rank(name)
    return found[name] if rank is None else _without(found[name], [op.get_attr("axis") % rank])


def _chosen(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    """Gathers: rows that are picked along the axis of images may be any number of each."""
    state = found[name]
    if walk.inputs[op.name][0] != name:
        return state
    axes = _numbers(walk.constant(walk.inputs[op.name][2])) if len(walk.inputs[op.name]) > 2 else [0]
    if op.type == "GatherNd" or axes == [state.images]:
        return replace(state, images=0, rows=True, uneven=True, channels=_last(walk, op))
    return state if _rank_of(walk, op) == walk.rank(name) else replace(state, channels=None)


def _last(walk: GraphIndex, op: Op) -> Optional[FrozenSet[int]]:
    rank = _rank_of(walk, op)
    return None if not rank else frozenset({rank - 1})


def _cropped(_walk: GraphIndex, _op: Op, name: str, found: Found) -> Axes:
    return replace(found[name], images=0, rows=True, uneven=True)


def _reshaped(walk: GraphIndex, op: Op, name: str, found: Found) -> Axes:
    state, before, after = found[name], walk.dims(name), walk.dims(walk.outputs[op.name][0])
    if before is None or after is None or not before or not after:
        return replace(state, channels=None)
    channels, split = channels_after(state.channels, before, after)
    state = replace(state, channels=channels, split=state.split or split)
    if state.images is None:
        return replace(state, images=0) if after[0] == 1 and len(after) > 1 else state
    if state.rows:
        return state if not splits_rows(before, after) else replace(state, rows=False, uneven=False)
    if state.images == 1:
        return replace(state, rows=len(after) < len(before))
    if state.images != 0 or _kept(walk, op, found):
        return state
    return replace(state, rows=merges_rows(before, after) or _is_product_of_sides(walk, op))


def _is_product_of_sides(walk: GraphIndex, op: Op) -> bool:
    """Whether the first side asked for is the product of several sides of a tensor, as tf.tensordot reads them off."""
    shape = walk.source(walk.inputs[op.name][1])
    first = walk.source(walk.inputs[shape.name][0]) if shape.type == "Pack" else shape
    if first.type != "Prod":
        return False
    sides = walk.dims(walk.inputs[first.name][0])
    return sides is not None and len(sides) == 1 and (sides[0] or 1) > 1


def _kept(walk: GraphIndex, op: Op, found: Found) -> bool:
    """Whether the first side asked for is read off a tensor's own number of images."""
    shape = walk.source(walk.inputs[op.name][1])
    if shape.type not in ("Pack", "Concat", "ConcatV2"):
        return False
    first = walk.source(walk.inputs[shape.name][shape.type == "Concat"])
    while first.type in ("StridedSlice", "Slice", "Gather", "GatherV2", "Cast", "Squeeze", "Reshape"):
        start = walk.constant(walk.inputs[first.name][1]) if len(walk.inputs[first.name]) > 1 else None
        if first.type in ("StridedSlice", "Slice", "Gather", "GatherV2") and _numbers(start)[:1] != [0]:
            return False
        first = walk.source(walk.inputs[first.name][0])
    if first.type != "Shape":
        return False
    state = found.get(walk.inputs[first.name][0])
    return state is not None and state.images == 0 and not state.rows


def _decoded(_walk: GraphIndex, _op: Op, _name: str, _found: Found) -> Axes:
    return Axes(None, uneven=True)


RULES: Dict[str, Callable[[GraphIndex, Op, str, Found], Axes]] = {
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
