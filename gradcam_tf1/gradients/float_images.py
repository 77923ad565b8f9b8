"""The tensor that the score is differentiated by: the bound input, or, where it holds integers, its floats.

It is found by the input's name. Integers are followed through ops that keep every pixel where it is; where something
else comes before the floats, there is no gradient by the pixels of this input, and nothing else is taken for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.graph_walk import ops_after, ops_before, users
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

_KEPT = ("Cast", "Identity", "EnsureShape", "PlaceholderWithDefault", "Snapshot", "StopGradient", "PreventGradient")
_WITH_CONSTANT = ("Add", "AddV2", "Sub", "Mul")
# the whole image in another size: its floats are the resized one's
_RESIZED = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
_LOOPS = ("Enter", "RefEnter", "While", "StatelessWhile", "TensorArrayScatterV3", "TensorListFromTensor")

_TRIED = 8  # floats that are looked at before none is named

TURNS = [0, 3, 1, 2], [0, 2, 3, 1]  # channels to the front, and back


class FloatImages(NamedTuple):
    """tensor: [N, H, W, C] of floats. has_batch_axis, channels_last: its layout, where it is another one."""

    tensor: tf.Tensor
    has_batch_axis: bool = True
    channels_last: bool = True


def float_images(graph: tf.Graph, binding: Binding) -> FloatImages:
    """What dy/dx is taken by.

    Raises: GradientError where no single tensor of floats is made of an integer input, pixel by pixel.
    """
    found = FloatImages(graph.get_tensor_by_name(binding.input), binding.has_batch_axis, binding.input_channels_last)
    if found.tensor.dtype.is_floating:
        return found
    logits = graph.get_tensor_by_name(binding.logits)
    before = ops_before(logits)
    while not found.tensor.dtype.is_floating:
        following = [op for op in found.tensor.consumers() if op in before and op in users(found.tensor.op)]
        following = list(dict.fromkeys(following))
        later = _step(following[0], found) if len(following) == 1 else None
        if later is None:
            raise GradientError(_refusal(binding, following, logits))
        found = later
    return found


def _step(op: tf.Operation, found: FloatImages) -> Optional[FloatImages]:
    """The images behind one op that keeps every pixel where it is; None behind another."""
    later = found._replace(tensor=op.outputs[0])
    if op.type in _KEPT + _RESIZED or (op.type in _WITH_CONSTANT and _has_one_input(op, found)):
        return later
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        turn = TURNS[not found.channels_last]
        return later._replace(channels_last=not found.channels_last) if order == turn else None
    if op.type == "ExpandDims" and not found.has_batch_axis and _constant(op.inputs[1]) in (0, -4):
        return later._replace(has_batch_axis=True)
    if op.type == "Squeeze" and found.has_batch_axis and list(op.get_attr("squeeze_dims")) in ([0], [-4]):
        return later._replace(has_batch_axis=False)
    same = op.type == "Reshape" and _same_image(found.tensor, later.tensor)
    return later._replace(has_batch_axis=later.tensor.shape.rank == 4) if same else None


def _has_one_input(op: tf.Operation, found: FloatImages) -> bool:
    return sum(tensor.name != found.tensor.name and _constant(tensor) is not None for tensor in op.inputs) == 1


def _constant(tensor: tf.Tensor) -> Any:
    value = tf.get_static_value(tensor)
    return None if value is None else value.tolist()


def _same_image(one: tf.Tensor, other: tf.Tensor) -> bool:
    """Whether a Reshape only adds or takes away the axis of the batch."""
    if one.shape.rank not in (3, 4) or other.shape.rank not in (3, 4):
        return False
    sides = [tensor.shape.as_list()[-3:] for tensor in (one, other)]
    return sides[0] == sides[1] and None not in sides[0]


def _refusal(binding: Binding, following: Sequence[tf.Operation], logits: tf.Tensor) -> str:
    start = f"no single tensor of floats is made from '{binding.input}' ({binding.dtype}) pixel by pixel"
    if not following:
        return f"{start}: nothing that leads to '{binding.logits}' follows it. Use a layer method such as 'gradcam'"
    named = " and ".join(f"'{op.name}' ({op.type})" for op in following[:3])
    in_loop = any(op.type in _LOOPS for op in following)
    why = f"it goes into a loop at {named}" if in_loop else f"it goes into {named} first"
    floats = None if in_loop else _floats_behind(following, logits)
    cure = f"Bind '{floats.name}' as the input for pixel methods, or use" if floats is not None else "Use"
    return f"{start}: {why}. {cure} a layer method such as 'gradcam'"


def _floats_behind(following: Sequence[tf.Operation], logits: tf.Tensor) -> Optional[tf.Tensor]:
    """Floats that look like images and that all ways to the logits lead through: a person may bind them."""
    between = ops_after(following) & ops_before(logits)
    tried = 0
    for op in logits.graph.get_operations() if between else ():
        if op not in between or not _looks_like_images(op):
            continue
        if logits.op not in ops_after(following, without=[op]):
            return op.outputs[0]
        tried += 1
        if tried == _TRIED:
            break
    return None


def _looks_like_images(op: tf.Operation) -> bool:
    if len(op.outputs) != 1 or not op.outputs[0].dtype.is_floating or op.outputs[0].shape.rank not in (3, 4):
        return False
    return bool({1, 3, 4} & set(op.outputs[0].shape.as_list()[-3:]))
