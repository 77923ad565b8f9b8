"""Whether the weights of a net hold NaN. Its scores need not show it: fused kernels of TensorFlow 2 turn NaN into 0."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.live_session import LiveSession
from gradcam_tf1.gradients.graph_walk import WEIGHTS, ops_between
from gradcam_tf1.tf_runtime import static_value, tf

_SMALL = 4096  # numbers that are read from a session rather than summed there
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


class WeightCheck:
    """Whether weights of a session are NaN. Found out once for each set of weights, since it reads all of them.

    Parameters
    ----------
    sess : LiveSession
        The session.
    make : callable
        Returns the tensors to read, see `weights_to_read`.
    """

    def __init__(self, sess: LiveSession, make: Callable[[], Sequence[tf.Tensor]]) -> None:
        self._sess, self._make = sess, make
        self._known = (-1, False)  # how often weights had been assigned, and what was found then

    def __call__(self) -> bool:
        """Return whether any weight is NaN now."""
        assigned, nan = self._known
        if assigned != self._sess.assigned:
            assigned = self._sess.assigned  # before the run: weights that change meanwhile are checked again
            tensors = list(self._make())
            values = self._sess.run(tensors, {}) if tensors else []
            nan = any(np.isnan(np.asarray(value).astype(np.float32)).any() for value in values)
            self._known = (assigned, nan)
        return nan


def weights_to_read(start: tf.Tensor, logits: tf.Tensor) -> Tuple[tf.Tensor, ...]:
    """Return the weights between the images and the scores whose values may be NaN, and of large ones the sum.

    Constants that hold no NaN are left out: most nets have no other weights. One op for each would take longer than
    the net.

    Parameters
    ----------
    start : tf.Tensor
        The input.
    logits : tf.Tensor
        The scores.
    """
    doubtful = _doubtful(start, logits)
    return tuple(tensor if _is_small(tensor) else _sum(tensor) for tensor in doubtful)


def weights_are_nan(start: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return whether any weight between the images and the scores is NaN: bool []; arguments as `weights_to_read`."""
    sums = [_sum(tensor) for tensor in _doubtful(start, logits)]
    return tf.reduce_any(tf.math.is_nan(sums)) if sums else tf.constant(False)


def _doubtful(start: tf.Tensor, logits: tf.Tensor) -> List[tf.Tensor]:
    """Return the first constant with NaN, or else the weights that only a run can tell."""
    weights = list(_weights(ops_between([logits], start)))
    values = [_constant(tensor) for tensor in weights]
    for tensor, value in zip(weights, values):
        if value is not None and np.isnan(value.astype(np.float32).sum(dtype=np.float64)):
            return [tensor]
    return [tensor for tensor, value in zip(weights, values) if value is None]


def _is_small(tensor: tf.Tensor) -> bool:
    return bool(tensor.shape.is_fully_defined() and tensor.shape.num_elements() <= _SMALL)


def _sum(tensor: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(tensor, tf.float32))


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
