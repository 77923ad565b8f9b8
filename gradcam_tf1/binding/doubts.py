"""What a person should know before trusting the maps of this net."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence, Set

import numpy as np

from gradcam_tf1.binding.feeds import dropout_off
from gradcam_tf1.binding.kinds import BATCH_NORMS, RANDOM
from gradcam_tf1.binding.walk import Op, Walk
from gradcam_tf1.tf_runtime import is_differentiable


def warnings_for(
    walk: Walk, path: Set[str], pictures: str, layer: str, logits: str, feeds: Mapping[str, Any]
) -> List[str]:
    """Sentences on training-mode batch norm, active dropout and missing gradients."""
    ops = walk.makers(path)
    off = walk.downstream([name for name, value in feeds.items() if _turns_dropout_off(walk, name, value)])
    found = [
        _batch_statistics(mixing_ops(walk, path)),
        _random(walk, ops, off),
        _no_gradient(walk, pictures, layer, logits),
    ]
    return [sentence for sentence in found if sentence]


def _turns_dropout_off(walk: Walk, name: str, value: Any) -> bool:
    return np.ndim(value) == 0 and dropout_off(walk, name) == value


def mixing_ops(walk: Walk, path: Set[str]) -> List[str]:
    """Names of the ops that mix the pictures of a batch, producers first."""
    return [op.name for op in walk.makers(path) if uses_batch_statistics(walk, op)]


def _batch_statistics(names: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f"batch norm in training mode ({len(names)} ops, first '{names[0]}'): the scores of a picture depend on the "
        "others in its batch, and on one picture its map means little"
    )


def uses_batch_statistics(walk: Walk, op: Op) -> bool:
    """Whether an op mixes the pictures of a batch: fused batch norm in training mode, or a mean over the batch axis.

    Layer and instance norms, which average within one picture, are spelled with the same ops on other axes.
    """
    inputs = walk.inputs[op.name]
    if op.type in BATCH_NORMS and "is_training" in op.node_def.attr and op.get_attr("is_training"):
        dims = walk.dims(inputs[0])
        return not (walk.source(inputs[0]).type == "Reshape" and dims is not None and dims[0] == 1)
    rank = walk.rank(inputs[0]) if op.type == "Mean" else None
    if not rank or rank < 2:
        return False
    if walk.source(inputs[0]).type == "Pack" and walk.source(inputs[0]).get_attr("axis") % rank == 0:
        return False  # the mean of several tensors, as of the nets of an ensemble
    axes = walk.constant(inputs[1])
    return axes is not None and 0 in [int(axis) % rank for axis in axes.reshape(-1)]


def _random(walk: Walk, ops: List[Op], off: Set[str]) -> str:
    for op in ops:
        for name in walk.inputs[op.name]:
            source = "" if name in off else _random_source(walk, name)
            if source:
                return f"random numbers ('{source}') enter at '{op.name}': dropout or noise is on at inference"
    return ""


_MASK_PARTS = {"Floor", "Add", "AddV2", "Mul", "Cast", "GreaterEqual", "Less", "Identity", "Sub"}


def _random_source(walk: Walk, name: str, depth: int = 6) -> str:
    """The random op that a mask or a noise tensor is made with, "" where there is none near."""
    op = walk.maker[name]
    if RANDOM.match(op.type):
        return op.name
    if depth == 0 or name in walk.dead or op.type not in _MASK_PARTS:
        return ""
    return next(filter(None, (_random_source(walk, i, depth - 1) for i in walk.inputs[op.name])), "")


def _no_gradient(walk: Walk, pictures: str, layer: str, logits: str) -> str:
    blocked = _blocking_op(walk, layer, logits)
    if blocked is not None:
        return f"no gradient leads from the logits to the layer: '{blocked.name}' ({blocked.type}) has none"
    blocked = _blocking_op(walk, pictures, logits)
    if blocked is not None and walk.is_float(pictures):
        return f"no gradient leads from the logits to the pixels: '{blocked.name}' ({blocked.type}) has none"
    return ""


def _blocking_op(walk: Walk, start: str, end: str) -> Optional[Op]:
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


def baked_batch(walk: Walk, path: Set[str], maps: Set[str], pictures: str, has_batch_axis: bool) -> Optional[int]:
    """The number of pictures the graph insists on: by its input's shape, or by a Reshape to a fixed first side."""
    dims = walk.dims(pictures)
    if not has_batch_axis:
        return 1
    if dims is not None and dims[0] is not None:
        return int(dims[0])
    for op in walk.makers(path):
        after = walk.dims(walk.outputs[op.name][0])
        if op.type == "Reshape" and after and after[0] is not None:
            wanted = walk.constant(walk.inputs[op.name][1])
            if wanted is not None and wanted.size and int(wanted.reshape(-1)[0]) > 0:
                return int(after[0])
        if (
            op.type == "Squeeze"
            and walk.outputs[op.name][0] not in walk.looped
            and walk.inputs[op.name][0] in maps
            and 0 in [int(axis) for axis in op.get_attr("squeeze_dims")]
        ):
            return 1
    return None
