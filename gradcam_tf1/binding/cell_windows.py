"""How convolutions, pools, paddings and resizes change the cells."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cell_numbers import numbers
from gradcam_tf1.binding.cell_walk import CellOrigin, CellWalk, Rule, attribute, lost, on_axis
from gradcam_tf1.binding.op_kinds import POOLS, RESIZES
from gradcam_tf1.tf_runtime import tf

_CONVOLUTIONS = (
    "Conv2D",
    "Conv3D",
    "DepthwiseConv2dNative",
    "_FusedConv2D",
    "_FusedDepthwiseConv2dNative",
    "QuantizedConv2D",
)


def _convolution(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    return _with_kernel(cells, op, origin, cells.index.inputs[op.name][1])


def _with_kernel(cells: CellWalk, op: tf.Operation, origin: CellOrigin, kernel: str) -> CellOrigin:
    windows, strides = _kernel_windows(cells, op, origin, kernel), op.get_attr("strides")
    for axis, extent, leans in windows:
        padding = _padding(op, axis)
        if padding is None:
            return lost(op)
        origin = on_axis(cells, origin, axis, "window", (extent, strides[axis], *padding), leans)
    return origin if windows else lost(op)


def _transposed(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    sizes, kernel, _data = cells.index.inputs[op.name]
    windows, strides = _kernel_windows(cells, op, origin, kernel), op.get_attr("strides")
    lengths, static = numbers(cells, sizes), cells.dims(cells.index.outputs[op.name][0])
    for axis, extent, leans in windows:
        padding = _padding(op, axis)
        if padding is None:
            return lost(op)
        length = static[axis] if static else None
        length = lengths[axis] if length is None and lengths is not None else length
        origin = on_axis(cells, origin, axis, "transposed", (extent, strides[axis], padding[0], length), leans)
    return origin if windows else lost(op)


def _kernel_windows(cells: CellWalk, op: tf.Operation, origin: CellOrigin, kernel: str) -> List[Tuple[int, int, bool]]:
    """Return each axis with cells, the dilated extent of the kernel, and whether it is the first to lean.

    Empty if there is no such axis, or if the extent along one is unknown.
    """
    sides, first, dilations = cells.dims(kernel), _first_axis(op), attribute(op, "dilations")
    windows = []
    for axis, row in zip(origin.axes, origin.rows):
        number = axis - first
        extent = sides[number] if 0 <= number < len(sides) - 2 else None
        if extent is None or kernel in cells.origins:
            return []
        leans = not cells.steps[row].leans and extent > 1 and cells.leans(kernel, number)
        windows.append((axis, (extent - 1) * (dilations[axis] if dilations else 1) + 1, leans))
    return windows


def _pool(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    by_inputs = op.type in ("MaxPoolV2", "AvgPoolV2")
    sides = cells.constant(op, 1) if by_inputs else np.asarray(op.get_attr("ksize"))
    strides = cells.constant(op, 2) if by_inputs else np.asarray(op.get_attr("strides"))
    for axis in origin.axes:
        padding = _padding(op, axis)
        if sides is None or strides is None or padding is None:
            return lost(op)
        origin = on_axis(cells, origin, axis, "window", (int(sides[axis]), int(strides[axis]), *padding))
    return origin if origin.axes else lost(op)


def _patches(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    """Dilation2D and ExtractImagePatches, whose dilations are called rates."""
    rates = op.get_attr("rates")
    kernel = cells.dims(cells.index.inputs[op.name][1]) if op.type == "Dilation2D" else ()
    sides: Sequence[Optional[int]] = (None, *kernel[:2], None) if kernel else attribute(op, "ksizes")
    for axis in origin.axes:
        padding, side = _padding(op, axis), sides[axis] if sides else None
        if side is None or padding is None:
            return lost(op)
        extent = (side - 1) * rates[axis] + 1
        origin = on_axis(cells, origin, axis, "window", (extent, op.get_attr("strides")[axis], *padding))
    return origin if origin.axes else lost(op)


def _padding(op: tf.Operation, axis: int) -> Optional[Tuple[Optional[int], int]]:
    """Return the cells of padding before and after an axis; (None, 0) for SAME, None for an unknown kind."""
    kind = op.get_attr("padding")
    if kind == b"EXPLICIT":
        explicit = op.get_attr("explicit_paddings")
        return explicit[2 * axis], explicit[2 * axis + 1]
    return {b"SAME": (None, 0), b"VALID": (0, 0)}.get(kind)


def _first_axis(op: tf.Operation) -> int:
    """Return the first spatial axis of an op's data."""
    layout = attribute(op, "data_format") or b"NHWC"
    return 2 if layout.startswith(b"NC") else 1


