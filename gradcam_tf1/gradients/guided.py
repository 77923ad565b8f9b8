"""Several gradients of one graph: plain, guided, deconvnet.

Inside `with gradient_rule(mode)` the activations of a graph imported under `override_map()` follow that mode, see
`gradient_rules`.

R is the gradient by the output f(x) of an activation, R_l the gradient by its input x:

    plain      R_l = f'(x) R
    guided     R_l = f'(x) [R > 0] R     https://arxiv.org/abs/1412.6806
    deconvnet  R_l = [R > 0] R           https://arxiv.org/abs/1311.2901

For a ReLU f'(x) is [f > 0], which gives guided backprop as in its paper. The paper and its implementations know ReLUs
only. For other activations f' is their own derivative. Guided backprop blocks gradients that are evidence against a
unit, and with f' >= 0 this holds for all of them; a LeakyReLU whose slope goes to 0 and a Softplus that becomes steeper
have the ReLU as their limit. Swish, SiLU and GELU decrease below zero (f' < 0), where a positive gradient would become
negative: they have no rule.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Optional

from gradcam_tf1.gradients.activations import ALONE, CLIPS, JOINS, Activations
from gradcam_tf1.gradients.fast_gradients import OwnGradient
from gradcam_tf1.gradients.gradient_rules import HandDown, gradient_table
from gradcam_tf1.gradients.gradient_rules import override_map as override_map
from gradcam_tf1.tf_runtime import tf

MODES = ("plain", "guided", "deconvnet")


class Reached:
    """What a rule changed and what it left.

    Attributes
    ----------
    mode : str
        The rule, one of MODES.
    known : Activations
        The net's activations.
    kinds : Counter
        Op type -> number of activations that were changed.
    gates : Counter
        Op type -> number of activations that were left because they are factors of something else.
    """

    def __init__(self, mode: str, known: Activations) -> None:
        self.mode = mode
        self.known = known
        self.kinds: Counter[str] = Counter()
        self.gates: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Number of activations that were changed."""
        return sum(self.kinds.values())


@contextmanager
def gradient_rule(mode: str, known: Activations) -> Iterator[Reached]:
    """Make the gradients that are built inside the block follow a rule.

    Parameters
    ----------
    mode : {"plain", "guided", "deconvnet"}
        The rule.
    known : Activations
        The activations on the path of these gradients.

    Yields
    ------
    Reached
        What the rule changed, complete when the block ends. A count of 0 means that the gradient is a plain one.
    """
    reached = Reached(mode, known)
    hand_down = _ruled(reached)
    types = () if mode == "plain" else (*ALONE, *JOINS, *CLIPS)
    with gradient_table(dict.fromkeys(types, hand_down)):
        yield reached


def _ruled(reached: Reached) -> HandDown:
    def hand_down(op: tf.Operation, own: OwnGradient, grad: tf.Tensor) -> Any:
        known = reached.known.of(op)
        whole = known.is_activation(op) and not known.is_part(op)
        if known.is_gate(op):
            reached.gates[op.type] += whole
            return own(op, grad)
        if whole:
            reached.kinds[op.type] += 1
            grad = tf.nn.relu(grad)
        if reached.mode == "guided":
            return masked(op, grad) if op.type == "Relu" else own(op, grad)
        return _deconvnet(op, grad, known) if whole else _within_deconvnet(op, grad, known, own)

    return hand_down


def masked(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
    """Return [f > 0] R, bit for bit as ReluGrad does, from a mask: of the activations a byte each is kept, not four.

    The mask becomes numbers when R is there; without that condition it would as soon as f is there.
    """
    mask = tf.greater(op.outputs[0], 0)
    with tf.control_dependencies([grad]):
        return tf.multiply(grad, tf.cast(mask, grad.dtype))


def _deconvnet(op: tf.Operation, positive: tf.Tensor, known: Activations) -> List[Optional[tf.Tensor]]:
    """Hand [R > 0] R down to the activation's input unchanged."""
    composite = known.composite(op)
    if composite is None:
        return _to_inputs(op, {known.data(op)[0].name: positive})
    # along the shortest path; the slope of its ops is divided out, so that the leaf gets R itself
    slope = tf.gradients(composite.short, composite.leaf)[0]
    return _to_inputs(op, {composite.short.name: tf.math.divide_no_nan(positive, slope)})


def _within_deconvnet(op: tf.Operation, grad: tf.Tensor, known: Activations, own: OwnGradient) -> Any:
    """Let the parts of an activation pass the gradient of its last op unchanged; other ops have their own gradient."""
    passes = known.is_cap(op) or (known.is_activation(op) and known.composite(op) is None)
    return _to_inputs(op, {known.data(op)[0].name: grad}) if passes else own(op, grad)


def _to_inputs(op: tf.Operation, grads: Dict[str, tf.Tensor]) -> List[Optional[tf.Tensor]]:
    """Return one gradient for each input, None for those that get none; of a tensor used twice, the first gets it."""
    return [grads.pop(tensor.name, None) for tensor in op.inputs]
