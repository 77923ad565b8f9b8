"""How ops without weights hand relevance down: one function for each way of `relevance_path`.

A function is `(op, own, grads, places) -> relevance of each input, or None`: grads are the relevance of the op's
outputs, own is TensorFlow's gradient of the op, places the numbers of the inputs that get relevance.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from gradcam_tf1.gradients.normalisers import positions_of, softmax_of
from gradcam_tf1.gradients.relevance_path import FOLDED, HALVES, MOVE, NORM, PASS, SHARE, SOFTMAX
from gradcam_tf1.gradients.relevance_rules import quotient
from gradcam_tf1.tf_runtime import tf

OwnFunction = Callable[..., Any]
Grads = Sequence["tf.Tensor"]
Handed = List[Optional["tf.Tensor"]]

_LARGEST = 4096.0  # of a quotient in float16, with room for the sums that it enters


def moved(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Any:  # noqa: ARG001
    """R goes where the values come from."""
    return own(op, *grads)


def passed(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Handed:  # noqa: ARG001
    """R_x = R."""
    return _to(op, places[0], grads[0])


def shared(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Handed:
    """R_i = c_i / y R of a sum y of c_i: with `own`, the gradient, c_i is x_i dy/dx_i."""
    total = op.outputs[0]
    share = _quotient_in_half(grads[0], total) if total.dtype == tf.float16 else quotient(grads[0], total)
    slopes = own(op, share, *grads[1:])
    slopes = list(slopes) if isinstance(slopes, (list, tuple)) else [slopes]
    return [
        op.inputs[place] * slope if place in places and slope is not None else None
        for place, slope in enumerate(slopes)
    ]


def halved(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Handed:
    """R_a = a dy/da R / (2 y) of an op that is linear in each of two factors.

    References
    ----------
    Achtibat et al. 2024, proposition 3.3, https://arxiv.org/abs/2402.05602
    """
    return shared(op, own, [grads[0] / 2, *grads[1:]], places)


def through_softmax(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Handed:  # noqa: ARG001
    """R_i = x_i (R_i - y_i sum_k R_k): the Taylor expansion at x, whose constant keeps the rest.

    References
    ----------
    Achtibat et al. 2024, proposition 3.1, https://arxiv.org/abs/2402.05602
    """
    scores, axes = softmax_of(op) or (op.inputs[0], [-1])
    rest = grads[0] - op.outputs[0] * tf.reduce_sum(grads[0], axes, keepdims=True)
    # scores of minus infinity are masks
    return _to(op, places[0], tf.math.multiply_no_nan(scores, rest))


def through_norm(op: tf.Operation, own: OwnFunction, grads: Grads, places: Sequence[int]) -> Handed:  # noqa: ARG001
    """R_i = x_i (c_i - mean_k c_k), c = gamma / deviation R / y: a norm is linear where its deviation is held constant.

    References
    ----------
    Achtibat et al. 2024, proposition 3.4, https://arxiv.org/abs/2402.05602
    """
    x, gamma = op.inputs[:2]
    axes = positions_of(op)
    _, variance = tf.nn.moments(x, axes, keepdims=True)
    factor = tf.cast(tf.reshape(gamma, tf.shape(variance)), x.dtype)
    slope = factor * tf.math.rsqrt(variance + op.get_attr("epsilon")) * quotient(grads[0], op.outputs[0])
    return _to(op, places[0], x * (slope - tf.reduce_mean(slope, axes, keepdims=True)))


def _to(op: tf.Operation, place: int, relevance: tf.Tensor) -> Handed:
    return [relevance if number == place else None for number in range(len(op.inputs))]


def _quotient_in_half(relevance: tf.Tensor, total: tf.Tensor) -> tf.Tensor:
    found = quotient(tf.cast(relevance, tf.float32), tf.cast(total, tf.float32))
    return tf.cast(tf.clip_by_value(found, -_LARGEST, _LARGEST), tf.float16)  # infinity times 0 is no number


WAYS: Dict[str, Callable[..., Any]] = {
    MOVE: moved,
    PASS: passed,
    FOLDED: passed,
    SHARE: shared,
    HALVES: halved,
    SOFTMAX: through_softmax,
    NORM: through_norm,
}
