"""FullGrad: how much the pixels and every bias of the net add to the score."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import numpy as np

from gradcam_tf1.gradients.float_images import FloatImages
from gradcam_tf1.gradients.graph_walk import ops_after, ops_between
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import static_value, tf
from gradcam_tf1.types import LayerInfo

# ops f of one input, value by value, for which f(x) - f'(x) x can be other than 0
_BIASED = {
    "BiasAdd", "Add", "AddV2", "Sub", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3",
    "BatchNormWithGlobalNormalization", "Relu6", "Elu", "Selu", "Softplus", "Sigmoid", "Tanh", "Maximum", "Minimum",
    "ClipByValue",
}  # fmt: skip
_LOOP_STARTS = ("Enter", "RefEnter")

PathOps = Dict["tf.Operation", None]  # the ops between images and score, in the order of the graph


def fullgrad(probe: ProbeBase, _layer: Optional[LayerInfo]) -> np.ndarray:
    """psi(x * dy/dx) + sum over biases b of psi(b * dy/db), summed over channels.

    psi: the magnitude, scaled to 0..1, upsampled. The biases are those of convolutions and batch norms (beta - mean
    gamma / deviation), any constant that is added, and f(x) - f'(x) x for an activation f that is not a straight line
    on each side of zero. Dense biases have no position on the image.

    Without psi, all parts add up to the score exactly: y = <x, dy/dx> + sum_b <b, dy/db>; the map's notes say how far
    the sum is off. Left out are products of features (Swish, attention), biases inside loops, and batch norms that
    could use the statistics of their batch.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.

    Returns
    -------
    np.ndarray
        float32 [T, H, W], >= 0.

    References
    ----------
    FullGrad, https://arxiv.org/abs/1905.00780
    """
    image = probe.image[np.newaxis]
    maps = []
    for target in range(probe.targets):
        arrays = probe.evaluate(full_gradient, image, target)
        total = float(arrays.pop("total")[0])
        score = float(probe.scores(image)[0, target])
        share = f", {abs(total - score) / abs(score):.1%} off" if score else ""
        sum_of_parts = f"the input and {int(arrays.pop('parts')[0])} biases add up to {total:.4g}"
        probe.note(target, f"completeness: {sum_of_parts}, the score is {score:.4g}{share}")
        parts = ((part[0], probe.cells_of(name, part.shape[1:])) for (_, name), part in arrays.items())
        maps.append(np.sum([upsample(part, image.shape[1:3], cells) for part, cells in parts], axis=0))
    return np.stack(maps)


def full_gradient(score: tf.Tensor, inputs: FloatImages) -> Dict[Any, tf.Tensor]:
    """Build the decomposition as ops.

    Parameters
    ----------
    score : tf.Tensor
        [N].
    inputs : FloatImages
        What the score is differentiated by.

    Returns
    -------
    dict
        "total": the sum of all parts, [N]; "parts": the number of biases, [N]; and for the input and each bias that has
        positions, by number and name of the tensor, its magnitudes in 0..1, summed over the channels: [N, h, w].
    """
    pixels = inputs.tensor
    path = dict.fromkeys(ops_between([score], pixels))
    looped = ops_after([op for op in path if op.type in _LOOP_STARTS], without=[op for op in path if op.type == "Exit"])
    biases = [(op, _bias(op, path)) for op in path if op.type in _BIASED and op not in looped]
    found = [(op, bias) for op, bias in biases if bias is not None]
    grads = tf.gradients(score, [pixels, *(op.outputs[0] for op, _ in found)])
    parts = [(pixels, pixels * grads[0])]
    parts += [(op.outputs[0], bias * grad) for (op, bias), grad in zip(found, grads[1:]) if grad is not None]
    images = tf.shape(score)[0]
    sums, counts, answer = [], [], {}
    for number, (tensor, part) in enumerate(parts):
        each = tf.reduce_sum(tf.reshape(tf.cast(part, tf.float32), [images, -1]), axis=1)
        sums.append(_alive(each, tensor.op, tf.zeros([images]), path))
        counts.append(_alive(tf.ones_like(each), tensor.op, tf.zeros([images]), path))
        if number == 0 or part.shape.rank == 4:
            whole = part if number or inputs.has_batch_axis else part[tf.newaxis]
            sizes = _magnitudes(tf.transpose(whole, _to_last(tensor, path, inputs)))
            answer[number, tensor.name] = _alive(sizes, tensor.op, tf.zeros([images, 1, 1]), path)
    return {**answer, "total": tf.add_n(sums), "parts": tf.add_n(counts[1:] or [tf.zeros([images])])}


def _bias(op: tf.Operation, path: PathOps) -> Optional[tf.Tensor]:
    """Return f(x) - f'(x) x of an op with one input that depends on the image; None for a sum of two such inputs."""
    data = [tensor for tensor in op.inputs if tensor.op in path]
    result = op.outputs[0]
    if len(data) != 1 or not result.dtype.is_floating:  # sizes are computed with, too
        return None
    slope = tf.gradients(result, data[0])[0]
    return None if slope is None else result - slope * data[0]


