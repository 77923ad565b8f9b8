"""Bring class scores to the order images first, classes last, by the letters of `Binding.score_axes`."""

from __future__ import annotations

from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding


def classes_last(scores: tf.Tensor, axes: str, binding: Binding) -> tf.Tensor:
    """Reorder class scores: images first, classes last.

    Parameters
    ----------
    scores : tf.Tensor
        Floats of rank 1 to 5.
    axes : str
        One letter for each axis, see `Binding.score_axes`. Where their number is not the rank, the usual order of that
        rank is assumed.
    binding : Binding
        The key tensors of the net.

    Returns
    -------
    tf.Tensor
        float32 [N, C]; [N, h, w, C] of positions; [N, anchors, C] of anchors or steps.

    Raises
    ------
    BindingError
        If the rank or the dtype does not suit class scores.
    """
    rank = scores.shape.rank
    if rank is None or rank == 0 or rank > 5 or (rank == 5 and len(axes) != 5):
        raise BindingError(
            f"'{scores.name}' has shape {scores.shape}; class scores have rank 1 to 4 with one axis of classes. "
            "Name another tensor as logits"
        )
    if not scores.dtype.is_floating:
        raise BindingError(
            f"'{scores.name}' is {scores.dtype.name}; class scores are floats. Name another tensor as logits"
        )
    scores = tf.cast(scores, tf.float32)
    axes = axes if len(axes) == rank else usual_axes(scores, binding)
    if "c" not in axes:  # one score per image or row
        scores, axes = scores[..., tf.newaxis], axes + "c"
    first = next((letter for letter in axes if letter in "nrs"), "")
    if not first:
        scores, axes, first = scores[tf.newaxis], "n" + axes, "n"
    order = sorted(range(len(axes)), key=lambda axis: (axes[axis] == "c", axes[axis] != first))
    if order != list(range(len(axes))):
        scores = tf.transpose(scores, order)
    if first == "n" and "a" not in axes:
        return scores
    return _one_axis_of_anchors(scores, first, binding)


def _one_axis_of_anchors(scores: tf.Tensor, first: str, binding: Binding) -> tf.Tensor:
    """Reshape [N, ..., C] or [rows, ..., C] to [N, anchors, C]; rows are those of the letters r and s."""
    classes = tf.shape(scores)[-1] if scores.shape[-1] is None or _unknown(scores.shape[-1]) else scores.shape[-1]
    if first == "n":
        flat = tf.reshape(scores, [tf.shape(scores)[0], -1, classes])
    elif first == "r":
        flat = tf.reshape(scores, [images(binding), -1, classes])
    else:
        flat = tf.transpose(tf.reshape(scores, [-1, images(binding), classes]), [1, 0, 2])
    flat.set_shape([None, None, scores.shape[-1]])
    return flat


def _unknown(side: object) -> bool:
    return getattr(side, "value", side) is None


def images(binding: Binding) -> tf.Tensor:
    """Return the number of images in the batch, int32."""
    if not binding.has_batch_axis:
        return tf.constant(1)
    return tf.shape(tf.get_default_graph().get_tensor_by_name(binding.input))[0]


def usual_axes(scores: tf.Tensor, binding: Binding) -> str:
    """Return the usual letters of the axes for the rank of `scores`."""
    first = "n" if binding.has_batch_axis else "r"
    rank: int = scores.shape.rank
    if rank == 1:
        return "n" if binding.has_batch_axis else "c"
    if rank < 4:
        return first + "a" * (rank - 2) + "c"
    channels_last = scores.shape[-1] == binding.classes or scores.shape[1] != binding.classes
    return f"{first}ppc" if channels_last else f"{first}cpp"


def without_positions(maps: tf.Tensor) -> tf.Tensor:
    """Reduce to one score per class, [N, C]: the mean over positions, the maximum over anchors."""
    rank = maps.shape.rank
    if rank == 3:
        return tf.reduce_max(maps, axis=1)
    return maps if rank == 2 else tf.reduce_mean(maps, axis=list(range(1, rank - 1)))
