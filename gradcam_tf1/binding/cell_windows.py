"""What convolutions, pools, paddings and resizes do to the cells."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from gradcam_tf1.binding.cell_numbers import numbers
from gradcam_tf1.binding.cell_walk import CellOrigin, CellWalk, Rule, attribute, lost, on_axis
from gradcam_tf1.binding.graph_index import Op
from gradcam_tf1.binding.op_kinds import POOLS, RESIZES

_CONVOLUTIONS = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "_FusedConv2D",
    "_FusedDepthwiseConv2dNative",
    "QuantizedConv2D",
)


def _convolution(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    return _with_kernel(cells, op, at, cells.walk.inputs[op.name][1])


def _with_kernel(cells: CellWalk, op: Op, at: CellOrigin, kernel: str) -> CellOrigin:
    sides = cells.dims(kernel)
    first = _first_axis(op)
    strides, dilations = op.get_attr("strides"), attribute(op, "dilations")
    for axis in at.axes:
        extent = sides[axis - first] if 0 <= axis - first < len(sides) - 2 else None
        padding = _padding(op, axis)
        if extent is None or padding is None or kernel in cells.at:
            return lost(op)
        leans = not cells.steps[at.rows[at.axes.index(axis)]].leans and extent > 1 and cells.leans(kernel, axis - first)
        reach = (extent - 1) * (dilations[axis] if dilations else 1) + 1
        at = on_axis(cells, at, axis, "window", (reach, strides[axis], *padding), leans)
    return at if at.axes else lost(op)


def _transposed(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    _sizes, kernel, _data = cells.walk.inputs[op.name]
    sides, first, strides = cells.dims(kernel), _first_axis(op), op.get_attr("strides")
    given, static = numbers(cells, _sizes), cells.dims(cells.walk.outputs[op.name][0])
    dilations = attribute(op, "dilations")
    for axis in at.axes:
        padding = _padding(op, axis)
        extent = sides[axis - first] if 0 <= axis - first < len(sides) - 2 else None
        if extent is None or padding is None or kernel in cells.at:
            return lost(op)
        length = static[axis] if static else None
        length = given[axis] if length is None and given is not None else length
        leans = not cells.steps[at.rows[at.axes.index(axis)]].leans and extent > 1 and cells.leans(kernel, axis - first)
        reach = (extent - 1) * (dilations[axis] if dilations else 1) + 1
        at = on_axis(cells, at, axis, "transposed", (reach, strides[axis], padding[0], length), leans)
    return at if at.axes else lost(op)


def _pool(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    sides: Any = cells.constant(op, 1) if op.type in ("MaxPoolV2", "AvgPoolV2") else op.get_attr("ksize")
    strides: Any = cells.constant(op, 2) if op.type in ("MaxPoolV2", "AvgPoolV2") else op.get_attr("strides")
    for axis in at.axes:
        padding = _padding(op, axis)
        if sides is None or strides is None or padding is None:
            return lost(op)
        at = on_axis(cells, at, axis, "window", (int(sides[axis]), int(strides[axis]), *padding))
    return at if at.axes else lost(op)


def _patches(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    """Dilation2D and ExtractImagePatches, whose dilations are called rates."""
    rates = op.get_attr("rates")
    kernel = cells.dims(cells.walk.inputs[op.name][1]) if op.type == "Dilation2D" else ()
    sides = (None, *kernel[:2], None) if kernel else attribute(op, "ksizes")
    for axis in at.axes:
        padding = _padding(op, axis)
        if not sides or sides[axis] is None or padding is None:
            return lost(op)
        reach = (sides[axis] - 1) * rates[axis] + 1
        at = on_axis(cells, at, axis, "window", (reach, op.get_attr("strides")[axis], *padding))
    return at if at.axes else lost(op)


def _padding(op: Op, axis: int) -> Optional[Tuple[Optional[int], int]]:
    """Cells of padding (in front, behind) along an axis; (None, 0) for SAME, None for an unknown kind."""
    kind = op.get_attr("padding")
    if kind == b"EXPLICIT":
        given = op.get_attr("explicit_paddings")
        return given[2 * axis], given[2 * axis + 1]
    return {b"SAME": (None, 0), b"VALID": (0, 0)}.get(kind)


def _first_axis(op: Op) -> int:
    """The first spatial axis of an op's data."""
    layout = attribute(op, "data_format") or b"NHWC"
    return 2 if layout.startswith(b"NC") else 1


