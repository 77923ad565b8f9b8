"""What is only written down: summaries, metrics, savers, queues, asserts, prints, and what is computed for them."""

from __future__ import annotations

from typing import Set

from gradcam_tf1.binding.kinds import BIASES, WEIGHTED, is_training_op
from gradcam_tf1.binding.walk import Op, Walk


def only_recorded(walk: Walk) -> Set[str]:
    """Tensors that are used, but by nothing that is not a record; the vectors a layer puts out are left out.

    Somebody may watch the scores themselves in a histogram, and use them no further.
    """
    found: Set[str] = set()
    for op in reversed(walk.ops):
        for out in walk.outputs[op.name]:
            users = walk.users[out]
            if users and all(_records(walk, user, found) for user, _ in users) and not _is_vector_of_layer(walk, op):
                found.add(out)
    return found


def _records(walk: Walk, op: Op, found: Set[str]) -> bool:
    outputs = walk.outputs[op.name]
    return is_training_op(op.name, op.type) or (bool(outputs) and all(out in found for out in outputs))


def _is_vector_of_layer(walk: Walk, op: Op) -> bool:
    weighted = op.type in WEIGHTED or (
        op.type in BIASES and any(walk.maker[name].type in WEIGHTED for name in walk.inputs[op.name])
    )
    return weighted and walk.rank(walk.outputs[op.name][0]) == 2
