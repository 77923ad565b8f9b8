"""What only scales or shifts other values: softmaxes, also written out, 1 / deviation, layer norms in one op."""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Optional

from gradcam_tf1.gradients.static_sizes import product_of, sizes_in
from gradcam_tf1.tf_runtime import static_value, tf

_QUOTIENTS = ("RealDiv", "Div", "DivNoNan")
_PLAIN = ("Identity", "Reshape", "ExpandDims", "Squeeze", "Cast", "StopGradient", "Tile", "BroadcastTo", "Snapshot")
_MOVED = (*_PLAIN, "Transpose", "StridedSlice", "Slice", "Split", "SplitV", "Unpack", "GatherV2")
_SCALED = ("Mul", "RealDiv", "Div")
_STEPS = 12  # maximum number of ops between a normaliser and what it is searched for

OnPath = Callable[["tf.Tensor"], bool]


class Softmax(NamedTuple):
    """A softmax.

    Attributes
    ----------
    scores : tf.Tensor
        What it is of, before a shift by its maximum.
    axes : list of int or tf.Tensor
        The axes along which it adds up to 1.
    """

    scores: tf.Tensor
    axes: Any


def softmax_of(op: tf.Operation) -> Optional[Softmax]:
    """Return the softmax that an op ends: Softmax, e^x / sum e^x, or e^(x - log sum e^x); None for any other op."""
    if op.type == "Softmax":
        return Softmax(op.inputs[0], [-1])
    if op.type in _QUOTIENTS and op.inputs[0].op.type == "Exp":
        total = _plain(op.inputs[1])
        scores = op.inputs[0].op.inputs[0]
        if total.type == "Sum" and _same_power(total.inputs[0].op, op.inputs[0].op):
            return Softmax(scores.op.inputs[0] if is_shift(scores.op) else scores, total.inputs[1])
    if op.type == "Exp" and op.inputs[0].op.type == "Sub":
        scores, norm = op.inputs[0].op.inputs
        log_sum = _log_sum_exp(norm, scores)
        return None if log_sum is None else Softmax(scores, log_sum.inputs[1])
    return None


def _same_power(op: tf.Operation, other: tf.Operation) -> bool:
    return op is other or (op.type == "Exp" and op.inputs[0].name == other.inputs[0].name)


def is_shift(op: tf.Operation) -> bool:
    """Return whether an op is x - max(x) or x - log sum exp x: what is subtracted is the same for all values."""
    if op.type != "Sub":
        return False
    x, norm = op.inputs
    peak = _plain(norm)
    return (peak.type == "Max" and peak.inputs[0].name == x.name) or _log_sum_exp(norm, x) is not None


def _plain(tensor: tf.Tensor) -> tf.Operation:
    """Return the op that makes a tensor, without what only moves it or guards it against infinity."""
    for _ in range(_STEPS):
        if tensor.op.type in ("Select", "SelectV2"):
            tensor = tensor.op.inputs[1]
        elif tensor.op.type in _PLAIN:
            tensor = tensor.op.inputs[0]
    return tensor.op


def _log_sum_exp(tensor: tf.Tensor, x: tf.Tensor) -> Optional[tf.Operation]:
    """Return the Sum of log(sum(exp(x - a))) + a, None where a tensor is something else."""
    waiting: List[tf.Tensor] = [tensor]
    for _ in range(_STEPS):
        if not waiting:
            return None
        op = _plain(waiting.pop())
        if op.type == "Log":
            total = _plain(op.inputs[0])
            exp = total.inputs[0].op if total.type == "Sum" else total
            inside = exp.inputs[0] if exp.type == "Exp" else exp.outputs[0]
            if x.name in (inside.name, *(each.name for each in inside.op.inputs[:1] if inside.op.type == "Sub")):
                return total if total.type == "Sum" else None
        elif op.type in ("Add", "AddV2"):
            waiting += op.inputs
    return None


def is_softmax(tensor: tf.Tensor, on_path: OnPath) -> bool:
    """Return whether a tensor is a softmax, moved or scaled by constants."""
    return _comes_from(tensor, on_path, lambda op: softmax_of(op) is not None)


def is_normaliser(tensor: tf.Tensor, on_path: OnPath) -> bool:
    """Return whether a tensor is 1 / x, x to a negative power, or that scaled by constants."""
    return _comes_from(tensor, on_path, lambda op: _inverts(op, on_path))


def _inverts(op: tf.Operation, on_path: OnPath) -> bool:
    if op.type in ("Rsqrt", "Reciprocal", "Inv"):
        return True
    if op.type in _QUOTIENTS:
        return not on_path(op.inputs[0])
    if op.type != "Pow" or on_path(op.inputs[1]):
        return False
    power = static_value(op.inputs[1])
    return power is not None and bool((power < 0).all())


def _comes_from(tensor: tf.Tensor, on_path: OnPath, is_it: Callable[[tf.Operation], bool]) -> bool:
    for _ in range(_STEPS):
        if is_it(tensor.op):
            return True
        data = [each for each in tensor.op.inputs if on_path(each)]
        if tensor.op.type not in _MOVED + _SCALED or len(data) != 1:
            return False
        tensor = data[0]
    return False


def positions_of(norm: tf.Operation) -> List[int]:
    """Return the axes of a fused batch norm over which its statistics are taken."""
    rank = norm.inputs[0].shape.rank or 4
    channels = 1 if norm.get_attr("data_format").startswith(b"NC") else rank - 1
    return [axis for axis in range(rank) if axis != channels]


def norms_each_image(op: tf.Operation) -> bool:
    """Return whether a fused batch norm in training mode takes statistics of one image's values only.

    Layer norms are written so: [N, T, C] becomes [1, N T, C, 1] in NCHW, of which each channel is a run of values of
    one row of N. Values in a run are of one image if the runs divide what each image has.
    """
    x, data_format = op.inputs[0], op.get_attr("data_format")
    source = _plain_reshape(x)
    if source is None or not x.shape.rank or not data_format.startswith(b"NC"):
        return False
    made = sizes_in(source.inputs[1])
    sides = [known or size for known, size in zip(x.shape.as_list(), made)] if len(made) == x.shape.rank else []
    run = product_of(sides[2:])
    if not run or sides[0] != 1 or not source.inputs[0].shape.rank:
        return False
    inside = source.inputs[0].shape.as_list()[1:]
    values = [product_of(inside[axis:]) for axis in range(len(inside))]
    return any(count is not None and count % run == 0 for count in values)


def _plain_reshape(tensor: tf.Tensor) -> Optional[tf.Operation]:
    while tensor.op.type in ("Identity", "Cast"):
        tensor = tensor.op.inputs[0]
    return tensor.op if tensor.op.type == "Reshape" else None
