"""DeepLIFT: the multipliers of a score, by one backward pass over the net and its copy at a reference.

The pass is a walk of our own. `tf.gradients` would hand down op by op; RevealCancel hands from an activation to the
input of the convolution before it, and the ops of the score itself count too, such as a softmax.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Container, Dict, List, Mapping, NamedTuple, Sequence, Set

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.gradient_path import explain_missing_gradient
from gradcam_tf1.gradients.graph_walk import values_between
from gradcam_tf1.gradients.lift_rules import LIFTS, why_not
from gradcam_tf1.gradients.reference_copy import ReferenceCopy
from gradcam_tf1.gradients.reveal_cancel import revealed, unit_of
from gradcam_tf1.tf_runtime import tf

LIFT_RULES = ("rescale", "revealcancel")

# the activations that the notes count
_CURVED = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Sigmoid", "Tanh")


class Lifted(NamedTuple):
    """The multipliers of a score.

    Attributes
    ----------
    multipliers : tf.Tensor
        Of the start, of its shape and dtype.
    rise : tf.Tensor
        The score at the image minus that at the reference, float32 [N].
    about : str
        What RevealCancel reached; "" for the Rescale rule.
    """

    multipliers: tf.Tensor
    rise: tf.Tensor
    about: str


def lift(rule: str, score: tf.Tensor, start: tf.Tensor, reference: tf.Tensor, untaken: Container[str] = ()) -> Lifted:
    """Return M with sum(M (start - reference)) = y - y0.

    Parameters
    ----------
    rule : {"rescale", "revealcancel"}
        How activations hand multipliers down.
    score : tf.Tensor
        y: floats [N].
    start : tf.Tensor
        The images as floats, or a layer.
    reference : tf.Tensor
        Its value at the reference, of the same shape and dtype.
    untaken : container of str
        Names of ops that never run; no multiplier goes there.

    Returns
    -------
    Lifted

    Raises
    ------
    GradientError
        If the score does not depend on the start, if an op on the way has no multiplier, by name, or if RevealCancel
        is defined at no activation.

    References
    ----------
    DeepLIFT, https://arxiv.org/abs/1704.02685
    """
    path = values_between(score, start, untaken)
    reached = _reached(path, score, start)
    if start.op not in reached:
        raise GradientError(explain_missing_gradient(score, start))
    copies = ReferenceCopy(path, start, reference)
    walk = _Walk(copies, rule, reached)
    walk.arrived[score.name] = [tf.ones_like(score)]
    for op in reversed(path):
        if op in reached and op is not start.op:
            walk.through(op)
    return Lifted(_sum(walk.arrived[start.name]), score - copies.of(score), walk.about(start))


def _reached(path: Sequence[tf.Operation], score: tf.Tensor, start: tf.Tensor) -> Set[tf.Operation]:
    """Return the ops that a multiplier comes to. Refuse one that cannot hand it down, before anything is built."""
    on_path, reached = set(path), {score.op}
    for op in reversed(path):
        if op not in reached or op is start.op or op.type == "StopGradient":
            continue
        varying = [tensor for tensor in op.inputs if tensor.op in on_path]
        reason = why_not(op, varying)
        if reason:
            raise GradientError(
                f"no multiplier passes '{op.name}' ({op.type}) between '{start.name}' and the score: {reason}. Use "
                "'integrated_gradients' or 'expected_gradients', which add up to the score too, or a layer method such "
                "as 'gradcam'"
            )
        reached |= {tensor.op for tensor in varying if tensor.dtype.is_floating}
    return reached


class _Walk:
    """The backward pass: what has arrived at each tensor."""

    def __init__(self, copies: ReferenceCopy, rule: str, reached: Set[tf.Operation]) -> None:
        self.arrived: Dict[str, List[tf.Tensor]] = {}
        self._copies = copies
        self._reveals = rule == "revealcancel"
        self._reached = reached
        self._kinds: Dict[str, Counter[str]] = {"RevealCancel": Counter(), "Rescale": Counter()}

    def through(self, op: tf.Operation) -> None:
        """Hand down what has arrived at the outputs of an op."""
        grads = [_sum(self.arrived[out.name]) if out.name in self.arrived else None for out in op.outputs]
        if op.type == "StopGradient" or all(grad is None for grad in grads):
            return
        unit = unit_of(op, self._copies) if self._reveals else None
        if op.type in _CURVED:
            self._kinds["Rescale" if unit is None else "RevealCancel"][op.type] += 1
        pair = self._copies.pair(op)
        if unit is not None:
            weighted = unit.weighted
            self._add(weighted.op.inputs[weighted.varying[0]], revealed(pair, unit, grads[0]))
            return
        for tensor, multiplier in zip(op.inputs, LIFTS[op.type](pair, grads)):
            if multiplier is not None and tensor.op in self._reached and self._copies.varies(tensor):
                self._add(tensor, multiplier)

    def _add(self, tensor: tf.Tensor, multiplier: Any) -> None:
        self.arrived.setdefault(tensor.name, []).append(multiplier)

    def about(self, start: tf.Tensor) -> str:
        """Return what RevealCancel reached. Raises GradientError where that is nothing."""
        if not self._reveals:
            return ""
        if not self._kinds["RevealCancel"]:
            raise GradientError(
                f"RevealCancel is defined at no activation between '{start.name}' and the score: it needs one that "
                "follows a convolution or a dense layer. Use rule='rescale'"
            )
        found = [f"{rule} at {_listed(kinds)}" for rule, kinds in self._kinds.items() if kinds]
        return ", ".join(found)


def _sum(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tensors[0] if len(tensors) == 1 else tf.add_n(list(tensors))


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
