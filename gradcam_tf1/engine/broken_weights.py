"""Whether the weights of a net hold NaN. Its scores need not show it: fused kernels of TensorFlow 2 turn NaN into 0."""

from __future__ import annotations

from typing import Dict, Iterator, List, Optional

import numpy as np

from gradcam_tf1.gradients.graph_walk import WEIGHTS, ops_between
from gradcam_tf1.tf_runtime import static_value, tf

# these may leave a NaN out
_CHOOSING = {
    "Select", "SelectV2", "Where", "Maximum", "Minimum", "ClipByValue", "MulNoNan", "DivNoNan", "IsNan", "IsFinite",
    "Equal", "NotEqual", "Less", "LessEqual", "Greater", "GreaterEqual",
}  # fmt: skip
# these are in loops and branches, or run code of their own
_MOVING = {
    "Enter",
    "RefEnter",
    "Exit",
    "Switch",
    "Merge",
    "NextIteration",
    "While",
    "StatelessWhile",
    "If",
    "StatelessIf",
}


def weights_are_nan(start: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return whether any weight between the images and the scores is NaN: bool [].

    Parameters
    ----------
    start : tf.Tensor
        The input.
    logits : tf.Tensor
        The scores.
    """
    weights = list(_weights(ops_between([logits], start)))
    values = [_constant(tensor) for tensor in weights]
    if any(value is not None and np.isnan(value.astype(np.float32).sum(dtype=np.float64)) for value in values):
        return tf.constant(True)
    computed = [tensor for tensor, value in zip(weights, values) if value is None]
    sums = [tf.reduce_sum(tf.cast(tensor, tf.float32)) for tensor in computed]
    return tf.reduce_any(tf.math.is_nan(sums)) if sums else tf.constant(False)


def _weights(path: List[tf.Operation]) -> Iterator[tf.Tensor]:
    """Yield the floating tensors that ops of a path take and that are computed from weights alone, each once."""
    on_path = set(path)
    known: Dict[tf.Operation, bool] = {}
    seen = set()
    for op in path:
        for tensor in op.inputs if op.type not in _CHOOSING | _MOVING else ():
            fresh = tensor.dtype.is_floating and tensor.op not in on_path and tensor.name not in seen
            seen.add(tensor.name)
            if fresh and _of_weights(tensor.op, known):
                yield tensor


def _of_weights(end: tf.Operation, known: Dict[tf.Operation, bool]) -> bool:
    """Return whether an op computes its outputs from weights alone, outside loops; `known` keeps the answers."""
    stack = [end]
    while stack:
        op = stack[-1]
        before = {tensor.op for tensor in op.inputs}
        waiting = [each for each in before if each not in known] if _is_plain(op) else []
        if op in known or not waiting:
            stack.pop()
            known.setdefault(op, _is_weight(op) or (_is_plain(op) and all(known[each] for each in before)))
        else:
            stack.extend(waiting)  # loops are closed by NextIteration, which is not plain: this ends
    return known[end]


def _is_weight(op: tf.Operation) -> bool:
    return op.type in WEIGHTS and not op.control_inputs  # with these it may be part of a loop


def _is_plain(op: tf.Operation) -> bool:
    if op.type in WEIGHTS or op.control_inputs:
        return False
    return not op.op_def.is_stateful and op.type not in _MOVING and op.type != "Placeholder" and bool(op.inputs)


def _constant(tensor: tf.Tensor) -> Optional[np.ndarray]:
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return static_value(tensor) if tensor.op.type == "Const" else None
