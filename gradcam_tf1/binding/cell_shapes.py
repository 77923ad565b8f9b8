"""What ops that move axes about, or cut cells out, do to the cells."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cell_numbers import add, numbers
from gradcam_tf1.binding.cell_walk import NOWHERE, CellOrigin, CellWalk, Rule, lost, named, on_axis
from gradcam_tf1.binding.cells import Number
from gradcam_tf1.binding.graph_index import Op

Dims = Sequence[Optional[int]]
_PARTS = 64  # no map is cut into more


def _ends(cells: CellWalk, op: Op) -> Tuple[Tuple[Optional[int], ...], Tuple[Optional[int], ...]]:
    """The sides before and after an op of one output."""
    return cells.dims(cells.walk.inputs[op.name][0]), cells.dims(cells.walk.outputs[op.name][0])


def _cut(
    cells: CellWalk, at: CellOrigin, axis: int, begin: Optional[Number], end: Optional[Number], step: int = 1
) -> CellOrigin:
    whole = begin in (0, None) and end is None and step == 1
    return at if whole else on_axis(cells, at, axis, "cut", (begin, end, step))


def _reshape(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    before, after = _ends(cells, op)
    if not before or not after:
        return lost(op)
    if not at.axes:
        return _of_tokens(cells, op, at, before, after)
    shift = len(after) - len(before)
    first, last = min(at.axes), max(at.axes)
    if first + shift > 0 and _agree(before[first:], after[first + shift :]):
        return at._replace(axes=tuple(axis + shift for axis in at.axes))  # N, or N and T, taken apart or together
    if len(after) > last + 1 and _agree(before[first : last + 1], after[first : last + 1]):
        return at  # channels taken apart or together
    channels = before[1] if first > 1 and len(before) == first + len(at.axes) else before[-1]
    if channels is not None and (after[-1] == channels or (len(after) == 3 and first > 1 and after[1] == channels)):
        return CellOrigin((), at.rows) if len(after) in (2, 3) else lost(op)
    return NOWHERE if len(after) == 2 else lost(op)


def _agree(before: Dims, after: Dims) -> bool:
    """Whether the sides can be the same, and one of them at least is known to be."""
    pairs = list(zip(before, after))
    same = len(before) == len(after) and all(a == b or None in (a, b) for a, b in pairs)
    return same and (any(a == b is not None for a, b in pairs))


def _of_tokens(cells: CellWalk, op: Op, at: CellOrigin, before: Dims, after: Dims) -> CellOrigin:
    """Tokens made a map again, [N, h, w, K]; anything else, such as heads of attention, stays tokens."""
    axes = len(at.rows)
    shape = numbers(cells, cells.walk.inputs[op.name][1])
    sides = [side if side is not None or shape is None else shape[n] for n, side in enumerate(after)][1 : axes + 1]
    if (
        len(after) == axes + 2
        and after[-1] == before[-1]
        and all(side is not None and side not in (1, -1) for side in sides)
    ):
        rows = [cells.step("expect", (side, named(op)), (row,)) for side, row in zip(sides, at.rows)]
        return CellOrigin(tuple(range(1, axes + 1)), tuple(rows))
    return NOWHERE if len(after) == 2 and after[-1] != before[-1] else at


def _transpose(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    order = cells.constant(op, 1)
    if not at.axes:
        return at
    if order is None:
        return lost(op)
    return at._replace(axes=tuple([int(axis) for axis in order].index(axis) for axis in at.axes))


def _squeeze(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    before, after = _ends(cells, op)
    given: List[int] = op.get_attr("squeeze_dims")
    if not before or (not given and not after):
        return lost(op)
    gone = {axis % len(before) for axis in given} or {axis for axis, side in enumerate(before) if side == 1}
    if gone & set(at.axes):
        return NOWHERE
    return at._replace(axes=tuple(axis - sum(g < axis for g in gone) for axis in at.axes))


def _expand(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    place, after = cells.constant(op, 1), _ends(cells, op)[1]
    if place is None or not after:
        return lost(op)
    new = int(np.ravel(place)[0]) % len(after)
    return at._replace(axes=tuple(axis + (axis >= new) for axis in at.axes))


def _strided_slice(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    if not at.axes:
        return at
    entries = _entries(cells, op)
    if entries is None:
        return lost(op)
    axes = list(at.axes)
    source, made = 0, 0
    for entry in entries:
        if entry == "new":
            made += 1
            continue
        if source in at.axes:
            if entry == "one":
                return NOWHERE
            if "?" in entry:
                return lost(op, "cuts at a place that depends on the image")
            at = _cut(cells, at, source, *entry)
            axes[at.axes.index(source)] = made
        source, made = source + 1, made + (entry != "one")
    return at._replace(axes=tuple(axes))


def _entries(cells: CellWalk, op: Op) -> Optional[List[Any]]:
    """One for each axis, (begin, end, step), "one" for an axis that goes; "new" for one that comes."""
    begins, ends = (numbers(cells, cells.walk.inputs[op.name][which]) for which in (1, 2))
    steps = cells.constant(op, 3)
    if begins is None or ends is None or steps is None:
        return None
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    rank = len(cells.dims(cells.walk.inputs[op.name][0]))
    found: List[Any] = []
    rest = rank
    for bit, (begin, end, step) in enumerate(zip(begins.tolist(), ends.tolist(), steps.tolist())):
        on = {name: bool(mask >> bit & 1) for name, mask in masks.items()}
        if on["ellipsis"]:
            later = [b for b in range(bit + 1, len(begins)) if not masks["new_axis"] >> b & 1]
            found += [(None, None, 1)] * (rest - len(later))
            rest = len(later)
        elif on["new_axis"]:
            found.append("new")
        else:
            found.append("one" if on["shrink_axis"] else (_end(on["begin"], begin), _end(on["end"], end), step))
            rest -= 1
    return found + [(None, None, 1)] * rest


def _end(masked: bool, value: Any) -> Any:
    return None if masked else "?" if value is None else value


def _slice(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    begins, sizes = (numbers(cells, cells.walk.inputs[op.name][which]) for which in (1, 2))
    if not at.axes:
        return at
    for axis in at.axes:
        begin, size = (None, None) if begins is None or sizes is None else (begins[axis], sizes[axis])
        if begin is None or size is None:
            return lost(op, "cuts at a place that depends on the image")
        at = _cut(cells, at, axis, begin, None if size == -1 else add(cells, begin, size))
    return at


def _split(cells: CellWalk, op: Op, at: CellOrigin, output: int) -> CellOrigin:
    """Split (axis, data), SplitV (data, sizes, axis)."""
    given = cells.constant(op, 0 if op.type == "Split" else 2)
    outputs = cells.walk.outputs[op.name]
    rank = len(cells.dims(outputs[0]))
    if given is None or not rank:
        return lost(op)
    axis = int(np.ravel(given)[0]) % rank
    if axis not in at.axes:
        return at
    sides = [cells.dims(name)[axis] for name in outputs[: output + 1]] if len(outputs) <= _PARTS else [None]
    if None in sides:
        return lost(op)
    ends = np.cumsum([0, *sides])
    return _cut(cells, at, axis, int(ends[output]), int(ends[output + 1]))


def _unpack(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    rank = len(cells.dims(cells.walk.inputs[op.name][0]))
    gone = op.get_attr("axis") % rank if rank else -1
    if gone in at.axes or gone < 0:
        return NOWHERE if rank else lost(op)
    return at._replace(axes=tuple(axis - (gone < axis) for axis in at.axes))


def _gather(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    indices = cells.constant(op, 1)
    given = cells.constant(op, 2) if op.type == "GatherV2" else np.array(0)
    rank = len(cells.dims(cells.walk.inputs[op.name][0]))
    if given is None or not rank or not at.axes:
        return at if not at.axes else lost(op)
    axis = int(np.ravel(given)[0]) % rank
    sides = cells.dims(cells.walk.inputs[op.name][1])
    if axis not in at.axes:
        return at._replace(axes=tuple(a + (len(sides) - 1) * (a > axis) for a in at.axes))
    steps = np.diff(indices) if indices is not None and indices.ndim == 1 else np.array([])
    if not steps.size or len(set(steps.tolist())) > 1 or steps[0] == 0 or indices is None:
        return lost(op, "picks cells out")
    step, last = int(steps[0]), int(indices[-1])
    end: Optional[int] = last + (1 if step > 0 else -1)
    return _cut(cells, at, axis, int(indices[0]), None if end is not None and end < 0 else end, step)


def _reverse(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    given = cells.constant(op, 1)
    rank = len(cells.dims(cells.walk.inputs[op.name][0]))
    if given is None or not rank:
        return lost(op)
    turned = np.flatnonzero(given) if op.type == "Reverse" else np.ravel(given) % rank
    for axis in turned.tolist():
        at = _cut(cells, at, axis, None, None, -1)
    return at


def _still(which: int, neutral: int) -> Rule:
    """Tile and Roll, which leave alone an axis whose number is `neutral`."""

    def rule(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
        given = cells.constant(op, which)
        if op.type == "Roll":
            axes, rank = cells.constant(op, 2), len(cells.dims(cells.walk.inputs[op.name][0]))
            moved = set() if axes is None or not rank else {int(axis) % rank for axis in np.ravel(axes)}
            return lost(op, "moves cells about") if axes is None or moved & set(at.axes) or not at.axes else at
        still = given is not None and bool(at.axes) and all(int(given[axis]) == neutral for axis in at.axes)
        return at if still else lost(op, "repeats cells")

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
