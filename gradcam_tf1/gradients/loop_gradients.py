"""Which loops lie between two tensors, and what is said where TensorFlow has no gradient through one."""

from __future__ import annotations

from typing import List, Optional

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.activations import ALONE
from gradcam_tf1.gradients.gradient_path import explain_missing_gradient
from gradcam_tf1.gradients.graph_walk import calls_with, ops_between
from gradcam_tf1.tf_runtime import tf

_FUNCTIONAL = ("While", "StatelessWhile")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# what TensorFlow's gradients raise for loops that they cannot go through
FAILURES = (LookupError, AttributeError, TypeError, ValueError, AssertionError, NotImplementedError)


class LoopError(GradientError):
    """TensorFlow has no gradient through a loop on the way; whoever knows the methods says which need none."""


def loops_between(score: tf.Tensor, start: tf.Tensor) -> List[str]:
    """The loops that a gradient from `score` to `start` goes through, by their ends: the ops that leave them."""
    return [op.name for op in ops_between([score], start) if op.type == "Exit" or op.type in _FUNCTIONAL]


def check_rule_reaches(rule: str, score: tf.Tensor, start: tf.Tensor) -> None:
    """Raises: GradientError where a called function holds activations: TensorFlow differentiates it as a whole.

    The bodies of functional loops and branches are differentiated op by op, so that a rule reaches them.
    """
    calls = [op for op in ops_between([score], start) if op.type in _CALLS]
    hidden = calls_with(score.graph, calls, lambda node: node.op in ALONE)
    if hidden:
        raise GradientError(
            f"the {rule} rule does not reach the activations inside the function of '{hidden[0].name}' "
            f"({hidden[0].type}), so the result would be half a plain gradient; use 'gradient', a layer method such as "
            "'gradcam', or a model frozen with its functions inlined"
        )


def no_gradient(score: tf.Tensor, target: tf.Tensor, error: Optional[Exception] = None) -> GradientError:
    """Why d(score)/d(target) cannot be had. error: what TensorFlow says, None where it just had no answer."""
    loops = loops_between(score, target)
    said = "" if error is None else f" (TensorFlow says: {str(error) or type(error).__name__})"
    message = explain_missing_gradient(score, target) + said
    return LoopError(f"{message}; the way leads through a loop, to '{loops[-1]}'") if loops else GradientError(message)


def no_second_gradient(score: tf.Tensor, target: tf.Tensor, error: Exception) -> GradientError:
    """Why there is no second derivative. score: what would be differentiated."""
    loops = loops_between(score, target)
    if not loops:
        return GradientError(
            f"the score has no second derivative by '{target.name}': {str(error) or type(error).__name__}. Use "
            "gradcam, which needs the first only"
        )
    return LoopError(
        f"TensorFlow has no second derivative through a loop, and one lies between '{target.name}' and the score; use "
        "gradcam, which needs the first only"
    )
