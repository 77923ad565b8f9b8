"""Gates: what is multiplied with something else that depends on the images.

Guided rules drop gradients that speak against a unit. The gradient of a gate g in g u is R u: its sign is that of the
data u, so that dropping the negative ones says nothing of the unit. Gates are the inside of hard-swish,
x relu6(x + 3) / 6, and Mish, x tanh(softplus x); squeeze-and-excitation with a hard sigmoid; attention and gated
units with ReLUs. A product f u makes gates of what f is, value by value, except

- where u is made from f, which is then the data and u its gate: relu(x) sigmoid(fc(pool(relu(x))));
- where u lies in 0..2, as a sigmoid, a softmax or 1 + sigmoid does: f u keeps the sign of f.

Where f goes through a convolution, a dense layer or a pool first, it is no longer what is multiplied.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

from gradcam_tf1.tf_runtime import tf

_PRODUCTS = (
    "Mul", "RealDiv", "Div", "DivNoNan", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D",
    "DepthwiseConv2dNative",
)  # fmt: skip
# value by value, or values moved about; the inputs that do not depend on the images do not matter
_PASSED = {
    "Identity", "Cast", "Neg", "Abs", "Tanh", "Sigmoid", "Erf", "Softsign", "Exp", "Log", "Log1p", "Sqrt", "Rsqrt",
    "Square", "Reciprocal", "Inv", "Pow", "Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Softmax", "Reshape",
    "ExpandDims", "Squeeze", "Tile", "BroadcastTo", "Transpose", "StopGradient", "PreventGradient", "Snapshot",
    "EnsureShape", "ClipByValue", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars",
    "FakeQuantWithMinMaxVarsPerChannel", "ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "Switch", "Merge",
    "Enter", "Exit", "Split", "SplitV", "StridedSlice", "Slice", "Concat", "ConcatV2", "Pack", "Unpack", "Pad",
    "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3",
}  # fmt: skip
_ELEMENTWISE = ("Mul", "RealDiv", "Div", "DivNoNan")
# the same with one input that depends on the images
_WITH_CONSTANT = ("Add", "AddV2", "Sub", "BiasAdd", "Maximum", "Minimum")
_ACTIVE = {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Maximum", "Minimum", "ClipByValue"}

_STEPS = 32  # from a factor back to the activation that makes it
_VISITS = 500000  # of ops, for a whole net; then everything counts as a gate

Bounds = Tuple[float, float]
_ANY = (-math.inf, math.inf)


def find_gates(way: Sequence[tf.Operation], composites: Mapping[str, Any]) -> Set[str]:
    """Names of the ops whose values are factors of something else.

    Args: way: the ops between images and outputs, producers first. composites: last op of an activation that is
    spelt out -> what it is made of, see `activations.py`.
    """
    return _Gates(way, composites).found


class _Gates:
    """All by the ops' names; inputs that do not depend on the images are left out."""

    def __init__(self, way: Sequence[tf.Operation], composites: Mapping[str, Any]) -> None:
        self._place = {op.name: place for place, op in enumerate(way)}
        self._types = {op.name: op.type for op in way}
        self._composites = composites
        self._inputs: Dict[str, List[str]] = {}
        self._bounds: Dict[str, Bounds] = {}
        for op in way:
            self._inputs[op.name] = [each.op.name for each in op.inputs if each.op.name in self._place]
            self._bounds[op.name] = self._bounds_of(op)
        self._left = _VISITS
        self.found: Set[str] = set()
        for name, kind in self._types.items():
            factors = self._inputs[name][:2] if kind in _PRODUCTS else []
            if len(factors) == 2:
                self._look_at(*factors)
                self._look_at(*factors[::-1])
        if self._left <= 0:
            self.found = set(self._place)

    def _look_at(self, factor: str, other: str) -> None:
        low, high = self._bounds[other]
        line = self._line(factor, set()) if low < 0 or high > 2 else []
        if not any(self._types[name] in _ACTIVE or name in self._composites for name in line):
            return
        before = self._before(other, min(self._place[name] for name in line))
        for name in self._line(factor, before):
            self.found.add(name)
            if name in self._composites:
                self.found |= self._composites[name].parts

    def _line(self, start: str, known: Set[str]) -> List[str]:
        """The ops that `start` is made by, value by value, itself first, up to those in `known`."""
        line: Dict[str, None] = {}
        level = [start]
        for _ in range(_STEPS):
            fresh = [name for name in dict.fromkeys(level) if name not in known and name not in line]
            line.update(dict.fromkeys(fresh))
            level = [parent for name in fresh for parent in self._parents(name)]
            if not level or self._left <= 0:
                break
        self._left -= len(line)
        return list(line)

    def _parents(self, name: str) -> List[str]:
        kind, data = self._types[name], self._inputs[name]
        if name in self._composites:
            return [self._composites[name].leaf.op.name]
        passed = kind in _PASSED or kind in _ELEMENTWISE or (kind in _WITH_CONSTANT and len(data) == 1)
        return data if passed else []

    def _before(self, name: str, first: int) -> Set[str]:
        """What is before an op, from place `first` on; the round of a loop before this one does not count."""
        seen, stack = {name}, [name]
        while stack and self._left > 0:
            here = stack.pop()
            self._left -= 1
            for each in self._inputs[here] if self._types[here] != "NextIteration" else ():
                if each not in seen and self._place[each] >= first:
                    seen.add(each)
                    stack.append(each)
        return seen

    def _bounds_of(self, op: tf.Operation) -> Bounds:
        """Between which values its output lies for certain."""
        if op.type in _RANGES:
            return _RANGES[op.type]
        if op.type not in _ARITHMETIC and op.type not in _MOVED:
            return _ANY
        parts = [self._bounds.get(each.op.name) or _constant_bounds(each) for each in op.inputs]
        return _ARITHMETIC[op.type](*parts) if op.type in _ARITHMETIC else parts[_MOVED[op.type]]


