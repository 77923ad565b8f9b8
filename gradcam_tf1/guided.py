"""Guided ReLU: one graph, two gradients.

A graph imported under `override_map()` carries our gradient names on its ReLUs. Those gradients read a thread-local
switch when `tf.gradients` builds them: off, they are TensorFlow's own; inside `with guided_relu()` they also drop
negative incoming gradients. So the class activation maps and the pixels share one forward pass, and the maps' weights
never pass through a guided ReLU.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import lru_cache
from typing import Callable, ContextManager, Iterator

from gradcam_tf1.tf_runtime import tf

# op type -> TensorFlow's own gradient op, as `tf.raw_ops` names it
GUIDED_OPS = {"Relu": "ReluGrad", "Relu6": "Relu6Grad"}

# Namespaced: several toolkits register a "GuidedRelu", and a second registration in a process is a KeyError.
_PREFIX = "GradcamTf1"

_switch = threading.local()


class Reached:
    """How many activations the guided rule was applied to."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def guided_relu() -> Iterator[Reached]:
    """Gradients built inside follow guided backprop: R_l = [f > 0] [R > 0] R (https://arxiv.org/abs/1412.6806).

    Yields a `Reached`, whose count is right when the block ends; zero means that the gradient built inside is a plain
    one, which the caller must not pass off as guided.
    """
    outer = getattr(_switch, "reached", None)
    _switch.reached = Reached()
    try:
        yield _switch.reached
    finally:
        _switch.reached = outer


def override_map(graph: tf.Graph) -> ContextManager[None]:
    """The context under which a graph must be imported for `guided_relu` to reach its activations."""
    _register_gradients()
    return graph.gradient_override_map({op_type: _PREFIX + op_type for op_type in GUIDED_OPS})


@lru_cache(maxsize=None)
def _register_gradients() -> None:
    for op_type, own_gradient in GUIDED_OPS.items():
        tf.RegisterGradient(_PREFIX + op_type)(_switched(getattr(tf.raw_ops, own_gradient)))


def _switched(own_gradient: Callable[..., tf.Tensor]) -> Callable[[tf.Operation, tf.Tensor], tf.Tensor]:
    def gradient(op: tf.Operation, grad: tf.Tensor) -> tf.Tensor:
        reached = getattr(_switch, "reached", None)
        if reached is not None:
            reached.count += 1
            grad = tf.nn.relu(grad)
        return own_gradient(gradients=grad, features=op.outputs[0])

    return gradient
