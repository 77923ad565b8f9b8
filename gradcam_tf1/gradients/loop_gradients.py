"""Find the loops between two tensors, and say where TensorFlow has no gradient through one."""

from __future__ import annotations

from typing import List, Optional

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.activations import ALONE
from gradcam_tf1.gradients.gradient_path import explain_missing_gradient
from gradcam_tf1.gradients.graph_walk import calls_with, ops_between
from gradcam_tf1.tf_runtime import tf

_FUNCTIONAL = ("While", "StatelessWhile")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# what tf.gradients raises for loops that it cannot differentiate
FAILURES = (LookupError, AttributeError, TypeError, ValueError, AssertionError, NotImplementedError)


class LoopError(GradientError):
    """TensorFlow has no gradient through a loop on the path; the caller adds which methods need none."""


def loops_between(score: tf.Tensor, start: tf.Tensor) -> List[str]:
    """Return the names of the ops that end the loops on the path of a gradient from `score` to `start`."""
    return [op.name for op in ops_between([score], start) if op.type == "Exit" or op.type in _FUNCTIONAL]


def check_rule_reaches(rule: str, score: tf.Tensor, start: tf.Tensor) -> None:
    """Raise GradientError where a called function holds activations.

    TensorFlow differentiates a called function as a whole, so that no rule reaches inside. The bodies of functional
    loops and branches are differentiated op by op, and a rule reaches them.
    """
    calls = [op for op in ops_between([score], start) if op.type in _CALLS]
    hidden = calls_with(score.graph, calls, lambda node: node.op in ALONE)
    if hidden:
        raise GradientError(
            f"the {rule} rule does not reach the activations inside the function of '{hidden[0].name}' "
            f"({hidden[0].type}), so the result would be half a plain gradient; use 'gradient', a layer method such "
            "as 'gradcam', or a model frozen with its functions inlined"
        )


def no_gradient(score: tf.Tensor, target: tf.Tensor, error: Optional[Exception] = None) -> GradientError:
    """Return the error on why d(score)/d(target) does not exist; `error` is TensorFlow's, None where it raised none."""
    loops = loops_between(score, target)
    reason = "" if error is None else f" (TensorFlow says: {str(error) or type(error).__name__})"
    message = explain_missing_gradient(score, target) + reason
    return LoopError(f"{message}; the path leads through a loop, to '{loops[-1]}'") if loops else GradientError(message)


def no_second_gradient(score: tf.Tensor, target: tf.Tensor, error: Exception) -> GradientError:
    """Return the error on why the first derivative `score` has no derivative by `target`."""
    loops = loops_between(score, target)
    if not loops:
        return GradientError(
            f"the score has no second derivative by '{target.name}': {str(error) or type(error).__name__}. Use "
            "gradcam, which needs only the first"
        )
    return LoopError(
        f"TensorFlow has no second derivative through a loop, and one lies between '{target.name}' and the score; use "
        "gradcam, which needs only the first"
    )
