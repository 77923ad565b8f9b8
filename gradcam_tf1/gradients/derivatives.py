"""Derivatives that exist, or an error that says which op is in the way."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.activations import ALONE, OTHERS, Activations
from gradcam_tf1.gradients.guided import gradient_rule
from gradcam_tf1.gradients.loop_gradients import FAILURES, check_rule_reaches, no_gradient, no_second_gradient
from gradcam_tf1.tf_runtime import tf


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


def ruled_gradient(rule: str, score: tf.Tensor, pixels: tf.Tensor, known: Activations) -> Tuple[tf.Tensor, str]:
    """dy/dx under a rule of `guided.py`, and what the rule reached. known: the activations between pixels and score.

    Raises: GradientError where the rule reaches nothing, so that it would be a plain gradient in disguise.
    """
    with gradient_rule(rule, known) as reached:
        grads = gradients(score, [pixels])[0]
    check_rule_reaches(rule, score, pixels)
    others = {kind: count for kind, count in known.counts.items() if kind in OTHERS}
    if reached.count == 0:
        there = {**known.counts, **{kind: count for kind, count in reached.gates.items() if kind not in known.counts}}
        gates = f", of which factors of a product: {_listed(reached.gates)}" if reached.gates else ""
        raise GradientError(
            f"no activation between '{pixels.name}' and the score that the {rule} rule could change, so the "
            f"result would be a plain gradient in disguise. It knows {', '.join(ALONE)} and LeakyReLUs and PReLUs "
            f"spelt out; found there: {_listed(there) or 'none'}{gates}. Swish, SiLU and GELU have no such rule, "
            "nor have factors, as in hard-swish, Mish, attention. Use 'gradient', or a layer method such as 'gradcam'"
        )
    left = f"; left as gates: {_listed(reached.gates)}" if reached.gates else ""
    left += f"; unchanged: {_listed(others)}" if others else ""
    return grads, f"the {rule} rule changed {_listed(reached.kinds)}{left}"


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count)


def hessian_product(grads: List[tf.Tensor], tensors: List[tf.Tensor]) -> List[tf.Tensor]:
    """H A where grads = dy/dA and tensors = A, in parts: one more backward pass; zero where y is linear in A.

    Raises: GradientError where an op on the way has no second derivative.
    """
    try:
        products = tf.gradients(grads, tensors, grad_ys=tensors)
    except FAILURES as error:  # as in `gradients`
        raise no_second_gradient(grads[0], tensors[0], error) from error
    return [
        tf.zeros_like(tensor) if product is None else tf.convert_to_tensor(product)
        for tensor, product in zip(tensors, products)
    ]
