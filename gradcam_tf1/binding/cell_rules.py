"""What each kind of op does to the cells that go through it, and one pass that places the cells of every tensor."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from gradcam_tf1.binding.cell_shapes import SHAPE_RULES
from gradcam_tf1.binding.cell_walk import NOWHERE, CellOrigin, CellWalk, Data, Rule, attribute, lost, named, on_axis
from gradcam_tf1.binding.cell_windows import WINDOW_RULES
from gradcam_tf1.binding.cells import MIXED, CellPlaces
from gradcam_tf1.binding.graph_index import GraphIndex, Op
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

# ops whose data is not their first input
_DATA = {"Conv2DBackpropInput": 2, "Conv3DBackpropInputV2": 2, "Split": 1}
_WEIGHTS = DENSE | {"Einsum", "XlaEinsum"}
# not all of their inputs reach all of their outputs
_PICKY = {"Switch", "RefSwitch"} | BATCH_NORMS
_LOOPS = {"Enter", "RefEnter", "NextIteration", "Exit", "While", "StatelessWhile"}
# value by value, or over the channels alone
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


def follow(cells: CellWalk, op: Op, path: Set[str]) -> None:
    """Note what an op's outputs on the path hold, of what its inputs hold."""
    name, kind = op.name, op.type  # each is a call into TensorFlow
    inputs, outputs = cells.walk.inputs[name], cells.walk.outputs[name]
    data = [(n, cells.at[each]) for n, each in enumerate(inputs) if each in cells.at]
    if kind in _EACH_CELL and len(inputs) == len(outputs) == len(data) == 1:  # most ops, and the same again
        cells.at.setdefault(outputs[0], data[0][1])
        return
    if kind not in _EACH_CELL or kind in _PICKY:
        data = [(n, at) for n, at in data if cells.walk.flows(op, n)]
    for number, output in enumerate(outputs):
        if output in path and output not in cells.at:
            own = [each for each in data if each[0] == number] if kind == "IdentityN" else data
            cells.at[output] = _held(cells, op, kind, number, own)


def _held(cells: CellWalk, op: Op, kind: str, number: int, data: Data) -> CellOrigin:
    if kind in _LOOPS or not data:
        return lost(op, "is part of a loop")
    gone = [at for _, at in data if at.lost]
    placed = [(n, at) for n, at in data if at.placed]
    if gone or not placed:
        return gone[0] if gone else NOWHERE
    try:
        return _by_rule(cells, op, kind, data, placed, number)
    except (IndexError, ValueError):  # a file may say anything
        return lost(op, "does not fit what goes into it")


def _by_rule(cells: CellWalk, op: Op, kind: str, data: Data, placed: Data, number: int) -> CellOrigin:
    output = cells.walk.outputs[op.name][number]
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


def _together(cells: CellWalk, op: Op, placed: Data, output: str) -> CellOrigin:
    """Value by value: axes count from the last one; a side of 1 is spread over the others and has no say."""
    inputs = cells.walk.inputs[op.name]
    rank = len(cells.dims(output))
    found: List[CellOrigin] = []
    for number, at in placed:
        dims = cells.dims(inputs[number])
        shift = rank - len(dims) if rank and dims else 0
        spread = [bool(dims) and dims[axis] == 1 and cells.dims(output)[axis + shift] != 1 for axis in at.axes if rank]
        if not any(spread):
            found.append(at._replace(axes=tuple(axis + shift for axis in at.axes)) if shift else at)
    return meet(cells, op, found) if found else NOWHERE


def meet(cells: CellWalk, op: Op, found: List[CellOrigin]) -> CellOrigin:
    """The ways that come together in one tensor."""
    if len({at.axes for at in found}) > 1:
        return lost(op, "brings different axes together")
    if len({at.rows for at in found}) == 1:
        return found[0]
    rows = []
    for each in zip(*(at.rows for at in found)):
        ways = tuple(dict.fromkeys(each))
        rows.append(ways[0] if len(ways) == 1 else cells.step("meet", (named(op),), ways))
    return CellOrigin(found[0].axes, tuple(rows))


def _dense(cells: CellWalk, op: Op, data: Data, output: str) -> CellOrigin:
    """Weights for each token or position keep its place; tokens with tokens (attention) are mixed."""
    number, at = data[0]
    if len(data) > 1 or not at.axes:
        return at if len(data) == 1 else NOWHERE
    before, after = cells.dims(cells.walk.inputs[op.name][number]), cells.dims(output)
    same = len(before) == len(after) > max(at.axes) and all(before[a] in (after[a], None) for a in at.axes)
    return at if same and op.type != "MatMul" else NOWHERE


