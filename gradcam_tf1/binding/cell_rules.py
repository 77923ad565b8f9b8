"""How each kind of op changes the cells that pass through it, and the pass that places the cells of every tensor."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from gradcam_tf1.binding.cell_shapes import SHAPE_RULES
from gradcam_tf1.binding.cell_steps import MIXED
from gradcam_tf1.binding.cell_walk import NOWHERE, CellOrigin, CellWalk, Data, Rule, attribute, lost, named, on_axis
from gradcam_tf1.binding.cell_windows import WINDOW_RULES
from gradcam_tf1.binding.cells import CellPlaces
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import (
    ACTIVATION_PARTS,
    AFFINE,
    BATCH_NORMS,
    CLIPS,
    CONDITIONS,
    DENSE,
    FORWARDING,
    REDUCTIONS,
)
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf

Layouts = Mapping[str, MapLayout]

# number of the data input where it is not the first
_DATA = {"Conv2DBackpropInput": 2, "Conv3DBackpropInputV2": 2, "Split": 1}
_WEIGHTS = DENSE | {"Einsum", "XlaEinsum"}
# ops of which not every input reaches every output
_PICKY = {"Switch", "RefSwitch"} | BATCH_NORMS
_LOOPS = {"Enter", "RefEnter", "NextIteration", "Exit", "While", "StatelessWhile"}
# ops that work value by value, or over the channels only
_EACH_CELL = (ACTIVATION_PARTS | AFFINE | BATCH_NORMS | CLIPS | FORWARDING | {
    "AddN", "LRN", "Softmax", "LogSoftmax", "Sqrt", "Rsqrt", "Log", "SquaredDifference", "FloorDiv", "FloorMod", "Mod",
    "Sign", "Floor", "Ceil", "Round", "Rint", "Reciprocal", "Inv", "Sin", "Cos", "Atan", "Atan2", "Asinh", "DivNoNan",
    "MulNoNan", "Xlogy", "Expm1", "LogicalAnd", "LogicalOr", "LogicalNot", "Equal", "NotEqual", "IsNan", "Quantize",
    "QuantizeV2", "Dequantize", "QuantizeDownAndShrinkRange", "Requantize", "QuantizedRelu", "QuantizedRelu6",
    "QuantizedBiasAdd", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel",
    "QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "StopGradient", "Bitcast",
    "AdjustContrastv2", "AdjustHue", "AdjustSaturation", "HSVToRGB", "RGBToHSV", "Print", "PrintV2", "BroadcastTo",
    "Bucketize",
}) - _LOOPS - {"Where"}  # fmt: skip


def follow(cells: CellWalk, op: tf.Operation, path: Set[str]) -> None:
    """Note the origin of the cells of an op's outputs, from that of its inputs.

    Parameters
    ----------
    cells : CellWalk
        The walk, which keeps the origins.
    op : tf.Operation
        The op.
    path : set of str
        The tensors of interest.
    """
    name, kind = op.name, op.type  # each attribute is a call into TensorFlow
    inputs, outputs = cells.index.inputs[name], cells.index.outputs[name]
    data = [(n, cells.origins[tensor]) for n, tensor in enumerate(inputs) if tensor in cells.origins]
    if kind in _EACH_CELL and len(inputs) == len(outputs) == len(data) == 1:  # shortcut for most ops
        cells.origins.setdefault(outputs[0], data[0][1])
        return
    if kind not in _EACH_CELL or kind in _PICKY:
        data = [(n, origin) for n, origin in data if cells.index.flows(op, n)]
    for number, output in enumerate(outputs):
        if output in path and output not in cells.origins:
            sources = [item for item in data if item[0] == number] if kind == "IdentityN" else data
            cells.origins[output] = _origin_after(cells, op, kind, number, sources)


def _origin_after(cells: CellWalk, op: tf.Operation, kind: str, number: int, data: Data) -> CellOrigin:
    if kind in _LOOPS or not data:
        return lost(op, "is part of a loop")
    gone = [origin for _, origin in data if origin.lost]
    placed = [(n, origin) for n, origin in data if origin.placed]
    if gone or not placed:
        return gone[0] if gone else NOWHERE
    try:
        return _by_rule(cells, op, kind, data, placed, number)
    except (IndexError, ValueError):  # a damaged file can hold any numbers
        return lost(op, "does not fit its inputs")


def _by_rule(cells: CellWalk, op: tf.Operation, kind: str, data: Data, placed: Data, number: int) -> CellOrigin:
    output = cells.index.outputs[op.name][number]
    if kind in _EACH_CELL:
        return _together(cells, op, placed, output)
    if kind in _WEIGHTS:
        return _dense(cells, op, data, output)
    if kind in _JOINS:
        return _JOINS[kind](cells, op, placed, output)
    rule = RULES.get(kind)
    if rule is None or placed[0][0] != _DATA.get(kind, 0) or len(placed) > 1:
        return lost(op)
    return rule(cells, op, placed[0][1], number)


def _together(cells: CellWalk, op: tf.Operation, placed: Data, output: str) -> CellOrigin:
    """Value by value: axes count from the last one; an input that is broadcast along its cells is ignored."""
    inputs = cells.index.inputs[op.name]
    rank = len(cells.dims(output))
    origins: List[CellOrigin] = []
    for number, origin in placed:
        dims = cells.dims(inputs[number])
        shift = rank - len(dims) if rank and dims else 0
        spread = [
            bool(dims) and dims[axis] == 1 and cells.dims(output)[axis + shift] != 1 for axis in origin.axes if rank
        ]
        if not any(spread):
            origins.append(origin._replace(axes=tuple(axis + shift for axis in origin.axes)) if shift else origin)
    return meet(cells, op, origins) if origins else NOWHERE


def meet(cells: CellWalk, op: tf.Operation, origins: List[CellOrigin]) -> CellOrigin:
    """Merge the origins of several inputs into the one of an op's output."""
    if len({origin.axes for origin in origins}) > 1:
        return lost(op, "merges different axes")
    if len({origin.rows for origin in origins}) == 1:
        return origins[0]
    rows = []
    for steps in zip(*(origin.rows for origin in origins)):
        branches = tuple(dict.fromkeys(steps))
        rows.append(branches[0] if len(branches) == 1 else cells.step("meet", (named(op),), branches))
    return CellOrigin(origins[0].axes, tuple(rows))


