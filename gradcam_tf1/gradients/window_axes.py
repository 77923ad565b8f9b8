"""Where the windows of convolutions and pools lie, and gradients put back to where the windows were.

Feature maps are [N, h, w, C], and their sides are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf


@dataclass(frozen=True)
class WindowAxis:
    """The windows along one axis.

    Attributes
    ----------
    side : int
        Length of the input.
    count : int
        Number of windows.
    kernel, stride, dilation : int
        As in the op.
    before : int
        Padding before the input.
    """

    side: int
    count: int
    kernel: int
    stride: int
    dilation: int
    before: int

    @property
    def reach(self) -> int:
        """Length of one window."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def span(self) -> int:
        """Length from the first to the last start of a window."""
        return (self.count - 1) * self.stride + 1


def window_axes(
    op: tf.Operation, sides: Sequence[int], counts: Sequence[int], kernel: Sequence[int]
) -> List[WindowAxis]:
    """Return the windows of a pool's or convolution's gradient op along each axis of the positions.

    Parameters
    ----------
    op : tf.Operation
        With the attributes strides, padding, data_format and, for convolutions, dilations.
    sides : sequence of int
        Sides of the input.
    counts : sequence of int
        Sides of the output.
    kernel : sequence of int
        Sides of a window.

    Raises
    ------
    GradientError
        If a side is unknown, or the channels come first.
    """
    if op.get_attr("data_format") not in (b"NHWC", b"NDHWC"):
        raise GradientError("its channels come first")
    if None in (*sides, *counts, *kernel):
        raise GradientError("the sides of its feature maps are not fixed")
    attributes = op.node_def.attr
    strides = list(attributes["strides"].list.i)[1:-1]
    dilations = list(attributes["dilations"].list.i)[1:-1] or [1] * len(strides)
    explicit = list(attributes["explicit_paddings"].list.i)[2:-2:2] or [0] * len(strides)
    axes = []
    for side, count, size, stride, dilation, first in zip(sides, counts, kernel, strides, dilations, explicit):
        needed = max((count - 1) * stride + (size - 1) * dilation + 1 - side, 0)
        before = needed // 2 if attributes["padding"].s == b"SAME" else first
        axes.append(WindowAxis(side, count, size, stride, dilation, before))
    return axes


def spread_out(grads: tf.Tensor, axes: Sequence[WindowAxis]) -> tf.Tensor:
    """Return the values of all windows at the windows' starts, zeros between: [N, span, span, C]."""
    _, height, width, channels = grads.shape.as_list()
    rows, columns = axes
    if rows.stride > 1:
        apart = tf.pad(tf.reshape(grads, [-1, height, 1, width * channels]), _edges(2, (0, rows.stride - 1)))
        grads = tf.reshape(apart, [-1, height * rows.stride, width, channels])[:, : rows.span]
    if columns.stride > 1:
        apart = tf.pad(tf.reshape(grads, [-1, width, 1, channels]), _edges(2, (0, columns.stride - 1)))
        wide = tf.reshape(apart, [-1, rows.span, width * columns.stride, channels])
        grads = wide[:, :, : columns.span]
    return grads


def padded(tensor: tf.Tensor, amounts: Sequence[Tuple[int, int]], value: float = 0.0) -> tf.Tensor:
    """Return [N, h, w, C] with these numbers of values added before and after each axis, or cut off where below 0."""
    cut = [slice(max(-before, 0), -max(-after, 0) or None) for before, after in amounts]
    if any(part != slice(0, None) for part in cut):
        tensor = tensor[:, cut[0], cut[1]]
    added = [(max(before, 0), max(after, 0)) for before, after in amounts]
    if not any(map(any, added)):
        return tensor
    return tf.pad(tensor, [(0, 0), *added, (0, 0)], constant_values=value)


def to_input(axis: WindowAxis, offset: int) -> Tuple[int, int]:
    """Return the padding that puts the windows' starts, [span], on the input, [side], each moved by `offset`."""
    before = offset - axis.before
    return before, axis.side - axis.span - before


def _edges(axis: int, amounts: Tuple[int, int]) -> List[Tuple[int, int]]:
    return [amounts if place == axis else (0, 0) for place in range(4)]
