"""Several gradients of one graph: plain, guided, deconvnet.

A graph imported under `override_map()` has our gradient names on its activations. When `tf.gradients` builds these
gradients, they read a thread-local switch: by default they are TensorFlow's own; inside `with gradient_rule(mode)` they
follow that mode. So class activation maps and pixel methods share one forward pass, and the gradients of a layer never
pass a guided activation.

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

import threading
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ContextManager, Dict, Iterator, List, Optional, Tuple, cast

from gradcam_tf1.gradients.activations import ALONE, CLIPS, JOINS, Activations
from gradcam_tf1.gradients.fast_gradients import FASTER, OwnGradient
from gradcam_tf1.gradients.tensor_array_gradients import ARRAYS
from gradcam_tf1.tf_runtime import own_gradient, tf

MODES = ("plain", "guided", "deconvnet")

# A prefix of our own: other toolkits register a "GuidedRelu", and registering a name twice raises KeyError.
_PREFIX = "GradcamTf1"

_switch = threading.local()


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
    outer = getattr(_switch, "reached", None)
    _switch.reached = Reached(mode, known)
    try:
        yield _switch.reached
    finally:
        _switch.reached = outer


def override_map(graph: tf.Graph) -> ContextManager[None]:
    """Return the context in which a graph must be imported so that `gradient_rule` reaches its activations."""
    context: ContextManager[None] = graph.gradient_override_map(
        {op_type: _PREFIX + op_type for op_type in _registered_types()}
    )
    return context


def override_in_functions(library: Any) -> None:
    """Do the same for the functions of a graph (bodies of functional loops and branches), in place, before import.

    Parameters
    ----------
    library : FunctionDefLibrary
        `GraphDef.library` of the graph.
    """
    ours = set(_registered_types())
    for function in library.function:
        for node in function.node_def:
            if node.op in ours:
                node.attr["_gradient_op_type"].s = (_PREFIX + node.op).encode()


@lru_cache(maxsize=None)
def _registered_types() -> Tuple[str, ...]:
    gradients = {op_type: own_gradient(op_type) for op_type in (*ALONE, *JOINS, *CLIPS)}
    # TensorFlow 1.15 has no gradient for ClipByValue, and we add none
    own_gradients = {op_type: own for op_type, own in gradients.items() if own is not None}
    for op_type, own in own_gradients.items():
        tf.RegisterGradient(_PREFIX + op_type)(_switched(own))
    for op_type, faster in FASTER.items():
        tf.RegisterGradient(_PREFIX + op_type)(faster(cast("OwnGradient", own_gradient(op_type))))
    for op_type, gradient in ARRAYS.items():
        tf.RegisterGradient(_PREFIX + op_type)(gradient)
    return (*own_gradients, *FASTER, *ARRAYS)


def _switched(own: OwnGradient) -> OwnGradient:
    def gradient(op: tf.Operation, grad: tf.Tensor) -> Any:
        reached: Optional[Reached] = getattr(_switch, "reached", None)
        if reached is None or reached.mode == "plain":
            return own(op, grad)
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

    return gradient


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
