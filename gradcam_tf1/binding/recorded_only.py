"""Tensors whose values only summaries and other records use."""

from __future__ import annotations

from typing import Set

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import BIASES, WEIGHTED, is_training_op
from gradcam_tf1.tf_runtime import tf


def only_recorded(index: GraphIndex) -> Set[str]:
    """Return the tensors that only summaries and other records use.

    The vectors that a layer outputs are left out: class scores may be used by nothing but a histogram.
    """
    recorded: Set[str] = set()
    for op in reversed(index.ops):
        for out in index.outputs[op.name]:
            users = index.users[out]
            if (
                users
                and all(_records(index, user, recorded) for user, _ in users)
                and not _is_vector_of_layer(index, op)
            ):
                recorded.add(out)
    return recorded


def _records(index: GraphIndex, op: tf.Operation, recorded: Set[str]) -> bool:
    outputs = index.outputs[op.name]
    return is_training_op(op.name, op.type) or (bool(outputs) and all(out in recorded for out in outputs))


def _is_vector_of_layer(index: GraphIndex, op: tf.Operation) -> bool:
    weighted = op.type in WEIGHTED or (
        op.type in BIASES and any(index.maker[name].type in WEIGHTED for name in index.inputs[op.name])
    )
    return weighted and index.rank(index.outputs[op.name][0]) == 2