def _dense(cells: CellWalk, op: tf.Operation, data: Data, output: str) -> CellOrigin:
    """Weights applied to each token or position keep its cells; products of tokens (attention) mix them."""
    number, origin = data[0]
    if len(data) > 1 or not origin.axes:
        return origin if len(data) == 1 else NOWHERE
    before, after = cells.dims(cells.index.inputs[op.name][number]), cells.dims(output)
    same = len(before) == len(after) > max(origin.axes) and all(before[a] in (after[a], None) for a in origin.axes)
    return origin if same and op.type != "MatMul" else NOWHERE


def _concat(cells: CellWalk, op: tf.Operation, placed: Data, output: str) -> CellOrigin:
    names = cells.index.inputs[op.name]
    first = 1 if op.type == "Concat" else 0
    given = cells.constant(op, 0 if first else len(names) - 1)
    if given is None:
        return lost(op)
    parts = names[first : len(names) - 1 + first]
    rank = len(cells.dims(output))
    if not rank:
        return lost(op)
    axis = int(given) % rank
    origins = [origin for _, origin in placed]
    if axis not in origins[0].axes:
        return meet(cells, op, origins)
    # constants joined to one map along a spatial axis are padding
    sides = [cells.dims(name)[axis] if cells.dims(name) else None for name in parts]
    position = placed[0][0] - first
    front, back = sides[:position], sides[position + 1 :]
    if len(origins) > 1 or None in front + back:
        return lost(op, "joins maps side by side")
    return on_axis(cells, origins[0], axis, "pad", tuple(sum(side or 0 for side in part) for part in (front, back)))


def _pack(cells: CellWalk, op: tf.Operation, placed: Data, output: str) -> CellOrigin:
    axis = op.get_attr("axis") % max(len(cells.dims(output)), 1)
    return meet(cells, op, [origin._replace(axes=tuple(a + (a >= axis) for a in origin.axes)) for _, origin in placed])


