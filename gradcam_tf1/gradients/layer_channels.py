"""Where the output channels of a layer with weights are behind it, and which ops change each by a constant."""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import static_value, tf

# op type -> (number of the input with the data, number of the one with the kernel); matrix products have either order
CORES: Dict[str, Tuple[int, int]] = {
    "Conv2D": (0, 1),
    "Conv3D": (0, 1),
    "DepthwiseConv2dNative": (0, 1),
    "MatMul": (0, 1),
    "BatchMatMul": (0, 1),
    "BatchMatMulV2": (0, 1),
    "BatchMatMulV3": (0, 1),
    "Einsum": (0, 1),
    "Conv2DBackpropInput": (2, 1),
    "Conv3DBackpropInputV2": (2, 1),
}
DENSE = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")
BATCH_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
SUMS = ("Add", "AddV2", "Sub", "BiasAdd")
FACTORS = ("Mul", "RealDiv", "Div")
RESHAPES = ("Reshape", "Squeeze", "ExpandDims")
_SAME = ("Identity", "Snapshot", "EnsureShape", "CheckNumerics", "PlaceholderWithDefault", "Switch", "Merge")
MOVES = ("BatchToSpaceND", "Transpose", "Cast", *_SAME, *RESHAPES)
JOINS = ("Concat", "ConcatV2")


class Channels(NamedTuple):
    """Where the output channels of a layer are in a tensor behind it.

    Attributes
    ----------
    size : int, optional
        Their number, None where the weights have no axis of their own for them.
    axis : int
        Their axis, the last of several.
    sides : tuple of int
        The sizes of these axes if they may be several, as those of an Einsum.
    """

    size: Optional[int]
    axis: int
    sides: Tuple[int, ...] = ()


def is_core(op: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> bool:
    """Return whether an op is a convolution or matrix product of data with weights."""
    if op.type not in CORES or len(op.inputs) < 2:
        return False
    data, kernel = places_of(op, on_path)
    return on_path(op.inputs[data]) and not on_path(op.inputs[kernel])


def places_of(op: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> Tuple[int, int]:
    """Return the number of the input with the data, and of the one with the kernel."""
    data, kernel = CORES[op.type]
    swapped = op.type in DENSE and on_path(op.inputs[kernel]) and not on_path(op.inputs[data])
    return (kernel, data) if swapped else (data, kernel)


def channels_of(core: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> Channels:
    """Return where the output channels are in the output of a layer."""
    shape = core.outputs[0].shape
    if shape.rank is None or places_of(core, on_path) != CORES[core.type]:
        return Channels(None, -1)
    if core.type == "Einsum":
        sides = tuple(own_sides(core).values())
        return Channels(int(np.prod(sides)) if sides else None, shape.rank - 1, sides)
    axis = 1 if is_channels_first(core) else shape.rank - 1
    size = shape.as_list()[axis]
    return Channels(None if size is None else int(size), axis)


def folded_over(op: tf.Operation, channels: Channels, on_path: Callable[[tf.Tensor], bool]) -> Optional[Channels]:
    """Return where the channels are behind an op that can be folded, None where it cannot.

    It changes each channel of its one input by constants, or only moves values.
    """
    if op.type in RESHAPES:
        return _reshaped(op, channels)
    if op.type == "Transpose":
        order = [] if static_value(op.inputs[1]) is None else [int(axis) for axis in static_value(op.inputs[1])]
        known = channels.axis in order and len(channels.sides) < 2
        return channels._replace(axis=order.index(channels.axis)) if known else None
    if op.type == "Cast":
        return channels if op.outputs[0].dtype.is_floating else None
    if op.type == "BatchToSpaceND":
        return channels if channels.axis + 1 == op.inputs[0].shape.rank else None
    return channels if op.type in _SAME or _is_by_channel(op, channels, on_path) else None


def joined_part(op: tf.Operation, before: tf.Operation) -> Tuple[int, slice]:
    """Return the axis of a concatenation, and where on it the output of an op is."""
    joined = [tensor for tensor in op.inputs if tensor.shape.rank]
    axis = int(static_value(op.inputs[0 if op.type == "Concat" else -1])) % op.outputs[0].shape.rank
    place = [tensor.op for tensor in joined].index(before)
    start, size = sum(each.shape.as_list()[axis] for each in joined[:place]), joined[place].shape.as_list()[axis]
    return axis, slice(start, start + size)


def _reshaped(op: tf.Operation, channels: Channels) -> Optional[Channels]:
    """Return where the channels are behind a change of shape that leaves them the last axis, or makes them one."""
    before, after = op.inputs[0].shape, op.outputs[0].shape
    if channels.size is None or before.rank != channels.axis + 1 or not after.rank:
        return None
    return Channels(channels.size, after.rank - 1) if after.as_list()[-1] == channels.size else None


def _is_by_channel(op: tf.Operation, channels: Channels, on_path: Callable[[tf.Tensor], bool]) -> bool:
    """Return whether an op adds to each channel, or multiplies it by, one constant."""
    data = [place for place, tensor in enumerate(op.inputs) if on_path(tensor)]
    if op.type in BATCH_NORMS:
        return data == [0] and not op.get_attr("is_training") and _meets(op, op.inputs[1].shape, channels)
    if op.type not in SUMS + FACTORS or len(op.inputs) != 2 or len(data) != 1:
        return False
    if op.type in ("RealDiv", "Div") and data == [1]:
        return False
    constant = op.inputs[1 - data[0]].shape
    if op.inputs[data[0]].shape.rank != op.outputs[0].shape.rank:
        return False
    return constant.num_elements() == 1 or _meets(op, constant, channels)


def own_sides(core: tf.Operation) -> Dict[str, int]:
    """Return the last axes of the output of an Einsum, which only its weights have, and their sizes; {} for others."""
    data, kernel, output = terms_of(core)
    own = [letter for letter in output if letter in kernel and letter not in data]
    sides = core.inputs[1].shape
    if "." in kernel or not own or not output.endswith("".join(own)) or not sides.is_fully_defined():
        return {}
    return {letter: int(sides.as_list()[kernel.index(letter)]) for letter in own}


def terms_of(core: tf.Operation) -> List[str]:
    """Return the letters of the inputs and of the output of an Einsum."""
    return list(core.get_attr("equation").decode().replace(" ", "").replace("->", ",").split(","))


def is_channels_first(core: tf.Operation) -> bool:
    """Return whether an op has its channels before the positions."""
    return "data_format" in core.node_def.attr and core.get_attr("data_format").startswith(b"NC")


def _meets(op: tf.Operation, constant: tf.TensorShape, channels: Channels) -> bool:
    """Return whether a constant has one value per channel, on their axis."""
    rank = op.outputs[0].shape.rank
    if channels.size is None or constant.num_elements() != channels.size or rank is None:
        return False
    if op.type == "BiasAdd" or op.type in BATCH_NORMS:
        return channels.axis == (1 if is_channels_first(op) else rank - 1)
    if channels.sides:
        return [size for size in constant.as_list() if size != 1] == [size for size in channels.sides if size != 1]
    place = channels.axis - (rank - constant.rank)
    return bool(place >= 0 and constant.as_list()[place] == channels.size)
