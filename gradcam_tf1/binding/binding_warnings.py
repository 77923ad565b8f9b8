"""What a person should know before trusting the maps of this net."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Set

import numpy as np

from gradcam_tf1.binding.feeds import dropout_off
from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import BATCH_NORMS, FORWARDING, RANDOM, RESHAPING
from gradcam_tf1.tf_runtime import is_differentiable

# what normalises images with a statistic of them, and what the statistic goes through before
_NORMALISING = {"Sub", "SquaredDifference", "Mul", "RealDiv", "Div", "Add", "AddV2"}
_OF_STATISTICS = _NORMALISING | FORWARDING | RESHAPING | {
    "StopGradient", "Cast", "Rsqrt", "Sqrt", "Square", "Neg", "Reciprocal", "Inv", "Pow", "Maximum", "Tile",
    "BroadcastTo", "Fill",
}  # fmt: skip


def warnings_for(
    walk: GraphIndex, path: Set[str], images: str, layer: str, logits: str, feeds: Mapping[str, Any]
) -> List[str]:
    """Sentences on training-mode batch norm, active dropout and missing gradients."""
    ops = walk.makers(path)
    off = walk.downstream([name for name, value in feeds.items() if _turns_dropout_off(walk, name, value)])
    found = [
        _batch_statistics(mixing_ops(walk, path)),
        _random(walk, ops, off),
        _no_gradient(walk, images, layer, logits),
    ]
    return [sentence for sentence in found if sentence]


def _turns_dropout_off(walk: GraphIndex, name: str, value: Any) -> bool:
    return np.ndim(value) == 0 and dropout_off(walk, name) == value


def mixing_ops(walk: GraphIndex, path: Set[str]) -> List[str]:
    """Names of the ops that mix the images of a batch, producers first."""
    return [op.name for op in walk.makers(path) if uses_batch_statistics(walk, op)]


def _batch_statistics(names: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f"batch norm in training mode ({len(names)} ops, first '{names[0]}'): the scores of an image depend on the "
        "others in its batch, and on one image its map means little"
    )


def uses_batch_statistics(walk: GraphIndex, op: Op) -> bool:
    """Whether an op mixes the images of a batch: fused batch norm in training mode, or its written-out mean.

    That mean goes over the axis of images, and the images are normalised with it. Layer and instance norms, means
    over the time of a sequence with the time in front, and means of several nets are spelled with the same ops on other
    axes.
    """
    inputs = walk.inputs[op.name]
    if op.type in BATCH_NORMS and "is_training" in op.node_def.attr and op.get_attr("is_training"):
        dims = walk.dims(inputs[0])
        return not (walk.source(inputs[0]).type == "Reshape" and dims is not None and dims[0] == 1)
    rank = walk.rank(inputs[0]) if op.type == "Mean" else None
    if not rank or rank < 2:
        return False
    axes = walk.constant(inputs[1])
    batch = image_axis(walk, inputs[0])
    return axes is not None and batch in [int(axis) % rank for axis in axes.reshape(-1)] and _normalises(walk, op)


def image_axis(walk: GraphIndex, name: str) -> Optional[int]:
    """The axis of a tensor that holds the images, or the rows of all of them; None where it has none."""
    state = walk.axes.get(name)
    return 0 if state is None or state.rows else state.images


def _normalises(walk: GraphIndex, mean: Op) -> bool:
    """Whether what is made of a mean shifts or scales values that still have their axis of images."""
    stack = [walk.outputs[mean.name][0]]
    seen = set(stack)
    while stack:
        name = stack.pop()
        for op, _ in walk.users[name]:
            others = [i for i in walk.inputs[op.name] if i != name and i in walk.axes and i not in seen]
            if op.type in _NORMALISING and any(image_axis(walk, each) is not None for each in others):
                return True
            fresh = [out for out in walk.outputs[op.name] if op.type in _OF_STATISTICS and out not in seen]
            seen.update(fresh)
            stack += fresh
    return False


def _random(walk: GraphIndex, ops: List[Op], off: Set[str]) -> str:
    for op in ops:
        for name in walk.inputs[op.name]:
            source = "" if name in off else _random_source(walk, name)
            if source:
                return f"random numbers ('{source}') enter at '{op.name}': dropout or noise is on at inference"
    return ""


_MASK_PARTS = {"Floor", "Add", "AddV2", "Mul", "Cast", "GreaterEqual", "Less", "Identity", "Sub"}


def _random_source(walk: GraphIndex, name: str, depth: int = 6) -> str:
    """The random op that a mask or a noise tensor is made with, "" where there is none near."""
    op = walk.maker[name]
    if RANDOM.match(op.type):
        return op.name
    if depth == 0 or name in walk.dead or op.type not in _MASK_PARTS:
        return ""
    return next(filter(None, (_random_source(walk, i, depth - 1) for i in walk.inputs[op.name])), "")


def _no_gradient(walk: GraphIndex, images: str, layer: str, logits: str) -> str:
    blocked = _blocking_op(walk, layer, logits)
    if blocked is not None:
        return f"no gradient leads from the logits to the layer: '{blocked.name}' ({blocked.type}) has none"
    blocked = _blocking_op(walk, images, logits)
    if blocked is not None and walk.is_float(images):
        return f"no gradient leads from the logits to the pixels: '{blocked.name}' ({blocked.type}) has none"
    return ""


def _blocking_op(walk: GraphIndex, start: str, end: str) -> Optional[Op]:
    """The op nearest to `end` that cuts the differentiable ways back to `start`; None where one is open."""
    path = walk.path(start, end)
    closed: List[Op] = []
    seen, stack, arrived = {end}, [end], False
    while stack:
        name = stack.pop()
        op = walk.maker[name]
        arrived = arrived or name == start
        if not is_differentiable(op):
            closed.append(op)
            continue
        fresh = [i for i in walk.carried(op, name) if i in path and i not in seen and walk.is_float(i)]
        seen.update(fresh)
        stack.extend(fresh)
    return None if arrived or not closed else max(closed, key=lambda op: walk.position[op.name])


def baked_batch(walk: GraphIndex, path: Set[str], maps: Set[str], images: str, has_batch_axis: bool) -> Optional[int]:
    """The number of images the graph insists on: by its input's shape, or by a Reshape to a fixed side."""
    dims = walk.dims(images)
    if not has_batch_axis:
        return 1
    if dims is not None and dims[0] is not None:
        return int(dims[0])
    for op in walk.makers(path):
        asked = _images_asked_for(walk, op) if op.type == "Reshape" else None
        if asked is not None:
            return asked
        if (
            op.type == "Squeeze"
            and walk.outputs[op.name][0] not in walk.looped
            and walk.inputs[op.name][0] in maps
            and 0 in [int(axis) for axis in op.get_attr("squeeze_dims")]
        ):
            return 1
    return None


def _images_asked_for(walk: GraphIndex, reshape: Op) -> Optional[int]:
    """The number of images that a Reshape fixes; None where its fixed sides are of steps, or of the rows of all."""
    out = walk.outputs[reshape.name][0]
    state, after = walk.axes.get(out), walk.dims(out)
    axis = 0 if state is None else state.images
    sides = walk.constant(walk.inputs[reshape.name][1])
    if axis is None or sides is None or after is None or len(after) <= axis or after[axis] is None:
        return None
    if int(sides.reshape(-1)[axis]) <= 0 or (state is not None and state.rows and after[0] != 1):
        return None
    return after[axis]
