"""Find the tensor that the score is differentiated by: the bound input, or the floats made from an integer input.

An integer input is followed through ops that keep every pixel in its place. Where another op comes before the floats,
there is no gradient by the pixels of this input, and no other tensor replaces it.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.graph_walk import ops_after, ops_before, users
from gradcam_tf1.tf_runtime import static_value, tf
from gradcam_tf1.types import Binding

_KEPT = ("Cast", "Identity", "EnsureShape", "PlaceholderWithDefault", "Snapshot", "StopGradient", "PreventGradient")
_WITH_CONSTANT = ("Add", "AddV2", "Sub", "Mul")
# these resize the whole image: its floats are those of the resized image
_RESIZED = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
_LOOPS = ("Enter", "RefEnter", "While", "StatelessWhile", "TensorArrayScatterV3", "TensorListFromTensor")

_TRIED = 8  # maximum number of float tensors that are tried as an advice

_SIGNAL_AXES = 3  # [N, L, C]

TURNS = [0, 3, 1, 2], [0, 2, 3, 1]  # transposes to channels first, and back


class FloatImages(NamedTuple):
    """The images as floats.

    Attributes
    ----------
    tensor : tf.Tensor
        Floats [N, H, W, C], or another layout according to the other fields.
    has_batch_axis : bool
        Whether the first axis is N; False: [H, W, C].
    channels_last : bool
        Whether the channel axis is the last one; False: it comes before H and W.
    """

    tensor: tf.Tensor
    has_batch_axis: bool = True
    channels_last: bool = True

    def laid_out(self, images: tf.Tensor) -> tf.Tensor:
        """Return images [N, H, W, C], or signals and volumes, in the layout and dtype of `tensor`."""
        values = tf.cast(images, self.tensor.dtype)
        if values.shape.rank == _SIGNAL_AXES and self.tensor.shape.rank == _SIGNAL_AXES - 1:
            return values[..., 0]
        if not self.channels_last:
            values = tf.transpose(values, TURNS[0])
        return values if self.has_batch_axis else values[0]


def float_images(graph: tf.Graph, binding: Binding) -> FloatImages:
    """Return the tensor x of dy/dx.

    Parameters
    ----------
    graph : tf.Graph
        The graph that holds the net.
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    FloatImages
        The bound input, or the floats made from it.

    Raises
    ------
    GradientError
        If no single float tensor is made from an integer input, pixel by pixel.
    """
    images = FloatImages(graph.get_tensor_by_name(binding.input), binding.has_batch_axis, binding.input_channels_last)
    if images.tensor.dtype.is_floating:
        return images
    logits = graph.get_tensor_by_name(binding.logits)
    before = ops_before(logits)
    while not images.tensor.dtype.is_floating:
        following = [op for op in images.tensor.consumers() if op in before and op in users(images.tensor.op)]
        following = list(dict.fromkeys(following))
        later = _step(following[0], images) if len(following) == 1 else None
        if later is None:
            raise GradientError(_refusal(binding, following, logits))
        images = later
    return images


def _step(op: tf.Operation, images: FloatImages) -> Optional[FloatImages]:
    """Return the output of an op that keeps every pixel in its place; None for other ops."""
    later = images._replace(tensor=op.outputs[0])
    if op.type in _KEPT + _RESIZED or (op.type in _WITH_CONSTANT and _has_one_input(op, images)):
        return later
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        turn = TURNS[not images.channels_last]
        return later._replace(channels_last=not images.channels_last) if order == turn else None
    if op.type == "ExpandDims" and not images.has_batch_axis and _constant(op.inputs[1]) in (0, -4):
        return later._replace(has_batch_axis=True)
    if op.type == "Squeeze" and images.has_batch_axis and list(op.get_attr("squeeze_dims")) in ([0], [-4]):
        return later._replace(has_batch_axis=False)
    same = op.type == "Reshape" and _same_image(images.tensor, later.tensor)
    return later._replace(has_batch_axis=later.tensor.shape.rank == 4) if same else None


def _has_one_input(op: tf.Operation, images: FloatImages) -> bool:
    return sum(bool(tensor.name != images.tensor.name) and _constant(tensor) is not None for tensor in op.inputs) == 1


def _constant(tensor: tf.Tensor) -> Any:
    value = static_value(tensor)
    return None if value is None else value.tolist()


def _same_image(before: tf.Tensor, after: tf.Tensor) -> bool:
    """Return whether a Reshape only adds or removes the batch axis."""
    if before.shape.rank not in (3, 4) or after.shape.rank not in (3, 4):
        return False
    sides = [tensor.shape.as_list()[-3:] for tensor in (before, after)]
    return bool(sides[0] == sides[1] and None not in sides[0])


def _refusal(binding: Binding, following: Sequence[tf.Operation], logits: tf.Tensor) -> str:
    start = f"no single tensor of floats is made from '{binding.input}' ({binding.dtype}) pixel by pixel"
    if not following:
        return f"{start}: no op on a path to '{binding.logits}' follows it. Use a layer method such as 'gradcam'"
    named = " and ".join(f"'{op.name}' ({op.type})" for op in following[:3])
    in_loop = any(op.type in _LOOPS for op in following)
    why = f"it goes into a loop at {named}" if in_loop else f"it goes into {named} first"
    floats = None if in_loop else _floats_behind(following, logits)
    cure = f"Bind '{floats.name}' as the input for pixel methods, or use" if floats is not None else "Use"
    return f"{start}: {why}. {cure} a layer method such as 'gradcam'"


def _floats_behind(following: Sequence[tf.Operation], logits: tf.Tensor) -> Optional[tf.Tensor]:
    """Return floats that look like images and lie on all paths to the logits, to be bound instead; None without any."""
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
