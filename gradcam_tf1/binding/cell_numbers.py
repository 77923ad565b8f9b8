"""Small tensors of whole numbers (sizes, paddings, crops), entry by entry: known, or worked out from the input's size.

What a graph computes from the shape of an image while it runs becomes steps of arithmetic in a `Places`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

import numpy as np

from gradcam_tf1.binding.cell_walk import CellWalk
from gradcam_tf1.binding.cells import Number, StepRef, work_out
from gradcam_tf1.binding.graph_index import Op

_MOST = 64  # entries of a tensor, and ops behind one another

_OPERATORS = {
    "Add": "add", "AddV2": "add", "Sub": "sub", "Mul": "mul", "RealDiv": "div", "Div": "div", "FloorDiv": "floordiv",
    "FloorMod": "mod", "Mod": "mod", "Maximum": "max", "Minimum": "min", "Round": "round", "Rint": "round",
    "Ceil": "ceil", "Floor": "floor", "Neg": "neg",
}  # fmt: skip
_PASSED = {"Identity", "Snapshot", "StopGradient", "Bitcast"}


def numbers(cells: CellWalk, name: str, depth: int = 0) -> Optional[np.ndarray]:
    """The entries of a tensor as an array of objects: a number, a Ref, or None where it is not known."""
    if name not in cells.numbers:
        cells.numbers[name] = _made(cells, name, depth) if depth < _MOST else None
    return cells.numbers[name]


def _made(cells: CellWalk, name: str, depth: int) -> Optional[np.ndarray]:
    walk = cells.walk
    shape = walk.tensors[name].shape
    if shape.rank is None or (shape.num_elements() or 0) > _MOST:
        return None
    op = walk.maker[name]
    if op.type == "Const":
        return np.asarray(walk.constant(name)).astype(object)
    if op.type == "Shape":
        return _shape(cells, walk.inputs[op.name][0])
    if op.type not in _RULES and op.type not in _OPERATORS and op.type != "Unpack":
        return None
    inputs = [numbers(cells, each, depth + 1) for each in walk.inputs[op.name]]
    if any(each is None for each in inputs):
        return None
    if op.type == "Unpack":
        return np.moveaxis(inputs[0], op.get_attr("axis"), 0)[walk.outputs[op.name].index(name), ...]
    if op.type in _OPERATORS:
        return _applied(cells, _OPERATORS[op.type], *inputs)
    return _RULES[op.type](cells, op, *inputs)


def _shape(cells: CellWalk, name: str) -> Optional[np.ndarray]:
    """The shape of a tensor: its fixed sides, and the number of cells along the axes that are the input's."""
    sides = cells.walk.dims(name)
    if sides is None:
        return None
    found = np.array(sides, object)
    at = cells.at.get(name)
    for axis, row in zip(at.axes, at.rows) if at is not None and at.placed else ():
        if found[axis] is None:
            found[axis] = StepRef(cells.step("size", (), (row,)))
    return found


def _applied(cells: CellWalk, kind: str, *operands: np.ndarray) -> np.ndarray:
    """Arithmetic entry by entry; what holds a Ref is worked out later."""
    whole = np.broadcast_arrays(*operands)
    result = np.empty(whole[0].shape, object)
    for place in np.ndindex(*result.shape):
        result[place] = _one(cells, kind, *(each[place] for each in whole))
    return result


def _one(cells: CellWalk, kind: str, *values: Any) -> Optional[Number]:
    if None in values:
        return None
    if any(isinstance(value, StepRef) for value in values):
        return StepRef(cells.step(kind, values))
    result = work_out(kind, values)
    return None if isinstance(result, str) else result


def add(cells: CellWalk, first: Number, second: Number) -> Optional[Number]:
    """The sum of two entries."""
    return _one(cells, "add", first, second)


def _cast(cells: CellWalk, op: Op, values: np.ndarray) -> np.ndarray:
    whole = not cells.walk.is_float(cells.walk.outputs[op.name][0])
    return _applied(cells, "whole", values) if whole and cells.walk.is_float(cells.walk.inputs[op.name][0]) else values


def _pack(_cells: CellWalk, op: Op, *values: np.ndarray) -> np.ndarray:
    return np.stack(values, op.get_attr("axis"))


def _concat(_cells: CellWalk, _op: Op, *values: np.ndarray) -> Optional[np.ndarray]:
    return np.concatenate(values[:-1], int(values[-1])) if isinstance(values[-1][()], int) else None


def _slice(_cells: CellWalk, op: Op, values: np.ndarray, *ends: np.ndarray) -> Optional[np.ndarray]:
    if any(not isinstance(end, int) for each in ends for end in each.tolist()):
        return None
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    index = []
    for bit, (begin, end, step) in enumerate(zip(*(each.tolist() for each in ends))):
        on = {name for name, mask in masks.items() if mask >> bit & 1}
        part = slice(None if "begin" in on else begin, None if "end" in on else end, step)
        special = ... if "ellipsis" in on else None if "new_axis" in on else begin if "shrink_axis" in on else part
        index.append(special)
    try:
        return np.asarray(values[tuple(index)], object)
    except IndexError:  # a file may say anything
        return None


def _gather(
    _cells: CellWalk, _op: Op, values: np.ndarray, places: np.ndarray, *axis: np.ndarray
) -> Optional[np.ndarray]:
    picked = [place for place in places.ravel().tolist() if isinstance(place, int) and 0 <= place < len(values)]
    first = not axis or axis[0][()] == 0
    return values[np.array(picked, int).reshape(places.shape)] if first and len(picked) == places.size else None


def _reshaped(cells: CellWalk, op: Op, values: np.ndarray, *_how: np.ndarray) -> Optional[np.ndarray]:
    sides = cells.walk.dims(cells.walk.outputs[op.name][0])
    return None if sides is None or None in sides else values.reshape(sides)


_RULES: Dict[str, Callable[..., Optional[np.ndarray]]] = {
    "Cast": _cast,
    "Pack": _pack,
    "ConcatV2": _concat,
    "StridedSlice": _slice,
    "GatherV2": _gather,
    "Gather": _gather,
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), _reshaped),
    **dict.fromkeys(_PASSED, lambda _cells, _op, values: values),
}
