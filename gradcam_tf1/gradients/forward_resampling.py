"""Gradients of ops that are linear along each axis, written with forward ops only: pools, resizes, paddings, slices.

y = M x along an axis has the gradient M^T g. The matrices are small and known, for the sides are fixed.
Each function takes a gradient op of a graph and returns what its first output is, made of the op's inputs.
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.forward_elementwise import Forward
from gradcam_tf1.gradients.window_axes import WindowAxis, window_axes
from gradcam_tf1.tf_runtime import static_value, tf


def average_pool_grad(op: tf.Operation) -> tf.Tensor:
    """G / Z at all Z positions of each window that lie inside; windows that overlap add up."""
    grads = op.inputs[1]
    kernel = op.get_attr("ksize")
    if kernel[0] != 1 or kernel[-1] != 1:
        raise GradientError("its windows go over channels")
    axes = window_axes(op, op.outputs[0].shape.as_list()[1:-1], grads.shape.as_list()[1:-1], kernel[1:-1])
    return along_axes(grads, {place + 1: _averages(axis) for place, axis in enumerate(axes)})


def bilinear_grad(op: tf.Operation) -> tf.Tensor:
    """M_h^T g M_w, of the two nearest positions each, weighed by their distance."""
    return _resize_grad(op, _bilinear)


def nearest_grad(op: tf.Operation) -> tf.Tensor:
    """M_h^T g M_w, of the nearest position each."""
    return _resize_grad(op, _nearest)


def mirror_pad_grad(op: tf.Operation) -> tf.Tensor:
    """The gradients at the mirrored positions added to those that they show."""
    grads = op.inputs[0]
    paddings = static_value(op.inputs[1])
    if paddings is None:
        raise GradientError("its paddings are not fixed")
    edge = int(op.get_attr("mode") == b"SYMMETRIC")  # whether the border itself is repeated
    matrices = {}
    for axis, (before, after) in enumerate(paddings.tolist()):
        if before or after:
            side = _known(grads.shape.as_list()[axis]) - before - after
            left = np.arange(before)[::-1] + 1 - edge
            right = side - 2 + edge - np.arange(after)
            matrices[axis] = np.eye(side)[np.concatenate([left, np.arange(side), right])]
    return along_axes(grads, matrices)


def along_axes(grads: tf.Tensor, matrices: Mapping[int, np.ndarray]) -> tf.Tensor:
    """Return M^T g along each of some axes.

    Parameters
    ----------
    grads : tf.Tensor
        Floats, of any rank; the sizes of all axes but the first are known.
    matrices : mapping of int to np.ndarray
        Axis -> M, [size of g, size of the result].
    """
    for axis, matrix in matrices.items():
        last = [place for place in range(grads.shape.rank) if place != axis] + [axis]
        moved = tf.transpose(grads, last)
        flat = tf.matmul(tf.reshape(moved, [-1, matrix.shape[0]]), tf.constant(matrix, grads.dtype))
        sizes = [-1, *moved.shape.as_list()[1:-1], matrix.shape[1]]
        grads = tf.transpose(tf.reshape(flat, sizes), [last.index(place) for place in range(len(last))])
    return grads


def _known(side: object) -> int:
    if not isinstance(side, int):
        raise GradientError("the sides of its feature maps are not fixed")
    return side


def _averages(axis: WindowAxis) -> np.ndarray:
    matrix = np.zeros([axis.count, axis.side])
    for row in range(axis.count):
        start = row * axis.stride - axis.before
        inside = slice(max(start, 0), min(start + axis.kernel, axis.side))
        matrix[row, inside] = 1.0 / (inside.stop - inside.start)
    return matrix


def _resize_grad(op: tf.Operation, matrix: Callable[[np.ndarray, int, bool, bool], np.ndarray]) -> tf.Tensor:
    grads, result = op.inputs[0], op.outputs[0]
    aligned, half = bool(op.get_attr("align_corners")), bool(op.node_def.attr["half_pixel_centers"].b)
    matrices = {}
    for axis in (1, 2):
        out, side = _known(grads.shape.as_list()[axis]), _known(result.shape.as_list()[axis])
        scale = (side - 1) / (out - 1) if aligned and out > 1 else side / out
        # TensorFlow computes in float32, which decides where a position lies exactly between two others
        places = (np.arange(out, dtype=np.float32) + np.float32(0.5 * half)) * np.float32(scale)
        matrices[axis] = matrix(places, side, aligned, half)
    return along_axes(grads, matrices)


def _bilinear(places: np.ndarray, side: int, _aligned: bool, half: bool) -> np.ndarray:
    places = places - np.float32(0.5 * half)
    lower = np.floor(places)
    share = places - lower
    matrix = np.zeros([len(places), side])
    rows = np.arange(len(places))
    np.add.at(matrix, (rows, np.clip(lower, 0, side - 1).astype(int)), 1 - share)
    np.add.at(matrix, (rows, np.clip(lower + 1, 0, side - 1).astype(int)), share)
    return matrix


def _nearest(places: np.ndarray, side: int, aligned: bool, _half: bool) -> np.ndarray:
    nearest = np.floor(places + np.float32(0.5)) if aligned else np.floor(places)
    return np.asarray(np.eye(side)[np.clip(nearest, 0, side - 1).astype(int)])


def strided_slice_grad(op: tf.Operation) -> tf.Tensor:
    """G at the positions that were taken, 0 elsewhere."""
    grads = op.inputs[4]
    begin, end, strides = (static_value(tensor) for tensor in op.inputs[1:4])
    sides = op.outputs[0].shape.as_list()
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if begin is None or end is None or strides is None or masks["ellipsis"] or masks["new_axis"]:
        raise GradientError("its bounds are not fixed, or it adds axes")
    taken = {axis: _taken(axis, side, (begin, end, strides), masks) for axis, side in enumerate(sides[: len(begin)])}
    shrunk = [axis for axis in taken if masks["shrink_axis"] >> axis & 1]
    for axis in shrunk:
        grads = tf.expand_dims(grads, axis)
    return along_axes(grads, {axis: matrix for axis, matrix in taken.items() if matrix is not None})


def _taken(
    axis: int, side: Optional[int], bounds: Sequence[np.ndarray], masks: Mapping[str, int]
) -> Optional[np.ndarray]:
    """Return the matrix of a slice along one axis, None where it takes all."""
    first, last, step = (int(bound[axis]) for bound in bounds)
    if masks["shrink_axis"] >> axis & 1:
        part = slice(first, first + 1 or None)
    else:
        part = slice(None if masks["begin"] >> axis & 1 else first, None if masks["end"] >> axis & 1 else last, step)
    if part in (slice(None, None, 1), slice(0, None, 1)):
        return None
    return np.asarray(np.eye(_known(side))[part])


RESAMPLING: Dict[str, Forward] = {
    "AvgPoolGrad": average_pool_grad,
    "ResizeBilinearGrad": bilinear_grad,
    "ResizeNearestNeighborGrad": nearest_grad,
    "MirrorPadGrad": mirror_pad_grad,
    "StridedSliceGrad": strided_slice_grad,
}