def _concat(cells: CellWalk, op: Op, placed: Data, output: str) -> CellOrigin:
    names = cells.walk.inputs[op.name]
    first = 1 if op.type == "Concat" else 0
    axis = cells.constant(op, 0 if first else len(names) - 1)
    if axis is None:
        return lost(op)
    parts = names[first : len(names) - 1 + first]
    rank = len(cells.dims(output))
    if not rank:
        return lost(op)
    axis = int(axis) % rank
    found = [at for _, at in placed]
    if axis not in found[0].axes:
        return meet(cells, op, found)
    # more rows or columns: constants around one map are padding
    sides = [cells.dims(name)[axis] if cells.dims(name) else None for name in parts]
    place = placed[0][0] - first
    around = sides[:place] + sides[place + 1 :]
    if len(found) > 1 or None in around:
        return lost(op, "joins maps side by side")
    before, after = (sum(side or 0 for side in part) for part in (sides[:place], sides[place + 1 :]))
    return on_axis(cells, found[0], axis, "pad", (before, after))


def _pack(cells: CellWalk, op: Op, placed: Data, output: str) -> CellOrigin:
    axis = op.get_attr("axis") % max(len(cells.dims(output)), 1)
    return meet(cells, op, [at._replace(axes=tuple(a + (a >= axis) for a in at.axes)) for _, at in placed])


def _branch(cells: CellWalk, op: Op, placed: Data, output: str) -> CellOrigin:
    """A condition or a function that keeps the shape is taken to keep the places."""
    (number, at), sides = placed[0], cells.dims(output)
    before = cells.dims(cells.walk.inputs[op.name][number])
    same = len(sides) == len(before) and all(sides[a] == before[a] is not None for a in at.axes)
    return at if same and at.axes and len(placed) == 1 else lost(op)


_JOINS: Dict[str, Callable[[CellWalk, Op, Data, str], CellOrigin]] = {
    "Concat": _concat,
    "ConcatV2": _concat,
    "Pack": _pack,
    **dict.fromkeys(CONDITIONS, _branch),
}


def _reduce(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    """Over the channels: the places stay. Over positions: mixed."""
    axes = cells.constant(op, 1)
    rank = len(cells.dims(cells.walk.inputs[op.name][0]))
    if axes is None or not rank:
        return NOWHERE
    gone = {int(axis) % rank for axis in axes.reshape(-1)}
    if gone & set(at.axes) or (not at.axes and gone != {rank - 1}):
        return NOWHERE
    keeps = attribute(op, "keep_dims")
    return at if keeps else at._replace(axes=tuple(axis - sum(g < axis for g in gone) for axis in at.axes))


RULES: Dict[str, Rule] = {
    **dict.fromkeys(REDUCTIONS | {"All", "Any", "ArgMax", "ArgMin"}, _reduce),
    **WINDOW_RULES,
    **SHAPE_RULES,
}


def spatial_sides(facts: Dict[str, Any]) -> Tuple[Optional[int], ...]:
    """The sides of the input, None for each that is free. facts: what a binding says of it."""
    of_images = "array_shape" not in facts or "frame_order" in facts
    return facts["image_size"] if of_images else facts["array_shape"][1:-1]


def places_on(walk: GraphIndex, path: Set[str], start: str, facts: Dict[str, Any]) -> CellPlaces:
    """The places of all cells on the way from an input. facts: what a binding says of that input."""
    sides = spatial_sides(facts)
    first = _first_axis(walk, start, facts, len(sides))
    cells = CellWalk(walk, start, tuple(range(first, first + len(sides))))
    for op in walk.makers(path):
        follow(cells, op, path)
    rows = {name: at.rows for name, at in cells.at.items() if at.placed and at.axes == tuple(sorted(at.axes))}
    lost = {name: _why(at) for name, at in cells.at.items() if name not in rows}
    return CellPlaces(tuple(cells.steps), rows, lost, tuple(side is None for side in sides))


def _first_axis(walk: GraphIndex, start: str, facts: Dict[str, Any], axes: int) -> int:
    """The first spatial axis of the input: of images counted from the end, since clips have one more in front."""
    if "frame_order" in facts:
        return 2
    if "array_shape" in facts:
        return 1
    channels_last = facts["input_channels_last"]
    return (walk.rank(start) or 3 + facts["has_batch_axis"]) - axes - channels_last


def _why(at: CellOrigin) -> str:
    return at.lost or ("rows and columns have changed places" if at.placed else MIXED)
