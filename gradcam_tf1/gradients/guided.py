"""One graph, several gradients: plain, guided, deconvnet.

A graph imported under `override_map()` carries our gradient names on its activations. Those gradients read a
thread-local switch when `tf.gradients` builds them: off, they are TensorFlow's own; inside `with gradient_rule(mode)`
they follow that mode. So the class activation maps and the pixels share one forward pass, and the maps' weights never
pass through a guided activation.

R is the gradient that comes from above, f the activation of its input x, R_l what is handed down:

    plain      R_l = f'(x) R
    guided     R_l = f'(x) [R > 0] R     https://arxiv.org/abs/1412.6806
    deconvnet  R_l = [R > 0] R           https://arxiv.org/abs/1311.2901

For a ReLU f'(x) is [f > 0], which gives guided backprop as its paper writes it. The paper and its implementations
know ReLUs only. For the other activations f' is their own derivative: what guided backprop adds to the gradient is
that nothing passes which speaks against a unit, and with f' >= 0 that holds for all of these; a LeakyReLU whose slope
goes to 0 and a Softplus that is made steeper then come to the ReLU's result. Swish, SiLU and GELU turn round below
zero (f' < 0), where a positive gradient would come out negative: they have no rule.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Callable, ContextManager, Dict, Iterator, List, Optional, Tuple

from gradcam_tf1.gradients.activations import ALONE, CLIPS, JOINS, Activations
from gradcam_tf1.gradients.fast_gradients import FASTER
from gradcam_tf1.gradients.tensor_array_gradients import ARRAYS
from gradcam_tf1.tf_runtime import own_gradient, tf

MODES = ("plain", "guided", "deconvnet")

# Namespaced: several toolkits register a "GuidedRelu", and a second registration in a process is a KeyError.
_PREFIX = "GradcamTf1"

_switch = threading.local()

OwnGradient = Callable[["tf.Operation", "tf.Tensor"], Any]  # in quotes: this line must not import TensorFlow


class Reached:
    """What a rule was applied to, and what it left. known: the net's activations.

    kinds: of the activations that it changed, op type -> how many. gates: of those that are factors of something else.
    """

    def __init__(self, mode: str, known: Activations) -> None:
        self.mode = mode
        self.known = known
        self.kinds: Counter = Counter()
        self.gates: Counter = Counter()

    @property
    def count(self) -> int:
        """How many activations were changed."""
        return sum(self.kinds.values())


@contextmanager
def gradient_rule(mode: str, known: Activations) -> Iterator[Reached]:
    """Gradients built inside follow `mode`, one of MODES. known: the activations on their way.

    Yields a `Reached`, whose count is right when the block ends; zero means that the gradient built inside is a plain
    one, which the caller must not pass off as anything else.
    """
    outer = getattr(_switch, "reached", None)
    _switch.reached = Reached(mode, known)
    try:
        yield _switch.reached
    finally:
        _switch.reached = outer


def override_map(graph: tf.Graph) -> ContextManager[None]:
    """The context under which a graph must be imported for `gradient_rule` to reach its activations."""
    return graph.gradient_override_map({op_type: _PREFIX + op_type for op_type in _registered_types()})


def override_in_functions(library: Any) -> None:
    """The same for the functions of a graph, in place, before import: bodies of functional loops and branches."""
    ours = set(_registered_types())
    for function in library.function:
        for node in function.node_def:
            if node.op in ours:
                node.attr["_gradient_op_type"].s = (_PREFIX + node.op).encode()


@lru_cache(maxsize=None)
def _registered_types() -> Tuple[str, ...]:
    found = {op_type: own_gradient(op_type) for op_type in (*ALONE, *JOINS, *CLIPS)}
    # TensorFlow 1.15 has no gradient for ClipByValue, and none is invented
    own_gradients = {op_type: own for op_type, own in found.items() if own is not None}
    for op_type, own in own_gradients.items():
        tf.RegisterGradient(_PREFIX + op_type)(_switched(own))
    for op_type, faster in FASTER.items():
        tf.RegisterGradient(_PREFIX + op_type)(faster(own_gradient(op_type)))
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
            return own(op, grad)
        return _deconvnet(op, grad, known) if whole else _within_deconvnet(op, grad, known, own)

    return gradient


def _deconvnet(op: tf.Operation, positive: tf.Tensor, known: Activations) -> Any:
    """[R > 0] R handed down to the activation's input as it is."""
    composite = known.composite(op)
    if composite is None:
        return _to_inputs(op, {known.data(op)[0].name: positive})
    # by the shortest way; what the ops on it multiply by is divided out, so that the leaf gets R itself
    slope = tf.gradients(composite.short, composite.leaf)[0]
    return _to_inputs(op, {composite.short.name: tf.math.divide_no_nan(positive, slope)})


def _within_deconvnet(op: tf.Operation, grad: tf.Tensor, known: Activations, own: OwnGradient) -> Any:
    """The parts of an activation let through what its last op hands down; other ops are what they are."""
    passes = known.is_cap(op) or (known.is_activation(op) and known.composite(op) is None)
    return _to_inputs(op, {known.data(op)[0].name: grad}) if passes else own(op, grad)


def _to_inputs(op: tf.Operation, grads: Dict[str, tf.Tensor]) -> List[Optional[tf.Tensor]]:
    """One gradient for each input; None for those that get none. x + x is one tensor twice: the first gets it."""
    return [grads.pop(tensor.name, None) for tensor in op.inputs]
