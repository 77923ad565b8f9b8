"""Nets whose scores are NaN or infinite: the first op that makes such values from finite ones."""

from __future__ import annotations

from typing import List, Mapping, Optional, Sequence

import numpy as np

from gradcam_tf1.engine.session_runner import SessionRunner
from gradcam_tf1.errors import RunError
from gradcam_tf1.gradients.graph_walk import WEIGHTS
from gradcam_tf1.tf_runtime import tf

Further = Mapping["tf.Tensor", np.ndarray]

_AT_A_TIME = 16  # tensors of one image that are held together


def why_broken(runner: SessionRunner, logits: tf.Tensor, image: np.ndarray, further: Further) -> str:
    """Return one sentence that names the op where NaN or infinity first appears before the scores.

    Parameters
    ----------
    runner : SessionRunner
        Runs the net.
    logits : tf.Tensor
        Holds NaN or +infinity for this image, or hides the NaN of weights.
    image : np.ndarray
        [1, H, W, C] of the input's dtype.
    further : mapping
        What further inputs are fed, [1, ...] each.
    """
    scores = _values(runner, [logits], image, further)[0]
    hidden = scores is not None and not (np.isnan(scores) | np.isposinf(scores)).any()
    what = "NaN" if hidden or (scores is not None and np.isnan(scores).any()) else "infinite"
    told = "the scores hide NaN values" if hidden else f"the scores are {what}"
    waiting = [tensor for op in _ops_before(logits.op) for tensor in op.outputs if tensor.dtype.is_floating]
    for start in range(0, len(waiting), _AT_A_TIME):
        some = waiting[start : start + _AT_A_TIME]
        for tensor, value in zip(some, _values(runner, some, image, further)):
            broken = 0 if value is None else _count_broken(tensor.op, value, what)
            if broken:
                return _sentence(tensor.op, what, broken, told)
    return "the scores are NaN or infinite for this image"


def _count_broken(op: tf.Operation, value: np.ndarray, what: str) -> int:
    if op.type in WEIGHTS:  # -infinity masks, and one number alone is the bound of a clipping
        return int((np.isnan(value) | (np.isposinf(value) & (value.size > 1))).sum())
    return int((np.isnan(value) if what == "NaN" else np.isinf(value)).sum())


def _sentence(op: tf.Operation, what: str, count: int, told: str) -> str:
    if op.type in WEIGHTS:
        return (
            f"{told}: {count} of the net's weights '{op.name}' are NaN or infinite; use a model file "
            "from before its training went wrong"
        )
    return (
        f"{told}: '{op.name}' ({op.type}) makes the first {what} values, {count} of them; check the "
        "preprocessing, and the weights before this op"
    )


def _ops_before(end: tf.Operation) -> List[tf.Operation]:
    """Return the ops that `end` is computed from, itself included, in the order of the graph."""
    seen = {end}
    stack = [end]
    while stack:
        fresh = {tensor.op for tensor in stack.pop().inputs} - seen
        seen |= fresh
        stack.extend(fresh)
    return [op for op in end.graph.get_operations() if op in seen]


def _values(
    runner: SessionRunner, tensors: List[tf.Tensor], image: np.ndarray, further: Further
) -> Sequence[Optional[np.ndarray]]:
    """Return the values of the tensors for the image; None for those that cannot be fetched, such as parts of loops."""
    try:
        return runner.values(tensors, image, further)
    except RunError:
        if len(tensors) == 1:
            return [None]
    return [_values(runner, [tensor], image, further)[0] for tensor in tensors]
