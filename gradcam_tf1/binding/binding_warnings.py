"""Warnings on what makes the maps of a net unreliable: batch statistics, dropout, missing gradients, a fixed batch."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence, Set

import numpy as np

from gradcam_tf1.binding.feed_values import FeedValue
from gradcam_tf1.binding.feeds import dropout_off
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, FORWARDING, RANDOM, RESHAPING
from gradcam_tf1.tf_runtime import is_differentiable, tf

# ops that normalise images with a statistic, and ops that the statistic passes before
_NORMALISING = {"Sub", "SquaredDifference", "Mul", "RealDiv", "Div", "Add", "AddV2"}
_OF_STATISTICS = _NORMALISING | FORWARDING | RESHAPING | {
    "StopGradient", "Cast", "Rsqrt", "Sqrt", "Square", "Neg", "Reciprocal", "Inv", "Pow", "Maximum", "Tile",
    "BroadcastTo", "Fill",
}  # fmt: skip


def warnings_for(
    index: GraphIndex, path: Set[str], images: str, layer: str, logits: str, feeds: Mapping[str, FeedValue]
) -> List[str]:
    """Return warnings on training-mode batch norm, active dropout and missing gradients.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : set of str
        The tensors between input and logits.
    images, layer, logits : str
        The bound tensors.
    feeds : mapping
        Values of the other placeholders.

    Returns
    -------
    list of str
        One sentence per warning.
    """
    blocked = _no_gradient(index, images, layer, logits)
    return [*training_signs(index, path, feeds), *([blocked] if blocked else [])]


def training_signs(index: GraphIndex, path: Set[str], feeds: Mapping[str, FeedValue]) -> List[str]:
    """Return a sentence for each sign that the net is in training mode: batch statistics, random numbers."""
    off = index.downstream([name for name, value in feeds.items() if _turns_dropout_off(index, name, value)])
    sentences = [_batch_statistics(mixing_ops(index, path)), _random(index, index.makers(path), off)]
    return [sentence for sentence in sentences if sentence]


def _turns_dropout_off(index: GraphIndex, name: str, value: FeedValue) -> bool:
    return np.ndim(value) == 0 and bool(dropout_off(index, name) == value)


def mixing_ops(index: GraphIndex, path: Set[str]) -> List[str]:
    """Return the names of the ops that mix the images of a batch, in graph order."""
    return [op.name for op in index.makers(path) if uses_batch_statistics(index, op)]


def _batch_statistics(names: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f"batch norm in training mode ({len(names)} ops, first '{names[0]}'): the scores of an image depend on the "
        "others in its batch, and the map of a single image means little"
    )


def uses_batch_statistics(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether an op mixes the images of a batch: fused batch norm in training mode, or its written-out mean.

    That mean runs over the image axis, and the images are normalised with it. Layer norm, instance norm, means over
    time and means of several nets use the same ops on other axes.
    """
    inputs = index.inputs[op.name]
    if op.type in BATCH_NORMS and "is_training" in op.node_def.attr and op.get_attr("is_training"):
        dims = index.dims(inputs[0])
        return not (index.source(inputs[0]).type == "Reshape" and dims is not None and dims[0] == 1)
    rank = index.rank(inputs[0]) if op.type == "Mean" else None
    if not rank or rank < 2:
        return False
    axes = index.constant(inputs[1])
    batch = image_axis(index, inputs[0])
    return axes is not None and batch in [int(axis) % rank for axis in axes.reshape(-1)] and _normalises(index, op)


def image_axis(index: GraphIndex, name: str) -> Optional[int]:
    """Return the axis of a tensor that holds the images, or their rows; None if there is none."""
    state = index.axes.get(name)
    return 0 if state is None or state.rows else state.images


def _normalises(index: GraphIndex, mean: tf.Operation) -> bool:
    """Return whether a mean, or what is computed from it, shifts or scales values that have an image axis."""
    stack = [index.outputs[mean.name][0]]
    seen = set(stack)
    while stack:
        index.walk()
        name = stack.pop()
        for op, _ in index.users[name]:
            others = [i for i in index.inputs[op.name] if i != name and i in index.axes and i not in seen]
            if op.type in _NORMALISING and any(image_axis(index, other) is not None for other in others):
                return True
            fresh = [out for out in index.outputs[op.name] if op.type in _OF_STATISTICS and out not in seen]
            seen.update(fresh)
            stack += fresh
    return False


