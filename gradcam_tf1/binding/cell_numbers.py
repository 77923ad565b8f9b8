"""Small integer tensors (sizes, paddings, crops), entry by entry: known, or computed from the size of the input.

Arithmetic that a graph does on the shape of an image becomes arithmetic steps of a `CellPlaces`.
"""

from __future__ import annotations

from typing import Callable, Dict, Optional

import numpy as np

from gradcam_tf1.binding.cell_steps import Number, StepRef, work_out
from gradcam_tf1.binding.cell_walk import CellWalk
from gradcam_tf1.tf_runtime import tf

_MOST = 64  # entries of a tensor, and ops in a chain

_OPERATORS = {
    "Add": "add", "AddV2": "add", "Sub": "sub", "Mul": "mul", "RealDiv": "div", "Div": "div", "FloorDiv": "floordiv",
    "FloorMod": "mod", "Mod": "mod", "Maximum": "max", "Minimum": "min", "Round": "round", "Rint": "round",
    "Ceil": "ceil", "Floor": "floor", "Neg": "neg",
}  # fmt: skip
_PASSED = {"Identity", "Snapshot", "StopGradient", "Bitcast"}


def numbers(cells: CellWalk, name: str, depth: int = 0) -> Optional[np.ndarray]:
    """Return the entries of a tensor.

    Parameters
    ----------
    cells : CellWalk
        The walk, which keeps the results.
    name : str
        The tensor.
    depth : int
        Number of ops followed so far.

    Returns
    -------
    np.ndarray or None
        Objects in the shape of the tensor: a number, a `StepRef`, or None if unknown. None if nothing is known.
    """
    if name not in cells.numbers:
        cells.numbers[name] = _computed(cells, name, depth) if depth < _MOST else None
    return cells.numbers[name]


def _computed(cells: CellWalk, name: str, depth: int) -> Optional[np.ndarray]:
    index = cells.index
    shape = index.tensors[name].shape
    if shape.rank is None or (shape.num_elements() or 0) > _MOST:
        return None
    op = index.maker[name]
    if op.type == "Const":
        return np.asarray(index.constant(name)).astype(object)
    if op.type == "Shape":
        return _shape(cells, index.inputs[op.name][0])
    if op.type not in _RULES and op.type not in _OPERATORS and op.type != "Unpack":
        return None
    entries = [numbers(cells, tensor, depth + 1) for tensor in index.inputs[op.name]]
    inputs = [values for values in entries if values is not None]
    if len(inputs) < len(entries):
        return None
    if op.type == "Unpack":
        return np.moveaxis(inputs[0], op.get_attr("axis"), 0)[index.outputs[op.name].index(name), ...]
    if op.type in _OPERATORS:
        kind = _OPERATORS[op.type]
        whole = kind == "div" and not index.is_float(name)  # Div of integers drops the rest
        return _rounded(cells, name, _applied(cells, "floordiv" if whole else kind, *inputs))
    return _RULES[op.type](cells, op, *inputs)


def _shape(cells: CellWalk, name: str) -> Optional[np.ndarray]:
    """Return the shape of a tensor: its fixed sides, and the number of cells along its spatial axes."""
    dims = cells.index.dims(name)
    if dims is None:
        return None
    sides = np.array(dims, object)
    origin = cells.origins.get(name)
    for axis, row in zip(origin.axes, origin.rows) if origin is not None and origin.placed else ():
        if sides[axis] is None:
            sides[axis] = StepRef(cells.step("size", (), (row,)))
    return sides


def _applied(cells: CellWalk, kind: str, *operands: np.ndarray) -> np.ndarray:
    """Arithmetic entry by entry; entries with a StepRef become steps."""
    arrays = np.broadcast_arrays(*operands)
    result = np.empty(arrays[0].shape, object)
    for position in np.ndindex(*result.shape):
        result[position] = _entry(cells, kind, *(array.item(position) for array in arrays))
    return result


def _entry(cells: CellWalk, kind: str, *values: Optional[Number]) -> Optional[Number]:
    known = tuple(value for value in values if value is not None)
    if len(known) < len(values):
        return None
    fixed = [value for value in known if not isinstance(value, StepRef)]
    if len(fixed) < len(known):
        return StepRef(cells.step(kind, known))
    result = work_out(kind, fixed)
    return None if isinstance(result, str) else result


def add(cells: CellWalk, first: Number, second: Number) -> Optional[Number]:
    """Return the sum of two entries, None if it is out of bounds."""
    return _entry(cells, "add", first, second)


def _cast(cells: CellWalk, op: tf.Operation, values: np.ndarray) -> np.ndarray:
    index = cells.index
    from_float, to_float = index.is_float(index.inputs[op.name][0]), index.is_float(index.outputs[op.name][0])
    values = _applied(cells, "whole", values) if from_float and not to_float else values
    return _rounded(cells, index.outputs[op.name][0], values)


def _rounded(cells: CellWalk, name: str, values: np.ndarray) -> np.ndarray:
    """Round to the precision of the tensor: in float32, 143 / (143 / 30) is 29.999998 and its floor 29, not 30."""
    single = cells.index.tensors[name].dtype == tf.float32
    return _applied(cells, "single", values) if single else values


def _pack(_cells: CellWalk, op: tf.Operation, *values: np.ndarray) -> np.ndarray:
    return np.stack(values, op.get_attr("axis"))


def _concat(_cells: CellWalk, _op: tf.Operation, *values: np.ndarray) -> Optional[np.ndarray]:
    axis = values[-1].item() if values[-1].ndim == 0 else None
    return np.concatenate(values[:-1], axis) if isinstance(axis, int) else None


def _slice(_cells: CellWalk, op: tf.Operation, values: np.ndarray, *ends: np.ndarray) -> Optional[np.ndarray]:
    if any(not isinstance(end, int) for array in ends for end in array.tolist()):
        return None
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    parts = []
    for bit, (begin, end, step) in enumerate(zip(*(array.tolist() for array in ends))):
        on = {name for name, mask in masks.items() if mask >> bit & 1}
        part = slice(None if "begin" in on else begin, None if "end" in on else end, step)
        special = ... if "ellipsis" in on else None if "new_axis" in on else begin if "shrink_axis" in on else part
        parts.append(special)
    try:
        return np.asarray(values[tuple(parts)], object)
    except IndexError:  # a damaged file can hold any numbers
        return None


def _gather(
    _cells: CellWalk, _op: tf.Operation, values: np.ndarray, indices: np.ndarray, *axis: np.ndarray
) -> Optional[np.ndarray]:
    picked = [entry for entry in indices.ravel().tolist() if isinstance(entry, int) and 0 <= entry < len(values)]
    first = not axis or axis[0][()] == 0
    return values[np.array(picked, int).reshape(indices.shape)] if first and len(picked) == indices.size else None


def _reshaped(cells: CellWalk, op: tf.Operation, values: np.ndarray, *_how: np.ndarray) -> Optional[np.ndarray]:
    dims = cells.index.dims(cells.index.outputs[op.name][0])
    sides = [side for side in dims or () if side is not None]
    return None if dims is None or len(sides) < len(dims) else values.reshape(sides)


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
