"""What a person should know before trusting the maps of this net."""

from __future__ import annotations

from typing import List, Optional, Set

from gradcam_tf1.binding.kinds import BATCH_NORMS, RANDOM
from gradcam_tf1.binding.walk import Op, Walk
from gradcam_tf1.tf_runtime import is_differentiable


def warnings_for(walk: Walk, path: Set[str], layer: str, logits: str) -> List[str]:
    """Sentences on training-mode batch norm, active dropout and missing gradients."""
    ops = walk.makers(path)
    found = [_batch_statistics(ops), _random(walk, ops), _no_gradient(walk, path, layer, logits)]
    return [sentence for sentence in found if sentence]


def _batch_statistics(ops: List[Op]) -> str:
    fused = [op.name for op in ops if op.type in BATCH_NORMS and "is_training" in op.node_def.attr
             and op.get_attr("is_training")]  # fmt: skip
    written = [op.name for op in ops if op.type == "SquaredDifference" and "moments" in op.name]
    names = fused + written
    if not names:
        return ""
    return (
        f"batch norm in training mode ({len(names)} ops, first '{names[0]}'): the scores of a picture depend on the "
        "others in its batch, and on one picture its map means little"
    )


def _random(walk: Walk, ops: List[Op]) -> str:
    for op in ops:
        for name in walk.inputs[op.name]:
            source = _random_source(walk, name)
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


def _no_gradient(walk: Walk, path: Set[str], layer: str, logits: str) -> str:
    between = walk.path(layer, logits)
    for op in reversed(walk.makers(between)):
        if op.name != walk.maker[layer].name and not is_differentiable(op):
            return f"'{op.name}' ({op.type}) between the layer and the logits has no gradient"
    first: Optional[Op] = next((op for op in walk.makers(path) if op.inputs and not is_differentiable(op)), None)
    if first is not None:
        return f"'{first.name}' ({first.type}) between the input and the logits has no gradient: no pixel-space maps"
    return ""


def baked_batch(walk: Walk, path: Set[str], pictures: str, has_batch_axis: bool) -> Optional[int]:
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
        if op.type == "Squeeze" and 0 in [int(axis) for axis in op.get_attr("squeeze_dims")]:
            return 1
    return None
