"""Guided ReLU: one graph, two gradients.

A graph imported under `override_map()` carries our gradient names on its ReLUs. Those gradients read a thread-local
switch when `tf.gradients` builds them: off, they are TensorFlow's own; inside `with guided_relu()` they also drop
negative incoming gradients. So the class activation maps and the pixels share one forward pass, and the maps' weights
never pass through a guided ReLU.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import ContextManager, Iterator

from gradcam_tf1.tf_runtime import tf

# op type -> (our gradient's name, TensorFlow's own gradient op). Our names are namespaced: several toolkits register
# a "GuidedRelu", and the second registration of a name in a process is a KeyError.
GUIDED_OPS = {
    "Relu": ("GradcamTf1Relu", tf.raw_ops.ReluGrad),
    "Relu6": ("GradcamTf1Relu6", tf.raw_ops.Relu6Grad),
}

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
    return graph.gradient_override_map({op_type: name for op_type, (name, _) in GUIDED_OPS.items()})


def _register(name: str, own_gradient) -> None:
    @tf.RegisterGradient(name)
    def switched(op, grad):
        reached = getattr(_switch, "reached", None)
        if reached is not None:
            reached.count += 1
            grad = tf.nn.relu(grad)
        return own_gradient(gradients=grad, features=op.outputs[0])


for _name, _own_gradient in GUIDED_OPS.values():
    _register(_name, _own_gradient)
