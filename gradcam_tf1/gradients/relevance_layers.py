"""The layers with weights between images and score, each with the biases and batch norms that follow it, folded.

A layer is a convolution or matrix product with weights of the net and what comes right after it, value by value, with
one constant per channel: BiasAdd, a constant that is added or multiplied, a batch norm in inference. Together they are
u = x W' + b. Relevance that arrives at u is handed to the convolution, which knows W' and b.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from gradcam_tf1.tf_runtime import static_value, tf

# op type -> (number of the input with the data, number of the one with the kernel)
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
_SAME = ("Identity", "Snapshot", "EnsureShape", "CheckNumerics", "PlaceholderWithDefault", "Switch", "Merge")
MOVES = ("BatchToSpaceND", "Transpose", "Cast", *_SAME, *_RESHAPES)


JOINS = ("Concat", "ConcatV2")


class Channels(NamedTuple):
    """Where the output channels of a layer are in a tensor behind it.

    Attributes
    ----------
    size : int, optional
        Their number, None where the weights have no axis of their own for them.
    axis : int
        Their axis.
    """

    size: Optional[int]
    axis: int


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
        self.place, self._weights = CORES[op.type]
        self.x, self.kernel = op.inputs[self.place], op.inputs[self._weights]
        self.dense = op.type in DENSE or _has_one_position(op)
        self._on_path = on_path

    def output(self) -> tf.Tensor:
        """Return u in the layout of the convolution's own output."""
        tensor = self.chain[-1].outputs[0] if self.chain else self.op.outputs[0]
        for op, before in reversed(list(zip(self.chain, (self.op, *self.chain)))):
            if op.type in JOINS:
                axis, part = joined_part(op, before)
                tensor = tensor[(*[slice(None)] * axis, part)]
            elif op.type in _RESHAPES:
                tensor = tf.reshape(tensor, tf.shape(op.inputs[0]))
            elif op.type == "Transpose":
                tensor = tf.transpose(tensor, tf.math.invert_permutation(op.inputs[1]))
            elif op.type == "Cast":
                tensor = tf.cast(tensor, op.inputs[0].dtype)
            elif op.type == "BatchToSpaceND":
                tensor = tf.raw_ops.SpaceToBatchND(input=tensor, block_shape=op.inputs[1], paddings=op.inputs[2])
        return tf.cast(tensor, self.x.dtype)

    def in_float32(self) -> WeightedLayer:
        """Return the layer with everything computed in float32: quotients by sums near 0 overflow in float16."""
        inputs = {place: tf.cast(self.op.inputs[place], tf.float32) for place in (self.place, self._weights)}
        return WeightedLayer(same_op(self.op, inputs, tf.float32), self.chain, self.first, self.positive, self._on_path)

    def folded(self) -> Tuple[Optional[tf.Tensor], Optional[tf.Tensor]]:
        """Return factor and bias of the chain: one number each, or one per channel; None where there is none."""
        scale: Optional[tf.Tensor] = None
        bias: Optional[tf.Tensor] = None
        part = slice(None)
        for op, before in zip(self.chain, (self.op, *self.chain)):
            if op.type in JOINS:
                part = joined_part(op, before)[1]
            if op.type in (*JOINS, *MOVES):
                continue
            factor, shift = (
                each if each is None or each.shape.num_elements() == 1 else each[part] for each in self._change(op)
            )
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
        constant = tf.cast(tf.reshape(op.inputs[1 if data_first else 0], [-1]), self.x.dtype)
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
        if self.op.type == "DepthwiseConv2dNative" and scale.shape.num_elements() != 1:
            scale = tf.reshape(scale, tf.shape(self.kernel)[2:])
        elif self._channels_before_last():
            scale = scale[:, tf.newaxis]
        return self.kernel * scale

    def _channels_before_last(self) -> bool:
        """Return whether the output channels are the last axis but one of the kernel."""
        if self.op.type in ("Conv2DBackpropInput", "Conv3DBackpropInputV2"):
            return True
        names = {"MatMul": "transpose_b"}
        if self.op.type not in DENSE or self.op.type == "Einsum":
            return False
        return bool(self.op.get_attr(names.get(self.op.type, "adj_y")))

    def per_channel(self, values: tf.Tensor) -> tf.Tensor:
        """Return values, one per channel, in a shape that broadcasts over the outputs of the convolution."""
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


def same_op(op: tf.Operation, changed: Dict[int, tf.Tensor], dtype: Optional[tf.DType] = None) -> tf.Operation:
    """Add an op with the attributes and inputs of another, but for the changed inputs, and their dtype if given."""
    inputs = [changed.get(place, tensor) for place, tensor in enumerate(op.inputs)]
    attributes = {name: value for name, value in op.node_def.attr.items() if not name.startswith("_")}
    dtypes = [dtype or tensor.dtype.base_dtype for tensor in op.outputs]
    if dtype:
        attributes["T"] = tf.AttrValue(type=dtype.as_datatype_enum)
    return op.graph.create_op(op.type, inputs, dtypes, attrs=attributes, name=f"{op.type}_again")


def is_core(op: tf.Operation, on_path: Callable[[tf.Tensor], bool]) -> bool:
    """Return whether an op is a convolution or matrix product of data with weights."""
    if op.type not in CORES or len(op.inputs) < 2:
        return False
    data, kernel = CORES[op.type]
    return on_path(op.inputs[data]) and not on_path(op.inputs[kernel])


def channels_of(core: tf.Operation) -> Channels:
    """Return where the output channels are in the output of a layer."""
    shape = core.outputs[0].shape
    if core.type == "Einsum" or shape.rank is None:
        return Channels(None, -1)
    axis = 1 if _is_channels_first(core) else shape.rank - 1
    size = shape.as_list()[axis]
    return Channels(None if size is None else int(size), axis)


def folded_over(op: tf.Operation, channels: Channels, on_path: Callable[[tf.Tensor], bool]) -> Optional[Channels]:
    """Return where the channels are behind an op that can be folded, None where it cannot.

    It changes each channel of its one input by constants, or only moves values.
    """
    if op.type in _RESHAPES:
        return _reshaped(op, channels)
    if op.type == "Transpose":
        order = [] if static_value(op.inputs[1]) is None else [int(axis) for axis in static_value(op.inputs[1])]
        return channels._replace(axis=order.index(channels.axis)) if channels.axis in order else None
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
    """Return where the channels are behind a change of shape that leaves them the last axis."""
    before, after = op.inputs[0].shape, op.outputs[0].shape
    if channels.size is None or before.rank != channels.axis + 1 or not after.rank:
        return None
    return channels._replace(axis=after.rank - 1) if after.as_list()[-1] == channels.size else None


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


def _is_channels_first(core: tf.Operation) -> bool:
    return "data_format" in core.node_def.attr and core.get_attr("data_format").startswith(b"NC")


def _meets(op: tf.Operation, constant: tf.TensorShape, channels: Channels) -> bool:
    """Return whether a constant has one value per channel, on their axis."""
    rank = op.outputs[0].shape.rank
    if channels.size is None or constant.num_elements() != channels.size or rank is None:
        return False
    if op.type == "BiasAdd" or op.type in BATCH_NORMS:
        return channels.axis == (1 if _is_channels_first(op) else rank - 1)
    place = channels.axis - (rank - constant.rank)
    return bool(place >= 0 and constant.as_list()[place] == channels.size)