def _alive(part: tf.Tensor, op: tf.Operation, zeros: tf.Tensor, path: PathOps) -> tf.Tensor:
    """Return the part, or `zeros` where `op` is in the branch of a condition that is not taken."""
    switch = _switch_before(op, path)
    while switch is not None:
        taken = tf.raw_ops.Switch(data=zeros, pred=switch.op.inputs[1])
        part = tf.raw_ops.Merge(inputs=[part, taken[1 - switch.value_index]])[0]
        switch = _switch_before(switch.op, path)
    return part


def _switch_before(op: tf.Operation, path: PathOps) -> Optional[tf.Tensor]:
    """Return the output of the condition's Switch that `op` comes after; None where no condition is open there."""
    # with how many conditions are closed by a Merge between here and `op`
    stack = [(op, 0)]
    seen = set(stack)
    while stack:
        later, closed = stack.pop()
        for tensor in [each for each in later.inputs if each.op in path]:
            if tensor.op.type == "Switch" and not closed and tensor.op.inputs[1].op.type != "LoopCond":
                return tensor
            step = (tensor.op, closed + (tensor.op.type == "Merge") - (tensor.op.type == "Switch"))
            if step not in seen:
                seen.add(step)
                stack.append(step)
    return None


def _magnitudes(part: tf.Tensor) -> tf.Tensor:
    """Return |part| scaled to 0..1 within each image, summed over the channels: [N, h, w, K] -> [N, h, w]."""
    sizes = tf.abs(tf.cast(part, tf.float32))
    low, high = (reduce(sizes, axis=[1, 2, 3], keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.reduce_sum(tf.math.divide_no_nan(sizes - low, high - low), axis=3)


def _to_last(tensor: tf.Tensor, path: PathOps, inputs: FloatImages) -> Tuple[int, ...]:
    """Return the order of axes that brings a tensor between images and score to [N, h, w, K].

    The last op before it with a layout decides. Values are followed, not constants; Transposes on the way turn them.
    """
    axes, seen = list(range(4)), {""}  # the axis here that each axis of the tensor comes from
    here: Optional[tf.Tensor] = tensor
    layout = MapLayout()  # round a loop, or out of another output of what makes the images
    while here is not None and here.name not in seen:
        seen.add(here.name)
        if here.name == inputs.tensor.name:
            layout = MapLayout(inputs.channels_last)
            break
        if "data_format" in here.op.node_def.attr:
            layout = MapLayout(b"NC" not in here.op.get_attr("data_format"))
            break
        order = static_value(here.op.inputs[1]) if here.op.type == "Transpose" else None
        if order is not None and len(order) == len(axes):
            axes = [int(order[axis]) for axis in axes]
        here = next((each for each in here.op.inputs if each.op in path), None)
    return tuple(axes.index(axis) for axis in layout.to_last(len(axes)))


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo]) -> int:
    return 2 * probe.targets


FULLGRAD_ROWS = (
    IteratedMethod(
        "fullgrad",
        "how much the pixels and every bias add to the score",
        "https://arxiv.org/abs/1905.00780",
        fullgrad,
        rectified=True,
        runs=_runs,
        unit=BACKWARD,
        copies=False,
        inputs=("images",),
    ),
)
