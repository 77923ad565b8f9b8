"""How ops that move axes or cut out cells change the cells: reshapes, transposes, slices, splits, gathers."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding.cell_numbers import add, numbers
from gradcam_tf1.binding.cell_steps import Number
from gradcam_tf1.binding.cell_walk import NOWHERE, CellOrigin, CellWalk, Rule, lost, named, on_axis
from gradcam_tf1.tf_runtime import tf

Dims = Sequence[Optional[int]]
_PARTS = 64  # most parts of a map


def _ends(cells: CellWalk, op: tf.Operation) -> Tuple[Tuple[Optional[int], ...], Tuple[Optional[int], ...]]:
    """Return the sides of an op's first input and first output."""
    return cells.dims(cells.index.inputs[op.name][0]), cells.dims(cells.index.outputs[op.name][0])


def _cut(
    cells: CellWalk, origin: CellOrigin, axis: int, begin: Optional[Number], end: Optional[Number], step: int = 1
) -> CellOrigin:
    whole = begin in (0, None) and end is None and step == 1
    return origin if whole else on_axis(cells, origin, axis, "cut", (begin, end, step))


def _reshape(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    before, after = _ends(cells, op)
    if not before or not after:
        return lost(op)
    if not origin.axes:
        return _of_tokens(cells, op, origin, before, after)
    shift = len(after) - len(before)
    first, last = min(origin.axes), max(origin.axes)
    if first + shift > 0 and _agree(before[first:], after[first + shift :]):
        # N, or N and T, split or merged
        return origin._replace(axes=tuple(axis + shift for axis in origin.axes))
    if len(after) > last + 1 and _agree(before[first : last + 1], after[first : last + 1]):
        return origin  # channels split or merged
    channels = before[1] if first > 1 and len(before) == first + len(origin.axes) else before[-1]
    if channels is not None and (after[-1] == channels or (len(after) == 3 and first > 1 and after[1] == channels)):
        return CellOrigin((), origin.rows) if len(after) in (2, 3) else lost(op)
    return NOWHERE if len(after) == 2 else lost(op)


def _agree(before: Dims, after: Dims) -> bool:
    """Return whether the sides can be equal, and at least one is known to be."""
    pairs = list(zip(before, after))
    same = len(before) == len(after) and all(a == b or None in (a, b) for a, b in pairs)
    return same and (any(a == b is not None for a, b in pairs))


def _of_tokens(cells: CellWalk, op: tf.Operation, origin: CellOrigin, before: Dims, after: Dims) -> CellOrigin:
    """Tokens reshaped to a map [N, h, w, K] get their axes back; others, such as attention heads, stay tokens."""
    axes = len(origin.rows)
    shape = numbers(cells, cells.index.inputs[op.name][1])
    sides = [side if side is not None or shape is None else shape[n] for n, side in enumerate(after)][1 : axes + 1]
    if (
        len(after) == axes + 2
        and after[-1] == before[-1]
        and all(side is not None and side not in (1, -1) for side in sides)
    ):
        rows = [cells.step("expect", (side, named(op)), (row,)) for side, row in zip(sides, origin.rows)]
        return CellOrigin(tuple(range(1, axes + 1)), tuple(rows))
    return NOWHERE if len(after) == 2 and after[-1] != before[-1] else origin


def _transpose(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    order = cells.constant(op, 1)
    if not origin.axes:
        return origin
    if order is None:
        return lost(op)
    return origin._replace(axes=tuple([int(axis) for axis in order].index(axis) for axis in origin.axes))


def _squeeze(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    before, after = _ends(cells, op)
    given: List[int] = op.get_attr("squeeze_dims")
    if not before or (not given and not after):
        return lost(op)
    gone = {axis % len(before) for axis in given} or {axis for axis, side in enumerate(before) if side == 1}
    if gone & set(origin.axes):
        return NOWHERE
    return origin._replace(axes=tuple(axis - sum(g < axis for g in gone) for axis in origin.axes))


def _expand(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    position, after = cells.constant(op, 1), _ends(cells, op)[1]
    if position is None or not after:
        return lost(op)
    new = int(np.ravel(position)[0]) % len(after)
    return origin._replace(axes=tuple(axis + (axis >= new) for axis in origin.axes))


def _strided_slice(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    if not origin.axes:
        return origin
    entries = _entries(cells, op)
    if entries is None:
        return lost(op)
    axes = list(origin.axes)
    source, made = 0, 0
    for entry in entries:
        if entry == "new":
            made += 1
            continue
        if source in origin.axes:
            if not isinstance(entry, _AxisCut):
                return NOWHERE
            if not entry.known:
                return lost(op, "cuts at a position that depends on the image")
            origin = _cut(cells, origin, source, entry.begin, entry.end, entry.step)
            axes[origin.axes.index(source)] = made
        source, made = source + 1, made + (entry != "one")
    return origin._replace(axes=tuple(axes))


class _AxisCut(NamedTuple):
    """The slice along one axis; known: whether begin and end are."""

    begin: Optional[Number] = None
    end: Optional[Number] = None
    step: int = 1
    known: bool = True


def _entries(cells: CellWalk, op: tf.Operation) -> Optional[List[Union[str, _AxisCut]]]:
    """Return a cut for each axis, "one" for a removed axis and "new" for an added one; None if nothing is known."""
    begins, ends = (numbers(cells, cells.index.inputs[op.name][which]) for which in (1, 2))
    steps = cells.constant(op, 3)
    if begins is None or ends is None or steps is None:
        return None
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    rank = len(cells.dims(cells.index.inputs[op.name][0]))
    entries: List[Union[str, _AxisCut]] = []
    rest = rank
    for bit, (begin, end, step) in enumerate(zip(begins.tolist(), ends.tolist(), steps.tolist())):
        on = {name: bool(mask >> bit & 1) for name, mask in masks.items()}
        if on["ellipsis"]:
            later = [b for b in range(bit + 1, len(begins)) if not masks["new_axis"] >> b & 1]
            entries += [_AxisCut()] * (rest - len(later))
            rest = len(later)
        elif on["new_axis"]:
            entries.append("new")
        else:
            entries.append("one" if on["shrink_axis"] else _axis_cut(begin, end, step, on["begin"], on["end"]))
            rest -= 1
    return entries + [_AxisCut()] * rest


def _axis_cut(begin: Optional[Number], end: Optional[Number], step: int, from_first: bool, to_last: bool) -> _AxisCut:
    known = (from_first or begin is not None) and (to_last or end is not None)
    return _AxisCut(None if from_first else begin, None if to_last else end, step, known)


def _slice(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    begins, sizes = (numbers(cells, cells.index.inputs[op.name][which]) for which in (1, 2))
    if not origin.axes:
        return origin
    for axis in origin.axes:
        begin, size = (None, None) if begins is None or sizes is None else (begins[axis], sizes[axis])
        if begin is None or size is None:
            return lost(op, "cuts at a position that depends on the image")
        origin = _cut(cells, origin, axis, begin, None if size == -1 else add(cells, begin, size))
    return origin


def _split(cells: CellWalk, op: tf.Operation, origin: CellOrigin, output: int) -> CellOrigin:
    """The inputs of Split are axis and data, those of SplitV data, sizes and axis."""
    given = cells.constant(op, 0 if op.type == "Split" else 2)
    outputs = cells.index.outputs[op.name]
    rank = len(cells.dims(outputs[0]))
    if given is None or not rank:
        return lost(op)
    axis = int(np.ravel(given)[0]) % rank
    if axis not in origin.axes:
        return origin
    sides = [cells.dims(name)[axis] for name in outputs[: output + 1]] if len(outputs) <= _PARTS else [None]
    if None in sides:
        return lost(op)
    ends = np.cumsum([0, *sides])
    return _cut(cells, origin, axis, int(ends[output]), int(ends[output + 1]))


def _unpack(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    rank = len(cells.dims(cells.index.inputs[op.name][0]))
    gone = op.get_attr("axis") % rank if rank else -1
    if gone in origin.axes or gone < 0:
        return NOWHERE if rank else lost(op)
    return origin._replace(axes=tuple(axis - (gone < axis) for axis in origin.axes))


def _gather(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    indices = cells.constant(op, 1)
    given = cells.constant(op, 2) if op.type == "GatherV2" else np.array(0)
    rank = len(cells.dims(cells.index.inputs[op.name][0]))
    if given is None or not rank or not origin.axes:
        return origin if not origin.axes else lost(op)
    axis = int(np.ravel(given)[0]) % rank
    sides = cells.dims(cells.index.inputs[op.name][1])
    if axis not in origin.axes:
        return origin._replace(axes=tuple(a + (len(sides) - 1) * (a > axis) for a in origin.axes))
    steps = np.diff(indices) if indices is not None and indices.ndim == 1 else np.array([])
    if not steps.size or len(set(steps.tolist())) > 1 or steps[0] == 0 or indices is None:
        return lost(op, "picks single cells")
    step, last = int(steps[0]), int(indices[-1])
    end: Optional[int] = last + (1 if step > 0 else -1)
    return _cut(cells, origin, axis, int(indices[0]), None if end is not None and end < 0 else end, step)


def _reverse(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    given = cells.constant(op, 1)
    rank = len(cells.dims(cells.index.inputs[op.name][0]))
    if given is None or not rank:
        return lost(op)
    turned = np.flatnonzero(given) if op.type == "Reverse" else np.ravel(given) % rank
    for axis in turned.tolist():
        origin = _cut(cells, origin, axis, None, None, -1)
    return origin


def _still(which: int, neutral: int) -> Rule:
    """Return the rule of Tile or Roll, which keep an axis whose number in input `which` is `neutral`."""

    def rule(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
        given = cells.constant(op, which)
        if op.type == "Roll":
            axes, rank = cells.constant(op, 2), len(cells.dims(cells.index.inputs[op.name][0]))
            moved = set() if axes is None or not rank else {int(axis) % rank for axis in np.ravel(axes)}
            return lost(op, "moves cells") if axes is None or moved & set(origin.axes) or not origin.axes else origin
        still = given is not None and bool(origin.axes) and all(int(given[axis]) == neutral for axis in origin.axes)
        return origin if still else lost(op, "repeats cells")

    return rule


SHAPE_RULES: Dict[str, Rule] = {
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "StridedSlice": _strided_slice,
    "Slice": _slice,
    "Split": _split,
    "SplitV": _split,
    "Unpack": _unpack,
    "Gather": _gather,
    "GatherV2": _gather,
    "Reverse": _reverse,
    "ReverseV2": _reverse,
    "Tile": _still(1, 1),
    "Roll": _still(1, 0),
}