def _random(index: GraphIndex, ops: List[tf.Operation], off: Set[str]) -> str:
    for op in ops:
        for name in index.inputs[op.name]:
            source = "" if name in off else _random_source(index, name)
            if source:
                return f"random numbers ('{source}') enter at '{op.name}': dropout or noise is on at inference"
    return ""


_MASK_PARTS = {"Floor", "Add", "AddV2", "Mul", "Cast", "GreaterEqual", "Less", "Identity", "Sub"}


def _random_source(index: GraphIndex, name: str, depth: int = 6) -> str:
    """Return the random op behind a mask or a noise tensor, "" if there is none within `depth` ops."""
    op = index.maker[name]
    random: str = op.name if RANDOM.match(op.type) else ""
    if random:
        return random
    if depth == 0 or name in index.dead or op.type not in _MASK_PARTS:
        return ""
    return next(filter(None, (_random_source(index, i, depth - 1) for i in index.inputs[op.name])), "")


def _no_gradient(index: GraphIndex, images: str, layer: str, logits: str) -> str:
    blocked = _blocking_op(index, layer, logits)
    if blocked is not None:
        return f"no gradient leads from the logits to the layer: '{blocked.name}' ({blocked.type}) has none"
    blocked = _blocking_op(index, images, logits)
    if blocked is not None and index.is_float(images):
        return f"no gradient leads from the logits to the pixels: '{blocked.name}' ({blocked.type}) has none"
    return ""


def _blocking_op(index: GraphIndex, start: str, end: str) -> Optional[tf.Operation]:
    """Return the op nearest to `end` that blocks the gradient to `start`; None if a differentiable path exists."""
    path = index.path(start, end)
    closed: List[tf.Operation] = []
    seen, stack, arrived = {end}, [end], False
    while stack:
        name = stack.pop()
        op = index.maker[name]
        arrived = arrived or name == start
        if not is_differentiable(op):
            closed.append(op)
            continue
        fresh = [i for i in index.carried(op, name) if i in path and i not in seen and index.is_float(i)]
        seen.update(fresh)
        stack.extend(fresh)
    return None if arrived or not closed else max(closed, key=lambda op: index.position[op.name])


def baked_batch(index: GraphIndex, path: Set[str], maps: Set[str], images: str, has_batch_axis: bool) -> Optional[int]:
    """Return the batch size that the graph fixes, by the shape of its input or by a Reshape; None if it is free.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path, maps : set of str
        The tensors between input and logits, and those of them that are maps.
    images : str
        The input.
    has_batch_axis : bool
        Whether the input has one; a single image is a batch of 1.

    Returns
    -------
    int or None
        The batch size.
    """
    dims = index.dims(images)
    if not has_batch_axis:
        return 1
    if dims is not None and dims[0] is not None:
        return int(dims[0])
    for op in index.makers(path):
        count = _images_of_reshape(index, op) if op.type == "Reshape" else None
        if count is not None:
            return count
        if (
            op.type == "Squeeze"
            and index.outputs[op.name][0] not in index.looped
            and index.inputs[op.name][0] in maps
            and 0 in [int(axis) for axis in op.get_attr("squeeze_dims")]
        ):
            return 1
    return None


def _images_of_reshape(index: GraphIndex, reshape: tf.Operation) -> Optional[int]:
    """Return the number of images that a Reshape fixes; None if its fixed sides count steps or rows of all images."""
    out = index.outputs[reshape.name][0]
    state, after = index.axes.get(out), index.dims(out)
    axis = 0 if state is None else state.images
    sides = index.constant(index.inputs[reshape.name][1])
    if axis is None or sides is None or after is None or len(after) <= axis or after[axis] is None:
        return None
    if int(sides.reshape(-1)[axis]) <= 0 or (state is not None and state.rows and after[0] != 1):
        return None
    return after[axis]
