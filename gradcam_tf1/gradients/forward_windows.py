"""Gradients of convolutions and max pools, written with forward ops only.

Each function takes a gradient op of a graph and returns what its first output is, made of the op's inputs.
"""

from __future__ import annotations

from itertools import product
from typing import Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.forward_elementwise import Forward
from gradcam_tf1.gradients.window_axes import WindowAxis, padded, spread_out, to_input, window_axes
from gradcam_tf1.tf_runtime import static_value, tf

# ops per max pool grow with the positions of its window
_MAX_POSITIONS = 64


def convolution_grad(op: tf.Operation) -> tf.Tensor:
    """dL/dx of y = conv(x, W): the convolution of dL/dy, spread out by the strides, with W turned by 180 degrees.

    Where its windows cover the input without gaps it stays: it is the transposed convolution that converters know, and
    it shares the kernel with the convolution, so that the file holds it once.
    """
    _, kernel, grads = op.inputs
    axes = _convolution_axes(op, grads)
    if all(axis.dilation == 1 and axis.span + axis.kernel - 1 >= axis.side for axis in axes):
        return op.outputs[0]
    turned = tf.transpose(_turned(kernel), [0, 1, 3, 2])
    return tf.nn.conv2d(_around(grads, axes), turned, [1, 1, 1, 1], "VALID", dilations=op.get_attr("dilations"))


def depthwise_grad(op: tf.Operation) -> tf.Tensor:
    """The same, channel by channel; the outputs of one channel are added up."""
    _, kernel, grads = op.inputs
    axes = _convolution_axes(op, grads)
    height, width, channels, times = kernel.shape.as_list()
    turned = tf.reshape(_turned(kernel), [height, width, channels * times, 1])
    rates = op.get_attr("dilations")[1:3]
    parts = tf.nn.depthwise_conv2d(_around(grads, axes), turned, [1, 1, 1, 1], "VALID", dilations=rates)
    if times == 1:
        return parts
    return tf.reduce_sum(tf.reshape(parts, [-1, axes[0].side, axes[1].side, channels, times]), axis=-1)


def max_pool_grad(op: tf.Operation) -> tf.Tensor:
    """G at the first largest value of each window, in the order of rows; windows that overlap add up."""
    features, outputs, grads = op.inputs[:3]
    axes = _pool_axes(op, features, outputs)
    if all(axis.count == 1 and axis.kernel == axis.side and axis.before == 0 for axis in axes):
        return _whole_map_max_grad(features, grads, axes)
    total = []
    for offsets, first in _first_largest(features, outputs, axes):
        share = spread_out(tf.where_v2(first, grads, tf.zeros([], grads.dtype)), axes)
        total.append(padded(share, [to_input(axis, offset) for axis, offset in zip(axes, offsets)]))
    return tf.add_n(total)


def max_pool_grad_grad(op: tf.Operation) -> tf.Tensor:
    """The value of the gradient at the first largest value of each window."""
    features, outputs, grads = op.inputs[:3]
    axes = _pool_axes(op, features, outputs)
    zero = tf.zeros([], grads.dtype)
    return tf.add_n(
        [
            tf.where_v2(first, _at_offset(grads, axes, offsets, 0.0), zero)
            for offsets, first in _first_largest(features, outputs, axes)
        ]
    )


def _convolution_axes(op: tf.Operation, grads: tf.Tensor) -> List[WindowAxis]:
    sides = op.outputs[0].shape.as_list()[1:-1]
    return window_axes(op, sides, grads.shape.as_list()[1:-1], op.inputs[1].shape.as_list()[:2])


def _around(grads: tf.Tensor, axes: Sequence[WindowAxis]) -> tf.Tensor:
    """Return the gradient spread out, with the padding that a VALID convolution with the turned kernel needs."""
    amounts = []
    for axis in axes:
        before, after = to_input(axis, 0)
        amounts.append((before + axis.reach - 1, after))
    return padded(spread_out(grads, axes), amounts)


def _turned(kernel: tf.Tensor) -> tf.Tensor:
    value = static_value(kernel)
    if value is None:
        return tf.reverse(kernel, [0, 1])
    return tf.constant(np.ascontiguousarray(value[::-1, ::-1]))


def _pool_axes(op: tf.Operation, features: tf.Tensor, outputs: tf.Tensor) -> List[WindowAxis]:
    kernel = list(op.node_def.attr["ksize"].list.i)
    if not kernel or kernel[0] != 1 or kernel[-1] != 1:
        raise GradientError("its windows are not fixed, or go over channels")
    axes = window_axes(op, features.shape.as_list()[1:-1], outputs.shape.as_list()[1:-1], kernel[1:-1])
    whole = all(axis.kernel == axis.side and axis.count == 1 for axis in axes)
    if np.prod(kernel) > _MAX_POSITIONS and not whole:
        raise GradientError(f"its windows have more than {_MAX_POSITIONS} positions")
    return axes


def _first_largest(
    features: tf.Tensor, outputs: tf.Tensor, axes: Sequence[WindowAxis]
) -> List[Tuple[Tuple[int, ...], tf.Tensor]]:
    """Return for each position of a window whether the first largest value lies there: bool, of the pool's output."""
    found: List[Tuple[Tuple[int, ...], tf.Tensor]] = []
    taken = None
    for offsets in product(*(range(axis.kernel) for axis in axes)):
        here = tf.equal(_at_offset(features, axes, offsets, features.dtype.min), outputs)
        first = here if taken is None else tf.logical_and(here, tf.logical_not(taken))
        taken = here if taken is None else tf.logical_or(here, taken)
        found.append((offsets, first))
    return found


def _at_offset(tensor: tf.Tensor, axes: Sequence[WindowAxis], offsets: Sequence[int], outside: float) -> tf.Tensor:
    """Return the value at one position of each window, `outside` in the padding: [N, h, w, C] of the pool's output."""
    amounts = []
    for axis, offset in zip(axes, offsets):
        before = axis.before - offset
        amounts.append((before, axis.span - before - axis.side))
    rows, columns = axes
    return padded(tensor, amounts, outside)[:, :: rows.stride, :: columns.stride]


def _whole_map_max_grad(features: tf.Tensor, grads: tf.Tensor, axes: Sequence[WindowAxis]) -> tf.Tensor:
    """Return the gradient of global max pooling."""
    rows, columns = (axis.side for axis in axes)
    channels = features.shape.as_list()[-1]
    flat = tf.reshape(features, [-1, rows * columns, channels])
    first = tf.expand_dims(tf.argmax(flat, axis=1, output_type=tf.int32), 1)
    positions = tf.reshape(tf.range(rows * columns), [1, -1, 1])
    spread = tf.cast(tf.equal(first, positions), grads.dtype) * tf.reshape(grads, [-1, 1, channels])
    return tf.reshape(spread, [-1, rows, columns, channels])


WINDOWS: Dict[str, Forward] = {
    "Conv2DBackpropInput": convolution_grad,
    "DepthwiseConv2dNativeBackpropInput": depthwise_grad,
    "MaxPoolGrad": max_pool_grad,
    "MaxPoolGradGrad": max_pool_grad_grad,
}