def _branch(cells: CellWalk, op: tf.Operation, placed: Data, output: str) -> CellOrigin:
    """A condition that keeps the shape is assumed to keep the cells."""
    (number, origin), sides = placed[0], cells.dims(output)
    before = cells.dims(cells.index.inputs[op.name][number])
    same = len(sides) == len(before) and all(sides[a] == before[a] is not None for a in origin.axes)
    return origin if same and origin.axes and len(placed) == 1 else lost(op)


_JOINS: Dict[str, Callable[[CellWalk, tf.Operation, Data, str], CellOrigin]] = {
    "Concat": _concat,
    "ConcatV2": _concat,
    "Pack": _pack,
    **dict.fromkeys(CONDITIONS, _branch),
}


def _reduce(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    """A reduction over the channels keeps the cells; one over positions mixes them."""
    axes = cells.constant(op, 1)
    rank = len(cells.dims(cells.index.inputs[op.name][0]))
    if axes is None or not rank:
        return NOWHERE
    gone = {int(axis) % rank for axis in axes.reshape(-1)}
    if gone & set(origin.axes) or (not origin.axes and gone != {rank - 1}):
        return NOWHERE
    keeps = attribute(op, "keep_dims")
    return origin if keeps else origin._replace(axes=tuple(axis - sum(g < axis for g in gone) for axis in origin.axes))


RULES: Dict[str, Rule] = {
    **dict.fromkeys(REDUCTIONS | {"All", "Any", "ArgMax", "ArgMin"}, _reduce),
    **WINDOW_RULES,
    **SHAPE_RULES,
}


def spatial_sides(facts: Dict[str, Any]) -> Tuple[Optional[int], ...]:
    """Return the spatial sides of an input, None for a free side; `facts` are its fields of `Binding`."""
    of_images = "array_shape" not in facts or "frame_order" in facts
    sides: Tuple[Optional[int], ...] = facts["image_size"] if of_images else facts["array_shape"][1:-1]
    return sides


def places_on(
    index: GraphIndex, path: Set[str], start: str, facts: Dict[str, Any], layouts: Optional[Layouts] = None
) -> CellPlaces:
    """Place the cells of all tensors of a path.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : set of str
        The tensors between the input and the scores.
    start : str
        The input.
    facts : dict
        The fields of `Binding` that describe the input.
    layouts : mapping of str to MapLayout, optional
        By tensor name; without it, tensors with swapped rows and columns have no places.

    Returns
    -------
    CellPlaces
        The steps to run for an input size.
    """
    sides = spatial_sides(facts)
    first = _first_axis(index, start, facts, len(sides))
    cells = CellWalk(index, start, tuple(range(first, first + len(sides))))
    for op in index.makers(path):
        follow(cells, op, path)
    rows = {
        name: origin.rows
        for name, origin in cells.origins.items()
        if origin.placed and origin.axes == _in_order(origin.axes, (layouts or {}).get(name, MapLayout()))
    }
    lost = {name: _why(origin) for name, origin in cells.origins.items() if name not in rows}
    return CellPlaces(tuple(cells.steps), rows, lost, tuple(side is None for side in sides))


def _in_order(axes: Tuple[int, ...], layout: MapLayout) -> Tuple[int, ...]:
    """Return the spatial axes in the order that a map has once its channels are last."""
    return tuple(sorted(axes, key=layout.order.index)) if set(axes) <= set(layout.order) else tuple(sorted(axes))


def _first_axis(index: GraphIndex, start: str, facts: Dict[str, Any], axes: int) -> int:
    """Return the first spatial axis of the input; that of images is counted from the end."""
    if "frame_order" in facts:
        return 2
    if "array_shape" in facts:
        return 1
    rank = index.rank(start) or 3 + int(facts["has_batch_axis"])
    return rank - axes - int(facts["input_channels_last"])


def _why(origin: CellOrigin) -> str:
    return origin.lost or ("rows and columns are swapped" if origin.placed else MIXED)
