"""How DeepLIFT hands a multiplier down: one function for each kind of op, so that contributions always add up.

x and x0 are an op's input at the image and at the reference, D the difference of the two. The multiplier M of a tensor
says how much of the score's D comes with each unit of the tensor's: sum(M D) = D of the score, at every op. A function
here is `(pair, grads) -> one multiplier for each input, or None`; grads are the multipliers of the op's outputs.

    one nonlinear input     M_x = M Df / Dx (Rescale), the derivative where Dx is as good as 0
    two of them, f(u, v)    M_u Du = M times the mean of f(u, v0) - f(u0, v0) and f(u, v) - f(u0, v): Shapley's value
    a product               the same: u (v + v0) / 2 for either, also of matrices and for kernels made from the image
    a maximum over cells    a rise goes to the winner at the image, a fall to the winner at the reference
    softmax                 exp(x - log sum exp x), each of its parts by Rescale
    a layer norm in one op  (x - mean) times 1 / deviation: a product, and Rescale for 1 / sqrt of the variance
    a choice                the rise goes to both sides in proportion to their own, where the condition differs
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from gradcam_tf1.gradients.normalisers import norms_each_image, positions_of
from gradcam_tf1.gradients.reference_copy import Pair, again, own_gradients
from gradcam_tf1.tf_runtime import is_differentiable, tf

Multipliers = List[Any]
Lift = Callable[[Pair, Sequence[Any]], Multipliers]

# of the larger magnitude: rounding is 1 % of such a difference
_NEAR = 1e-5
# of a sum of exponentials whose largest is 1
_TINY = 1e-30


def as_its_gradient(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by an op that is linear in everything that varies."""
    return own_gradients(pair.op, grads)


def nearly_same(x: tf.Tensor, x0: tf.Tensor) -> tf.Tensor:
    """Return where two values are the same up to rounding; also where they are infinite."""
    limit = _NEAR * tf.maximum(tf.abs(x), tf.abs(x0))
    return tf.logical_not(tf.abs(x - x0) > limit)


def rescaled(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Rescale: M Df / Dx."""
    if len(pair.floats()) == 2:
        return shared(pair, grads)
    (place,) = pair.floats()
    return _placed(pair, {place: _slope(pair, place, grads[0] * pair.gain(), grads)})


def shared(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Shapley's value of two inputs: each is changed first once and last once."""
    (u, v), (u0, v0) = list(pair.op.inputs), list(pair.copy.inputs)
    both, none = pair.op.outputs[0], pair.copy.outputs[0]
    only_u, only_v = again(pair.op, [u, v0]).outputs[0], again(pair.op, [u0, v]).outputs[0]
    parts = ((only_u - none) + (both - only_v)) / 2, ((only_v - none) + (both - only_u)) / 2
    return [_slope(pair, place, grads[0] * part, grads) for place, part in enumerate(parts)]


def _slope(pair: Pair, place: int, gain: tf.Tensor, grads: Sequence[Any]) -> tf.Tensor:
    """Return gain / Dx, summed over axes that x was repeated along; the own gradient where Dx is as good as 0."""
    x, x0 = pair.op.inputs[place], pair.copy.inputs[place]
    ratio = _summed_to(x, tf.math.divide_no_nan(gain, pair.rise(place)))
    own = own_gradients(pair.op, grads)[place]
    return ratio if own is None else tf.where_v2(nearly_same(x, x0), own, ratio)


def _summed_to(x: tf.Tensor, wide: tf.Tensor) -> tf.Tensor:
    if x.shape.is_fully_defined() and x.shape.as_list() == wide.shape.as_list():
        return wide
    axes = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(x), s1=tf.shape(wide))[0]
    return tf.reshape(tf.reduce_sum(wide, axes), tf.shape(x))


def _placed(pair: Pair, found: Dict[int, Any]) -> Multipliers:
    return [found.get(place) for place in range(len(pair.op.inputs))]


