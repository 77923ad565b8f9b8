"""Derivatives that exist, or an error that says which op is in the way."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.activations import ALONE, OTHERS, activations_between
from gradcam_tf1.gradients.gradient_path import SHAPE_OPS
from gradcam_tf1.gradients.guided import gradient_rule
from gradcam_tf1.gradients.loops import FAILURES, check_rule_reaches, no_gradient, no_second_gradient
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding


def gradients(score: tf.Tensor, targets: List[tf.Tensor]) -> List[tf.Tensor]:
    """d(sum of score)/d(target) for each target, none of them None.

    Raises: GradientError naming the op that blocks.
    """
    try:
        grads = tf.gradients(score, targets)
    except FAILURES as error:
        # no gradient is registered, or TensorFlow trips over loops and conditionals that it cannot differentiate
        raise no_gradient(score, targets[0], error) from error
    for target, grad in zip(targets, grads):
        if grad is None:
            raise no_gradient(score, target)
    return [tf.convert_to_tensor(grad) for grad in grads]


def ruled_gradient(rule: str, score: tf.Tensor, pixels: tf.Tensor) -> Tuple[tf.Tensor, str]:
    """dy/dx under a rule of `guided.py`, and what the rule reached; "" for the plain rule.

    Raises: GradientError where the rule reaches nothing, so that it would be a plain gradient in disguise.
    """
    with gradient_rule(rule) as reached:
        grads = gradients(score, [pixels])[0]
    if rule == "plain":
        return grads, ""
    check_rule_reaches(rule, score, pixels)
    there = activations_between(score, pixels)
    if reached.count == 0:
        raise GradientError(
            f"no activation between '{pixels.name}' and the score that the {rule} rule could change, so the "
            f"result would be a plain gradient in disguise. It knows {', '.join(ALONE)} and LeakyReLUs and PReLUs "
            f"spelt out; found there: {_listed(there) or 'none'}. Swish, SiLU and GELU have no such rule. Use "
            "'gradient', or a layer method such as 'gradcam'"
        )
    others = {kind: count for kind, count in there.items() if kind in OTHERS}
    left = f"; unchanged: {_listed(others)}" if others else ""
    return grads, f"the {rule} rule changed {_listed(reached.kinds)}{left}"


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def hessian_product(grad: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """H A where grad = dy/dA and tensor = A: one more backward pass; zero where y is linear in A.

    Raises: GradientError where an op on the way has no second derivative.
    """
    try:
        product = tf.gradients(grad, tensor, grad_ys=tensor)[0]
    except FAILURES as error:  # as in `gradients`
        raise no_second_gradient(grad, tensor, error) from error
    return tf.zeros_like(tensor) if product is None else tf.convert_to_tensor(product)


def pixel_tensor(graph: tf.Graph, binding: Binding) -> tf.Tensor:
    """The input, or, where it holds integers, the first float tensor made from it: what dy/dx is taken by.

    Raises: GradientError where no float tensor follows the input.
    """
    level = [graph.get_tensor_by_name(binding.input)]
    if binding.array_shape is not None:  # bound to floats only
        return level[0]
    seen = set(level[0].op.outputs)
    while level:
        for tensor in level:
            if tensor.dtype.is_floating and tensor.shape.rank in (3, 4):
                return tensor
        consumers = [op for tensor in level for op in tensor.consumers() if op.type not in SHAPE_OPS]
        level = [output for op in consumers for output in op.outputs if output not in seen]
        seen.update(level)
    raise GradientError(f"no picture of floats is made from '{binding.input}'; pixel methods need one")