def _pad(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    return _padded(cells, op, at, 1)


def _padded(cells: CellWalk, op: Op, at: CellOrigin, which: int) -> CellOrigin:
    paddings = numbers(cells, cells.walk.inputs[op.name][which])
    for axis in at.axes:
        edges = (None, None) if paddings is None else tuple(paddings[axis])
        if None in edges:
            return lost(op, "pads by a number that depends on the image")
        at = on_axis(cells, at, axis, "pad", edges) if edges != (0, 0) else at
    return at if at.axes else lost(op)


def _padded_convolution(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    """FusedPadConv2D: data, paddings, kernel. FusedResizeAndPadConv2D: data, size, paddings, kernel."""
    resizes = op.type == "FusedResizeAndPadConv2D"
    if resizes:
        at = _resized(cells, op, at, "linear", op.get_attr("resize_align_corners"), False)
    at = at if at.lost else _padded(cells, op, at, 2 if resizes else 1)
    return at if at.lost else _with_kernel(cells, op, at, cells.walk.inputs[op.name][3 if resizes else 2])


def _resize(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    kind = {"ResizeNearestNeighbor": "nearest", "ResizeArea": "area"}.get(op.type, "linear")
    return _resized(
        cells, op, at, kind, bool(attribute(op, "align_corners")), bool(attribute(op, "half_pixel_centers"))
    )


def _resized(cells: CellWalk, op: Op, at: CellOrigin, kind: str, align: bool, half: bool) -> CellOrigin:
    lengths = numbers(cells, cells.walk.inputs[op.name][1])
    for number, axis in enumerate(at.axes):
        if lengths is None or lengths[number] is None:
            return lost(op, "makes a size that depends on the image")
        at = on_axis(cells, at, axis, "resize", (kind, align, half, lengths[number]))
    return at if at.axes else lost(op)


def _depth_to_space(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    kind = "unfold" if op.type == "DepthToSpace" else "fold"
    for axis in at.axes:
        at = on_axis(cells, at, axis, kind, (op.get_attr("block_size"),))
    return at if at.axes else lost(op)


def _batch_to_space(cells: CellWalk, op: Op, at: CellOrigin, _output: int) -> CellOrigin:
    """The way in and out of a dilated convolution: padding and folding, unfolding and cropping."""
    listed = op.type.endswith("ND")
    blocks = cells.constant(op, 1) if listed else [op.get_attr("block_size")] * 2
    edges = numbers(cells, cells.walk.inputs[op.name][2 if listed else 1])
    if blocks is None or edges is None or None in edges or not at.axes:
        return lost(op, "pads by a number that depends on the image")
    for axis in [axis for axis in at.axes if axis <= len(blocks)]:
        block, ends = int(blocks[axis - 1]), tuple(edges[axis - 1])
        if op.type.startswith("SpaceToBatch"):
            at = on_axis(cells, on_axis(cells, at, axis, "pad", ends), axis, "fold", (block,))
        else:
            at = on_axis(cells, on_axis(cells, at, axis, "unfold", (block,)), axis, "crop", ends)
    return at


WINDOW_RULES: Dict[str, Rule] = {
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), _transposed),
    **dict.fromkeys(POOLS | {"AvgPool3D", "MaxPool3D", "QuantizedAvgPool", "QuantizedMaxPool"}, _pool),
    **dict.fromkeys(("Dilation2D", "ExtractImagePatches"), _patches),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("FusedPadConv2D", "FusedResizeAndPadConv2D"), _padded_convolution),
    **dict.fromkeys(RESIZES, _resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND", "SpaceToBatch", "BatchToSpace"), _batch_to_space),
}
