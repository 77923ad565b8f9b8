"""First and second derivatives; where there is none, an error names the op that blocks it."""

from __future__ import annotations

from typing import List, Mapping, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.gradients.activations import ALONE, OTHERS, Activations
from gradcam_tf1.gradients.guided import gradient_rule
from gradcam_tf1.gradients.loop_gradients import FAILURES, check_rule_reaches, no_gradient, no_second_gradient
from gradcam_tf1.tf_runtime import tf


def gradients(score: tf.Tensor, targets: List[tf.Tensor]) -> List[tf.Tensor]:
    """Return d(sum of score)/d(target) for each target.

    Parameters
    ----------
    score : tf.Tensor
        Floats [N].
    targets : list of tf.Tensor
        Layers or images.

    Returns
    -------
    list of tf.Tensor
        One gradient for each target, of its shape and dtype; never None.

    Raises
    ------
    GradientError
        If a gradient does not exist; names the op that blocks it.
    """
    try:
        grads = tf.gradients(score, targets)
    except FAILURES as error:
        # an op has no registered gradient, or TensorFlow cannot differentiate a loop or conditional
        raise no_gradient(score, targets[0], error) from error
    for target, grad in zip(targets, grads):
        if grad is None:
            raise no_gradient(score, target)
    return [tf.convert_to_tensor(grad) for grad in grads]


def ruled_gradient(rule: str, score: tf.Tensor, pixels: tf.Tensor, known: Activations) -> Tuple[tf.Tensor, str]:
    """Return dy/dx under a rule of `guided.py`.

    Parameters
    ----------
    rule : {"guided", "deconvnet"}
        How activations hand gradients down.
    score : tf.Tensor
        y: floats [N].
    pixels : tf.Tensor
        x: the float images.
    known : Activations
        The activations between pixels and score.

    Returns
    -------
    tf.Tensor
        The gradient, of the shape of `pixels`.
    str
        A sentence on which activations the rule changed.

    Raises
    ------
    GradientError
        If the rule changes no activation, so that the result would be a plain gradient.
    """
    with gradient_rule(rule, known) as reached:
        grads = gradients(score, [pixels])[0]
    check_rule_reaches(rule, score, pixels)
    others = {kind: count for kind, count in known.counts.items() if kind in OTHERS}
    if reached.count == 0:
        present = {**known.counts, **{kind: count for kind, count in reached.gates.items() if kind not in known.counts}}
        gates = f", of which factors of a product: {_listed(reached.gates)}" if reached.gates else ""
        raise GradientError(
            f"no activation between '{pixels.name}' and the score that the {rule} rule could change, so the result "
            f"would be a plain gradient in disguise. It knows {', '.join(ALONE)}, and LeakyReLU and PReLU composed of "
            f"other ops; found there: {_listed(present) or 'none'}{gates}. Swish, SiLU and GELU have no such rule, nor "
            "have factors, as in hard-swish, Mish, attention. Use 'gradient', or a layer method such as 'gradcam'"
        )
    left = f"; left as gates: {_listed(reached.gates)}" if reached.gates else ""
    left += f"; unchanged: {_listed(others)}" if others else ""
    return grads, f"the {rule} rule changed {_listed(reached.kinds)}{left}"


def _listed(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()) if count)


def hessian_product(grads: List[tf.Tensor], tensors: List[tf.Tensor]) -> List[tf.Tensor]:
    """Return H A, the Hessian of y times A, by one more backward pass.

    Parameters
    ----------
    grads : list of tf.Tensor
        dy/dA, one for each part of A.
    tensors : list of tf.Tensor
        The parts of A.

    Returns
    -------
    list of tf.Tensor
        One product for each part, of its shape; zero where y is linear in A.

    Raises
    ------
    GradientError
        If an op on the path has no second derivative.
    """
    try:
        products = tf.gradients(grads, tensors, grad_ys=tensors)
    except FAILURES as error:  # as in `gradients`
        raise no_second_gradient(grads[0], tensors[0], error) from error
    return [
        tf.zeros_like(tensor) if product is None else tf.convert_to_tensor(product)
        for tensor, product in zip(tensors, products)
    ]
