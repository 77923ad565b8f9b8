"""DeepLIFT's RevealCancel: positive and negative contributions to an activation have multipliers of their own.

An activation y = f(u) where u = s z + t and z = x W, a convolution or a dense layer; D as in `lift_rules`. Du+ is the
sum of the positive products W Dx s, Du- that of the negative ones. Then

    Dy+ = (f(u0 + Du+) - f(u0) + f(u0 + Du- + Du+) - f(u0 + Du-)) / 2,    M+ = M Dy+ / Du+,    the same for Dy-, M-

and an input gets M+ W s through its positive products and M- W s through its negative ones; where Dx is 0, the mean.
"""

from __future__ import annotations

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from gradcam_tf1.gradients.lift_rules import nearly_same
from gradcam_tf1.gradients.reference_copy import Pair, ReferenceCopy, again, own_gradients
from gradcam_tf1.tf_runtime import tf

_ACTIVATIONS = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Sigmoid", "Tanh")
_WEIGHTED = ("Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul")
# value by value, of the form s z + t where one input varies
_AFFINE = (
    "BiasAdd", "Add", "AddV2", "Sub", "Mul", "RealDiv", "Identity", "FusedBatchNorm", "FusedBatchNormV2",
    "FusedBatchNormV3",
)  # fmt: skip


class Unit(NamedTuple):
    """An activation and the weighted sum that it is a function of.

    Attributes
    ----------
    weighted : Pair
        The convolution or dense layer.
    between : list of Pair
        The ops from there to the activation, the last one first.
    """

    weighted: Pair
    between: List[Pair]


def unit_of(op: tf.Operation, copies: ReferenceCopy) -> Optional[Unit]:
    """Return the weighted sum behind an activation; None where RevealCancel is not defined."""
    between: List[Pair] = []
    current = op.inputs[0].op if op.type in _ACTIVATIONS else None
    while current is not None and current.name in copies.names:
        pair = copies.pair(current)
        if len(pair.varying) != 1:
            return None
        if current.type in _WEIGHTED:
            return Unit(pair, between)
        if current.type not in _AFFINE or (current.type == "RealDiv" and pair.varying != [0]):
            return None
        if not _keeps_shape(current, pair.varying[0]):
            return None
        between.append(pair)
        current = current.inputs[pair.varying[0]].op
    return None


def _keeps_shape(op: tf.Operation, place: int) -> bool:
    """Return whether the varying input is not repeated along an axis."""
    before, after = op.inputs[place].shape, op.outputs[0].shape
    return before.rank is not None and before.as_list() == after.as_list()


def revealed(pair: Pair, unit: Unit, grad: tf.Tensor) -> tf.Tensor:
    """Return the multiplier of the input x of the weighted sum.

    Parameters
    ----------
    pair : Pair
        The activation.
    unit : Unit
        What comes before it.
    grad : tf.Tensor
        M, the multiplier of the activation's output.
    """
    slope = tf.ones_like(pair.op.inputs[0])
    for step in unit.between:
        slope = own_gradients(step.op, [slope, *[None] * (len(step.op.outputs) - 1)])[step.varying[0]]
    kernels = _signed_kernels(unit.weighted)
    more, less = _products(unit.weighted, kernels)
    rises = slope > 0
    up = tf.where_v2(rises, slope * more, slope * less)
    down = tf.where_v2(rises, slope * less, slope * more)
    by_up, by_down = _multipliers(pair, up, down, grad)
    by_more, by_less = (
        tf.where_v2(rises, first, second) * slope for first, second in ((by_up, by_down), (by_down, by_up))
    )
    return _to_inputs(unit.weighted, kernels, by_more, by_less)


def _multipliers(pair: Pair, up: tf.Tensor, down: tf.Tensor, grad: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return M+ and M-."""
    start = pair.copy.inputs[0]
    none, both = pair.copy.outputs[0], pair.op.outputs[0]
    with_up, with_down = (again(pair.op, [start + part]).outputs[0] for part in (up, down))
    own = own_gradients(pair.op, [grad])[0]
    found = []
    for part, first, last in ((up, with_up - none, both - with_down), (down, with_down - none, both - with_up)):
        ratio = tf.math.divide_no_nan(grad * (first + last) / 2, part)
        found.append(tf.where_v2(nearly_same(start + part, start), own, ratio))
    return found[0], found[1]


def _signed_kernels(weighted: Pair) -> Tuple[tf.Tensor, tf.Tensor]:
    kernel = weighted.op.inputs[1 - weighted.varying[0]]
    return tf.maximum(kernel, 0), tf.minimum(kernel, 0)


def _with(weighted: Pair, data: tf.Tensor, kernel: tf.Tensor) -> tf.Operation:
    inputs = [data, kernel] if weighted.varying == [0] else [kernel, data]
    return again(weighted.op, inputs)


def _products(weighted: Pair, kernels: Sequence[tf.Tensor]) -> Tuple[tf.Tensor, tf.Tensor]:
    """Return the sums of the positive and of the negative products W Dx."""
    rise = weighted.rise(weighted.varying[0])
    parts = tf.maximum(rise, 0), tf.minimum(rise, 0)
    sums = [[_with(weighted, part, kernel).outputs[0] for kernel in kernels] for part in parts]
    return sums[0][0] + sums[1][1], sums[0][1] + sums[1][0]


def _to_inputs(weighted: Pair, kernels: Sequence[tf.Tensor], by_more: tf.Tensor, by_less: tf.Tensor) -> tf.Tensor:
    place = weighted.varying[0]
    rise, data = weighted.rise(place), weighted.op.inputs[place]

    def back(kernel: tf.Tensor, grad: tf.Tensor) -> Any:
        return own_gradients(_with(weighted, data, kernel), [grad])[place]

    positive, negative = kernels
    if_risen = back(positive, by_more) + back(negative, by_less)
    if_fallen = back(negative, by_more) + back(positive, by_less)
    share = (tf.sign(rise) + 1) / 2
    return share * if_risen + (1 - share) * if_fallen