def _constant_bounds(tensor: tf.Tensor) -> Bounds:
    value = tf.get_static_value(tensor) if tensor.op.type == "Const" else None
    numbers = value is not None and value.size and value.dtype.kind in "fiu"
    return (float(value.min()), float(value.max())) if numbers else _ANY


def _of_products(one: Bounds, other: Bounds) -> Bounds:
    ends = [a * b if a and b else 0.0 for a in one for b in other]
    return min(ends), max(ends)


def _of_quotient(one: Bounds, other: Bounds) -> Bounds:
    return _of_products(one, (1 / other[1], 1 / other[0])) if other[0] > 0 or other[1] < 0 else _ANY


_RANGES: Dict[str, Bounds] = {
    "Sigmoid": (0, 1), "Softmax": (0, 1), "Tanh": (-1, 1), "Relu6": (0, 6), "Relu": (0, math.inf),
    "Softplus": (0, math.inf), "Exp": (0, math.inf), "Square": (0, math.inf), "Abs": (0, math.inf),
}  # fmt: skip
# which input is handed on, as it is or moved about
_MOVED = {
    "Identity": 0, "Cast": 0, "Reshape": 0, "ExpandDims": 0, "Squeeze": 0, "Tile": 0, "BroadcastTo": 0, "Transpose": 0,
    "StopGradient": 0, "ResizeBilinear": 0, "ResizeNearestNeighbor": 0, "Split": 1, "StridedSlice": 0, "Slice": 0,
}  # fmt: skip
_ARITHMETIC: Dict[str, Any] = {
    "Add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "AddV2": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "Mul": _of_products,
    "RealDiv": _of_quotient,
    "Minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "ClipByValue": lambda a, b, c: (min(max(a[0], b[0]), c[1]), min(max(a[1], b[0]), c[1])),
}
