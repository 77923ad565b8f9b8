"""The layers with weights between images and score, each with the biases and batch norms that follow it, folded.

A layer is a convolution or matrix product with weights of the net and what comes right after it, value by value, with
one constant per channel: BiasAdd, a constant that is added or multiplied, a batch norm in inference. Together they are
u = x W' + b. Relevance that arrives at u is handed to the convolution, which knows W' and b.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from gradcam_tf1.gradients.layer_channels import (
    BATCH_NORMS,
    DENSE,
    FACTORS,
    JOINS,
    MOVES,
    RESHAPES,
    is_channels_first,
    joined_part,
    own_sides,
    places_of,
    terms_of,
)
from gradcam_tf1.tf_runtime import tf


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
        self.place, self._weights = places_of(op, on_path)
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
            elif op.type in RESHAPES:
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
        data = inputs[self.place]
        return WeightedLayer(
            same_op(self.op, inputs, tf.float32),
            self.chain,
            self.first,
            self.positive,
            lambda tensor: tensor is data or self._on_path(tensor),
        )

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
        kernel, own = terms_of(self.op)[1], "".join(own_sides(self.op))
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
            return tf.reshape(values, list(own_sides(self.op).values()))
        sides = self.op.outputs[0].shape.rank
        if not is_channels_first(self.op) or values.shape.num_elements() == 1 or sides is None:
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
    sides = shape.as_list()[2:] if is_channels_first(op) else shape.as_list()[1:-1] if shape.rank else []
    return bool(sides) and set(sides) == {1}


def same_op(op: tf.Operation, changed: Dict[int, tf.Tensor], dtype: Optional[tf.DType] = None) -> tf.Operation:
    """Add an op with the attributes and inputs of another, but for the changed inputs, and their dtype if given."""
    inputs = [changed.get(place, tensor) for place, tensor in enumerate(op.inputs)]
    attributes = {name: value for name, value in op.node_def.attr.items() if not name.startswith("_")}
    dtypes = [dtype or tensor.dtype.base_dtype for tensor in op.outputs]
    if dtype:
        attributes["T"] = tf.AttrValue(type=dtype.as_datatype_enum)
    return op.graph.create_op(op.type, inputs, dtypes, attrs=attributes, name=f"{op.type}_again")