def product(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by an op that is linear in each of two inputs: its gradient where the other has its mean."""
    places = pair.floats()
    if len(places) < 2:
        return own_gradients(pair.op, grads)
    means = [
        (a + b) / 2 if place in places else a for place, (a, b) in enumerate(zip(pair.op.inputs, pair.copy.inputs))
    ]
    return own_gradients(again(pair.op, means), grads)


def quotient(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by u / v: linear where v is fixed."""
    return own_gradients(pair.op, grads) if pair.floats() == [0] else rescaled(pair, grads)


def largest(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by a maximum over cells: M (max(y, y0) - y0) to the image's winner, M (y - max(y, y0)) to the other."""
    return _by_winner(pair, grads, tf.maximum)


def smallest(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by a minimum over cells."""
    return _by_winner(pair, grads, tf.minimum)


def _by_winner(pair: Pair, grads: Sequence[Any], better: Callable[..., tf.Tensor]) -> Multipliers:
    y, y0, rest = pair.op.outputs[0], pair.copy.outputs[0], [None] * (len(grads) - 1)
    best = better(y, y0)
    won = own_gradients(pair.op, [grads[0] * (best - y0), *rest])[0]
    lost = own_gradients(pair.copy, [grads[0] * (y - best), *rest])[0]
    ratio = tf.math.divide_no_nan(won + lost, pair.rise(0))
    own = own_gradients(pair.op, grads)[0]
    return _placed(pair, {0: tf.where_v2(nearly_same(pair.op.inputs[0], pair.copy.inputs[0]), own, ratio)})


def log_softmax(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by x - log sum exp x, over the last axis."""
    return [_through_log_sum(pair, grads[0])]


def softmax(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by exp(log softmax x)."""
    logs, logs0 = (tf.nn.log_softmax(each.inputs[0]) for each in (pair.op, pair.copy))
    ratio = tf.math.divide_no_nan(pair.gain(), logs - logs0)
    slope = tf.where_v2(nearly_same(logs, logs0), pair.op.outputs[0], ratio)
    return [_through_log_sum(pair, grads[0] * slope)]


def _through_log_sum(pair: Pair, grad: tf.Tensor) -> tf.Tensor:
    x, x0 = pair.op.inputs[0], pair.copy.inputs[0]
    # one shift for both: the exponentials of the two stay comparable, and none overflows
    shift = tf.reduce_max(tf.maximum(x, x0), axis=-1, keepdims=True)
    powers, powers0 = tf.exp(x - shift), tf.exp(x0 - shift)
    sums, sums0 = (tf.reduce_sum(each, axis=-1, keepdims=True) for each in (powers, powers0))
    by_power = tf.where_v2(nearly_same(x, x0), powers, tf.math.divide_no_nan(powers - powers0, x - x0))
    # where the two are far apart, one of the sums is 0, and has no logarithm
    apart = tf.reduce_logsumexp(x, axis=-1, keepdims=True) - tf.reduce_logsumexp(x0, axis=-1, keepdims=True)
    rise = tf.where_v2(tf.minimum(sums, sums0) > _TINY, tf.math.log(sums / sums0), apart)
    by_sum = tf.where_v2(nearly_same(sums, sums0), 1 / sums, tf.math.divide_no_nan(rise, sums - sums0))
    return grad - tf.reduce_sum(grad, axis=-1, keepdims=True) * by_sum * by_power


def normed(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by a batch norm: linear with statistics that are given, u (mean u^2 + epsilon)^-1/2 with its own."""
    if not _is_training(pair.op):
        return own_gradients(pair.op, grads)
    axes = positions_of(pair.op)
    rise, squares, inverse = [], [], []
    for x in (pair.op.inputs[0], pair.copy.inputs[0]):
        rise.append(x - tf.reduce_mean(x, axes, keepdims=True))
        squares.append(tf.reduce_mean(tf.square(rise[-1]), axes, keepdims=True))
        inverse.append(tf.math.rsqrt(squares[-1] + pair.op.get_attr("epsilon")))
    grad = grads[0] * tf.cast(tf.reshape(pair.op.inputs[1], tf.shape(squares[0])), grads[0].dtype)
    ratio = tf.math.divide_no_nan(inverse[0] - inverse[1], squares[0] - squares[1])
    slope = tf.where_v2(nearly_same(*squares), -tf.pow(inverse[0], 3) / 2, ratio)
    by_square = slope * tf.reduce_mean(grad * tf.add_n(rise) / 2, axes, keepdims=True)
    by_rise = grad * tf.add_n(inverse) / 2 + by_square * tf.add_n(rise)
    return _placed(pair, {0: by_rise - tf.reduce_mean(by_rise, axes, keepdims=True)})


def _is_training(op: tf.Operation) -> bool:
    return "is_training" in op.node_def.attr and bool(op.get_attr("is_training"))


def chosen(pair: Pair, grads: Sequence[Any]) -> Multipliers:
    """Hand down by where(condition, a, b)."""
    own = own_gradients(pair.op, grads)
    if 0 not in pair.varying:
        return own
    ones, zeros = tf.ones_like(pair.op.inputs[1]), tf.zeros_like(pair.op.inputs[2])
    taken, taken0 = (again(each, [each.inputs[0], ones, zeros]).outputs[0] for each in (pair.op, pair.copy))
    rises = {place: pair.rise(place) for place in pair.floats()}
    if not rises:
        return own
    whole = tf.add_n([tf.abs(rise) + tf.zeros_like(taken) for rise in rises.values()])
    part = tf.math.divide_no_nan(grads[0] * pair.gain(), whole)
    shares = {1: taken, 2: 1 - taken}
    found = {
        place: tf.where_v2(tf.equal(taken, taken0), grads[0] * shares[place], part * tf.sign(rise))
        for place, rise in rises.items()
    }
    return _placed(pair, {place: _summed_to(pair.op.inputs[place], found[place]) for place in found})


_CURVES = (
    "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softsign", "Sigmoid", "Tanh", "Erf", "Erfc", "Exp",
    "Expm1", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Reciprocal", "Inv", "Abs", "Sin", "Cos", "Atan", "ClipByValue",
    "Maximum", "Minimum", "SquaredDifference", "Pow",
)  # fmt: skip
_LINEAR = (
    "Add", "AddV2", "AddN", "Sub", "Neg", "BiasAdd", "Identity", "IdentityN", "Snapshot", "EnsureShape", "Cast",
    "CheckNumerics", "StopGradient", "PlaceholderWithDefault", "Concat", "ConcatV2", "Pack",
    "Unpack", "Split", "SplitV", "Reshape", "Transpose", "Squeeze", "ExpandDims", "Pad", "PadV2", "MirrorPad", "Slice",
    "StridedSlice", "Gather", "GatherV2", "GatherNd", "ReverseV2", "Roll", "Tile", "BroadcastTo", "Mean", "Sum",
    "Cumsum", "AvgPool", "AvgPool3D", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "SpaceToBatchND",
    "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "ExtractImagePatches", "Switch", "Merge",
)  # fmt: skip
_PRODUCTS = (
    "Mul", "Conv2D", "DepthwiseConv2dNative", "Conv3D", "Conv2DBackpropInput", "Conv3DBackpropInputV2", "MatMul",
    "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum",
)  # fmt: skip
_NORMS = (
    "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "BatchNormWithGlobalNormalization",
)  # fmt: skip

LIFTS: Dict[str, Lift] = {
    **dict.fromkeys(_LINEAR, as_its_gradient),
    **dict.fromkeys(_NORMS, normed),
    **dict.fromkeys(_PRODUCTS, product),
    **dict.fromkeys(_CURVES, rescaled),
    **dict.fromkeys(("RealDiv", "Div", "DivNoNan"), quotient),
    **dict.fromkeys(("MaxPool", "MaxPoolV2", "MaxPool3D", "MaxPoolWithArgmax", "Max"), largest),
    **dict.fromkeys(("Select", "SelectV2"), chosen),
    "Min": smallest,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
}


def why_not(op: tf.Operation, varying: Sequence[tf.Tensor]) -> str:
    """Return why an op cannot hand multipliers down, with inputs that vary; "" where it can."""
    if op.type not in LIFTS:
        return "DeepLIFT has no rule for it"
    if op.type != "StopGradient" and not is_differentiable(op):
        return "this TensorFlow has no gradient for it"
    floats = [tensor for tensor in varying if tensor.dtype.is_floating]
    if op.type in _NORMS and (len(floats) > 1 or (_is_training(op) and not norms_each_image(op))):
        return "its statistics are those of its own batch"
    return ""