def _pad(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    return _padded(cells, op, origin, 1)


def _padded(cells: CellWalk, op: tf.Operation, origin: CellOrigin, which: int) -> CellOrigin:
    paddings = numbers(cells, cells.index.inputs[op.name][which])
    for axis in origin.axes:
        edges = (None, None) if paddings is None else tuple(paddings[axis])
        if None in edges:
            return lost(op, "pads by a number that depends on the image")
        origin = on_axis(cells, origin, axis, "pad", edges) if edges != (0, 0) else origin
    return origin if origin.axes else lost(op)


def _padded_convolution(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    """The inputs of FusedPadConv2D are data, paddings, kernel; FusedResizeAndPadConv2D has a size after the data."""
    resizes = op.type == "FusedResizeAndPadConv2D"
    if resizes:
        origin = _resized(cells, op, origin, "linear", op.get_attr("resize_align_corners"), False)
    origin = origin if origin.lost else _padded(cells, op, origin, 2 if resizes else 1)
    return origin if origin.lost else _with_kernel(cells, op, origin, cells.index.inputs[op.name][3 if resizes else 2])


def _resize(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    kind = {"ResizeNearestNeighbor": "nearest", "ResizeArea": "area"}.get(op.type, "linear")
    return _resized(
        cells, op, origin, kind, bool(attribute(op, "align_corners")), bool(attribute(op, "half_pixel_centers"))
    )


def _resized(cells: CellWalk, op: tf.Operation, origin: CellOrigin, kind: str, align: bool, half: bool) -> CellOrigin:
    lengths = numbers(cells, cells.index.inputs[op.name][1])
    for axis in origin.axes:  # 1 and 2: these ops have the channels last
        if lengths is None or lengths[axis - 1] is None:
            return lost(op, "resizes to a size that depends on the image")
        origin = on_axis(cells, origin, axis, "resize", (kind, align, half, lengths[axis - 1]))
    return origin if origin.axes else lost(op)


def _depth_to_space(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    kind = "unfold" if op.type == "DepthToSpace" else "fold"
    for axis in origin.axes:
        origin = on_axis(cells, origin, axis, kind, (op.get_attr("block_size"),))
    return origin if origin.axes else lost(op)


def _batch_to_space(cells: CellWalk, op: tf.Operation, origin: CellOrigin, _output: int) -> CellOrigin:
    """The ops around a dilated convolution: pad and fold before it, unfold and crop after it."""
    listed = op.type.endswith("ND")
    blocks = cells.constant(op, 1) if listed else [op.get_attr("block_size")] * 2
    edges = numbers(cells, cells.index.inputs[op.name][2 if listed else 1])
    if blocks is None or edges is None or None in edges or not origin.axes:
        return lost(op, "pads by a number that depends on the image")
    for axis in [axis for axis in origin.axes if axis <= len(blocks)]:
        block, ends = int(blocks[axis - 1]), tuple(edges[axis - 1])
        if op.type.startswith("SpaceToBatch"):
            origin = on_axis(cells, on_axis(cells, origin, axis, "pad", ends), axis, "fold", (block,))
        else:
            origin = on_axis(cells, on_axis(cells, origin, axis, "unfold", (block,)), axis, "crop", ends)
    return origin


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
