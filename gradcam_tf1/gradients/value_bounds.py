"""Guaranteed bounds of tensors, from the ops that make them: a sigmoid lies in 0..1, one plus it in 1..2.

Bounds are known by the name of an op and hold for each of its outputs. An op without a rule has none.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, List, Mapping, Tuple

import numpy as np

from gradcam_tf1.tf_runtime import static_value, tf

Bounds = Tuple[float, float]
ANY = (-math.inf, math.inf)
_STEPS = 8  # maximum number of ops between a quotient and the sum below it


def bounds_of(op: tf.Operation, known: Mapping[str, Bounds]) -> Bounds:
    """Return the smallest and the largest value that the outputs of an op can have.

    Parameters
    ----------
    op : tf.Operation
        The op.
    known : mapping
        Names of the ops before it -> their bounds.

    Returns
    -------
    (float, float)
        Minus and plus infinity if nothing is known.
    """
    if op.type in _RANGES:
        return _RANGES[op.type]
    if op.outputs and op.outputs[0].dtype == tf.bool:
        return 0, 1
    if op.type not in _ARITHMETIC and op.type not in _JOINED and op.type not in _KEPT:
        return ANY
    parts = [known.get(tensor.op.name) or _constant_bounds(tensor) for tensor in op.inputs]
    if op.type in _QUOTIENTS and parts[0][0] >= 0 and _is_sum_of(op.inputs[1], op.inputs[0].op):
        return 0, 1
    if op.type in _ARITHMETIC:
        return _ARITHMETIC[op.type](*parts)
    values = _JOINED[op.type](parts) if op.type in _JOINED else [parts[_KEPT[op.type]]]
    return min(low for low, _ in values), max(high for _, high in values)


def _constant_bounds(tensor: tf.Tensor) -> Bounds:
    value = static_value(tensor) if tensor.op.type == "Const" else None
    if value is None or not value.size or value.dtype.kind not in "fiu":
        return ANY
    return float(value.min()), float(value.max())


def _is_sum_of(tensor: tf.Tensor, summand: tf.Operation) -> bool:
    """Return whether a tensor is the sum of a summand's values that are at least 0, plus constants of that kind."""
    for _ in range(_STEPS):
        op = tensor.op
        if op.type == "Sum":
            return bool(op.inputs[0].op.name == summand.name)
        if op.type in ("Add", "AddV2", "Maximum"):
            rest = [each for each in op.inputs if _constant_bounds(each)[0] < 0]
            if len(rest) != 1:
                return False
            tensor = rest[0]
        elif op.type in ("Identity", "Reshape", "ExpandDims", "Tile", "BroadcastTo"):
            tensor = op.inputs[0]
        else:
            return False
    return False


def _product(a: Bounds, b: Bounds) -> Bounds:
    ends = [left * right if left and right else 0.0 for left in a for right in b]
    return min(ends), max(ends)


def _quotient(a: Bounds, b: Bounds) -> Bounds:
    return _product(a, _inverse(b)) if b[0] > 0 or b[1] < 0 else ANY


def _inverse(a: Bounds) -> Bounds:
    return (1 / a[1], 1 / a[0]) if a[0] > 0 or a[1] < 0 else (0.0, math.inf) if a[0] == 0 else ANY


def _rising(function: Callable[[float], float], least: float = -math.inf) -> Callable[[Bounds], Bounds]:
    """Return the rule of a function that rises from `least` on, where it is undefined below."""

    def at(value: float) -> float:
        try:
            return function(max(value, least))
        except OverflowError:
            return math.inf
        except ValueError:  # log(0)
            return -math.inf

    return lambda a: (at(a[0]), at(a[1]))


def _size(a: Bounds) -> Bounds:
    ends = sorted((abs(a[0]), abs(a[1])))
    return (0.0 if a[0] < 0 < a[1] else ends[0]), ends[1]


def _square(a: Bounds) -> Bounds:
    ends = sorted((a[0] * a[0], a[1] * a[1]))
    return (0.0 if a[0] < 0 < a[1] else ends[0]), ends[1]


def _power(a: Bounds, b: Bounds) -> Bounds:
    if a[0] < 0:
        return ANY
    return (0.0, 1.0) if a[1] <= 1 and b[0] >= 0 else (0.0, math.inf)


def _clipped(a: Bounds, low: Bounds, high: Bounds) -> Bounds:
    return min(max(a[0], low[0]), high[1]), min(max(a[1], low[0]), high[1])


_QUOTIENTS = ("RealDiv", "Div", "DivNoNan")
_RANGES: Dict[str, Bounds] = {
    "Sigmoid": (0, 1), "Softmax": (0, 1), "Tanh": (-1, 1), "Erf": (-1, 1), "Erfc": (0, 2), "Sign": (-1, 1),
    "Softsign": (-1, 1), "Sin": (-1, 1), "Cos": (-1, 1), "LogSoftmax": (-math.inf, 0), "Relu6": (0, 6),
    "Softplus": (0, math.inf), "Elu": (-1, math.inf),
}  # fmt: skip
# the inputs whose values the outputs have, of ops with several
_JOINED: Dict[str, Callable[[List[Bounds]], List[Bounds]]] = {
    "Concat": lambda parts: parts[1:],
    "ConcatV2": lambda parts: parts[:-1],
    "Pack": lambda parts: parts,
    "Select": lambda parts: parts[1:],
    "SelectV2": lambda parts: parts[1:],
    "Pad": lambda parts: [parts[0], (0, 0)],
    "PadV2": lambda parts: [parts[0], parts[2]],
}
# number of the input whose values the outputs have, or means or extrema of them
_KEPT = {
    **dict.fromkeys(
        (
            "Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "Tile", "BroadcastTo", "Transpose", "StopGradient",
            "PreventGradient", "EnsureShape", "Snapshot", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeArea",
            "StridedSlice", "Slice", "Unpack", "Gather", "GatherV2", "Reverse", "ReverseV2", "Roll", "MirrorPad",
            "DepthToSpace", "SpaceToDepth", "Mean", "Max", "Min", "MaxPool", "MaxPoolV2", "AvgPool", "MaxPool3D",
            "AvgPool3D", "SplitV",
        ),
        0,
    ),
    "Split": 1,
}  # fmt: skip
_ARITHMETIC: Dict[str, Callable[..., Bounds]] = {
    **dict.fromkeys(("Add", "AddV2", "BiasAdd"), lambda a, b: (a[0] + b[0], a[1] + b[1])),
    "AddN": lambda *parts: (sum(low for low, _ in parts), sum(high for _, high in parts)),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    **dict.fromkeys(("Mul", "MulNoNan"), _product),
    **dict.fromkeys(_QUOTIENTS, _quotient),
    "Minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "ClipByValue": _clipped,
    "Neg": lambda a: (-a[1], -a[0]),
    "Abs": _size,
    "Square": _square,
    "Pow": _power,
    "Relu": _rising(lambda value: value, 0.0),
    "Sqrt": _rising(math.sqrt, 0.0),
    "Exp": _rising(math.exp),
    "Log": _rising(math.log, 0.0),
    "Log1p": _rising(math.log1p, -1.0),
    **dict.fromkeys(("Round", "Rint"), _rising(lambda value: float(np.rint(value)))),
    "Floor": _rising(lambda value: float(np.floor(value))),
    "Ceil": _rising(lambda value: float(np.ceil(value))),
    "Reciprocal": _inverse,
    "Inv": _inverse,
}
