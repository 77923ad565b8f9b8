"""The layers with weights between images and score, each with the biases and batch norms that follow it, folded.

A layer is a convolution or matrix product with weights of the net and what comes right after it, value by value, with
one constant per channel: BiasAdd, a constant that is added or multiplied, a batch norm in inference. Together they are
u = x W' + b. Relevance that arrives at u is handed to the convolution, which knows W' and b.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import tf

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
_RESHAPES = ("Reshape", "Squeeze", "ExpandDims")
MOVES = ("Identity", "BatchToSpaceND", "Switch", "Merge", *_RESHAPES)


class WeightedLayer:
    """A layer with weights.

    Parameters
    ----------
    op : tf.Operation
        The convolution or matrix product.
    chain : sequence of tf.Operation
        What follows it and is folded into it, in order.
    first : bool
        Whether no layer with weights comes before it.
    positive : bool
        Whether its inputs are known to be at least 0.
    on_path : callable
        Whether a tensor depends on the images.

    Attributes
    ----------
    x, kernel : tf.Tensor
        What goes in, and the weights.
    dense : bool
        Whether it is a matrix product, or a convolution with outputs at one position.
    """

    def __init__(
        self,
        op: tf.Operation,
        chain: Sequence[tf.Operation],
        first: bool,
        positive: bool,
        on_path: Callable[[tf.Tensor], bool],
    ) -> None:
        self.op, self.chain, self.first, self.positive = op, tuple(chain), first, positive
        self.place, self._weights = _places(op, on_path)
        self.x, self.kernel = op.inputs[self.place], op.inputs[self._weights]
        self.dense = op.type in DENSE or _has_one_position(op)
        self._on_path = on_path

    def output(self) -> tf.Tensor:
        """Return u in the layout of the convolution's own output."""
        tensor = self.chain[-1].outputs[0] if self.chain else self.op.outputs[0]
        for op in reversed(self.chain):
            if op.type in _RESHAPES:
                tensor = tf.reshape(tensor, tf.shape(op.inputs[0]))
            elif op.type == "BatchToSpaceND":
                tensor = tf.raw_ops.SpaceToBatchND(input=tensor, block_shape=op.inputs[1], paddings=op.inputs[2])
        return tensor

    def folded(self) -> Tuple[Optional[tf.Tensor], Optional[tf.Tensor]]:
        """Return factor and bias of the chain: one number each, or one per channel; None where there is none."""
        scale: Optional[tf.Tensor] = None
        bias: Optional[tf.Tensor] = None
        for op in self.chain:
            if op.type in MOVES:
                continue
            factor, shift = self._change(op)
            if factor is not None:
                scale = factor if scale is None else scale * factor
                bias = None if bias is None else bias * factor
            if shift is not None:
                bias = shift if bias is None else bias + shift
        return scale, bias

    def _change(self, op: tf.Operation) -> Tuple[Optional[tf.Tensor], Optional[tf.Tensor]]:
        """Return factor and shift of one op of the chain."""
        if op.type in BATCH_NORMS:
            gamma, beta, mean, variance = [tf.cast(tensor, self.x.dtype) for tensor in list(op.inputs)[1:5]]
            factor = gamma * tf.math.rsqrt(variance + op.get_attr("epsilon"))
            return factor, beta - mean * factor
        data_first = self._on_path(op.inputs[0])
        constant = tf.reshape(op.inputs[1 if data_first else 0], [-1])
        if op.type == "Sub":
            return (None, -constant) if data_first else (-tf.ones([1], constant.dtype), constant)
        if op.type in FACTORS:
            return (constant if op.type == "Mul" else 1 / constant), None
        return None, constant

    def weights(self) -> tf.Tensor:
        """Return W': the kernel times the factor of each output channel."""
        scale = self.folded()[0]
        if scale is None:
            return self.kernel
        if self.op.type == "Einsum":
            return self.kernel * self._over_kernel(scale)
        if self.op.type == "DepthwiseConv2dNative" and scale.shape.num_elements() != 1:
            scale = tf.reshape(scale, tf.shape(self.kernel)[2:])
        elif self._channels_before_last():
            scale = scale[:, tf.newaxis]
        return self.kernel * scale

    def _over_kernel(self, scale: tf.Tensor) -> tf.Tensor:
        """Return factors of the output axes of an Einsum in a shape that broadcasts over its weights."""
        if scale.shape.num_elements() == 1:
            return scale
        kernel, own = _terms(self.op)[1], "".join(_own_sides(self.op))
        inside = sorted(own, key=kernel.index)
        moved = tf.transpose(self.per_channel(scale), [own.index(letter) for letter in inside])
        sides = tf.shape(self.kernel)
        return tf.reshape(moved, tf.stack([sides[n] if letter in own else 1 for n, letter in enumerate(kernel)]))

    def _channels_before_last(self) -> bool:
        """Return whether the output channels are the last axis but one of the kernel."""
        if self.op.type in ("Conv2DBackpropInput", "Conv3DBackpropInputV2"):
            return True
        names = {"MatMul": "transpose_b"}
        if self.op.type not in DENSE:
            return False
        return bool(self.op.get_attr(names.get(self.op.type, "adj_y")))

    def per_channel(self, values: tf.Tensor) -> tf.Tensor:
        """Return values, one per channel, in a shape that broadcasts over the outputs of the convolution."""
        if self.op.type == "Einsum" and values.shape.num_elements() != 1:
            return tf.reshape(values, list(_own_sides(self.op).values()))
        sides = self.op.outputs[0].shape.rank
        if not _is_channels_first(self.op) or values.shape.num_elements() == 1 or sides is None:
            return values
        return tf.reshape(values, [-1, *[1] * (sides - 2)])

    def forward(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Operation:
        """Return the same op with other data and weights."""
        return same_op(self.op, {self.place: x, self._weights: kernel})

    def backward(self, op: tf.Operation, own: Callable[..., Any], s: tf.Tensor) -> tf.Tensor:
        """Return W^T s, by TensorFlow's gradient function `own` of an op of `forward` or the layer's own."""
        return own(op, s)[self.place]

    def to_inputs(self, relevance: tf.Tensor) -> List[Optional[tf.Tensor]]:
        """Return the relevance of each input of the op: that of the data."""
        answer: List[Optional[tf.Tensor]] = [None] * len(self.op.inputs)
        answer[self.place] = relevance
        return answer


def _has_one_position(op: tf.Operation) -> bool:
    shape = op.outputs[0].shape
    sides = shape.as_list()[2:] if _is_channels_first(op) else shape.as_list()[1:-1] if shape.rank else []
    return bool(sides) and set(sides) == {1}


def same_op(op: tf.Operation, changed: Dict[int, tf.Tensor]) -> tf.Operation:
    """Add an op with the attributes and inputs of another, but for the changed inputs."""
    inputs = [changed.get(place, tensor) for place, tensor in enumerate(op.inputs)]
    attributes = {name: value for name, value in op.node_def.attr.items() if not name.startswith("_")}
    dtypes = [tensor.dtype.base_dtype for tensor in op.outputs]
    return op.graph.create_op(op.type, inputs, dtypes, attrs=attributes, name=f"{op.type}_again")


def is_core(op: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> bool:
    """Return whether an op is a convolution or matrix product of data with weights."""
    if op.type not in CORES or len(op.inputs) < 2:
        return False
    data, kernel = _places(op, on_path)
    return on_path(op.inputs[data]) and not on_path(op.inputs[kernel])


def _places(op: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> Tuple[int, int]:
    data, kernel = CORES[op.type]
    return (kernel, data) if op.type in DENSE and not on_path(op.inputs[data]) else (data, kernel)


def folds(op: tf.Operation, core: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> bool:
    """Return whether an op changes each channel of its one input by constants, or only moves values."""
    channels = _channels(core, on_path)
    if op.type in BATCH_NORMS:
        fixed = not op.get_attr("is_training") and not any(map(on_path, op.inputs[1:]))
        return fixed and op.inputs[1].shape.num_elements() == channels is not None
    if op.type in _RESHAPES:
        sizes = [tensor.shape.as_list()[-1] if tensor.shape.rank else None for tensor in (op.inputs[0], op.outputs[0])]
        return sizes[0] == sizes[1] == channels is not None and not _is_channels_first(core)
    if op.type in MOVES:
        return True
    if op.type not in SUMS + FACTORS or len(op.inputs) != 2:
        return False
    data = [place for place in (0, 1) if on_path(op.inputs[place])]
    if len(data) != 1 or (op.type in ("RealDiv", "Div") and data == [1]):
        return False
    constant = op.inputs[1 - data[0]].shape
    if op.inputs[data[0]].shape.rank != op.outputs[0].shape.rank:
        return False
    return constant.num_elements() == 1 or (
        constant.num_elements() == channels is not None and _lies_on_channels(op, constant, core)
    )


def _channels(core: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> Optional[int]:
    """Return the number of output channels, None where the weights have no axis of their own for them."""
    if _places(core, on_path) != CORES[core.type]:
        return None
    if core.type == "Einsum":
        sides = list(_own_sides(core).values())
        return int(np.prod(sides)) if sides else None
    shape = core.outputs[0].shape
    size = shape.as_list()[1 if _is_channels_first(core) else -1] if shape.rank else None
    return None if size is None else int(size)


def _own_sides(core: tf.Operation) -> Dict[str, int]:
    """Return the last axes of the output of an Einsum, which only its weights have, and their sizes; {} for others."""
    data, kernel, output = _terms(core)
    own = [letter for letter in output if letter in kernel and letter not in data]
    sides = core.inputs[1].shape
    if "." in kernel or not own or not output.endswith("".join(own)) or not sides.is_fully_defined():
        return {}
    return {letter: int(sides.as_list()[kernel.index(letter)]) for letter in own}


def _terms(core: tf.Operation) -> List[str]:
    return list(core.get_attr("equation").decode().replace(" ", "").replace("->", ",").split(","))


def _is_channels_first(core: tf.Operation) -> bool:
    return "data_format" in core.node_def.attr and core.get_attr("data_format").startswith(b"NC")


def _lies_on_channels(op: tf.Operation, constant: tf.TensorShape, core: tf.Operation) -> bool:
    """Return whether the axis of a constant that is longer than 1 meets the channel axis."""
    if op.type == "BiasAdd":
        return True
    sizes = constant.as_list()
    if core.type == "Einsum":
        return [size for size in sizes if size != 1] == [size for size in _own_sides(core).values() if size != 1]
    rank = op.outputs[0].shape.rank
    if rank is None or rank < len(sizes):
        return False
    axis = 1 if _is_channels_first(core) else rank - 1
    place = axis - (rank - len(sizes))
    return bool(place >= 0 and sizes[place] == constant.num_elements())
