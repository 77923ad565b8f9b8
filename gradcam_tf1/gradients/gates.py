"""Find gates: activations that are multiplied with something else that depends on the images.

Guided rules drop negative gradients, because they are evidence against a unit. The gradient of a gate g in g u is R u:
its sign is that of the data u and says nothing about the unit. Gates occur in hard-swish, x relu6(x + 3) / 6, and Mish,
x tanh(softplus x); in squeeze-and-excitation with a hard sigmoid; in attention and gated units with ReLUs. In a product
f u, every activation that f is an elementwise function of is a gate, except

- where u is computed from f: then f is the data and u its gate, as in relu(x) sigmoid(fc(pool(relu(x))));
- where u lies in 0..2, as a sigmoid, a softmax or 1 + sigmoid does: then f u has the sign of f.

An activation that goes through a convolution, a dense layer or a pool before the product is not a gate.
"""

from __future__ import annotations

import math
from typing import Callable, Dict, FrozenSet, List, Mapping, NamedTuple, Sequence, Set, Tuple

from gradcam_tf1.tf_runtime import static_value, tf

_PRODUCTS = (
    "Mul", "RealDiv", "Div", "DivNoNan", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D",
    "DepthwiseConv2dNative",
)  # fmt: skip
# elementwise ops, and ops that move values; inputs that do not depend on the images do not matter
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
# elementwise where one input depends on the images
_WITH_CONSTANT = ("Add", "AddV2", "Sub", "BiasAdd", "Maximum", "Minimum")
_ACTIVE = {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Maximum", "Minimum", "ClipByValue"}

_STEPS = 32  # maximum number of ops from a factor back to its activation
_VISITS = 500000  # maximum number of ops visited for a whole net; beyond that every op counts as a gate

Bounds = Tuple[float, float]
_ANY = (-math.inf, math.inf)


class Composite(NamedTuple):
    """An activation composed of several ops.

    Attributes
    ----------
    leaf : tf.Tensor
        The tensor that it is a function of.
    short : tf.Tensor
        The input of its last op that is fewest ops away from the leaf.
    parts : frozenset of str
        Names of its other ops.
    """

    leaf: tf.Tensor
    short: tf.Tensor
    parts: FrozenSet[str]


def find_gates(path: Sequence[tf.Operation], composites: Mapping[str, Composite]) -> Set[str]:
    """Return the names of the ops whose outputs are factors of something else.

    Parameters
    ----------
    path : sequence of tf.Operation
        The ops between images and outputs, producers first.
    composites : mapping
        Name of the last op of a composed activation -> its composition.

    Returns
    -------
    set of str
    """
    return _Gates(path, composites).found


class _Gates:
    """The search for gates. Ops are known by name; inputs that do not depend on the images are left out."""

    def __init__(self, path: Sequence[tf.Operation], composites: Mapping[str, Composite]) -> None:
        self._place = {op.name: place for place, op in enumerate(path)}
        self._types = {op.name: op.type for op in path}
        self._composites = composites
        self._inputs: Dict[str, List[str]] = {}
        self._bounds: Dict[str, Bounds] = {}
        for op in path:
            self._inputs[op.name] = [tensor.op.name for tensor in op.inputs if tensor.op.name in self._place]
            self._bounds[op.name] = self._bounds_of(op)
        self._left = _VISITS
        self.found: Set[str] = set()
        for name, kind in self._types.items():
            factors = self._inputs[name][:2] if kind in _PRODUCTS else []
            if len(factors) == 2:
                self._add_gates(*factors)
                self._add_gates(*factors[::-1])
        if self._left <= 0:
            self.found = set(self._place)

    def _add_gates(self, factor: str, other: str) -> None:
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
        """Return the ops that `start` is an elementwise function of, itself first, up to those in `known`."""
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
        """Return the ops before an op, from place `first` on, without those of a loop's previous iteration."""
        seen, stack = {name}, [name]
        while stack and self._left > 0:
            current = stack.pop()
            self._left -= 1
            for parent in self._inputs[current] if self._types[current] != "NextIteration" else ():
                if parent not in seen and self._place[parent] >= first:
                    seen.add(parent)
                    stack.append(parent)
        return seen

    def _bounds_of(self, op: tf.Operation) -> Bounds:
        """Return guaranteed bounds of the output."""
        if op.type in _RANGES:
            return _RANGES[op.type]
        if op.type not in _ARITHMETIC and op.type not in _MOVED:
            return _ANY
        parts = [self._bounds.get(tensor.op.name) or _constant_bounds(tensor) for tensor in op.inputs]
        return _ARITHMETIC[op.type](*parts) if op.type in _ARITHMETIC else parts[_MOVED[op.type]]


def _constant_bounds(tensor: tf.Tensor) -> Bounds:
    value = static_value(tensor) if tensor.op.type == "Const" else None
    if value is None or not value.size or value.dtype.kind not in "fiu":
        return _ANY
    return float(value.min()), float(value.max())


def _product_bounds(a: Bounds, b: Bounds) -> Bounds:
    ends = [left * right if left and right else 0.0 for left in a for right in b]
    return min(ends), max(ends)


def _quotient_bounds(a: Bounds, b: Bounds) -> Bounds:
    return _product_bounds(a, (1 / b[1], 1 / b[0])) if b[0] > 0 or b[1] < 0 else _ANY


_RANGES: Dict[str, Bounds] = {
    "Sigmoid": (0, 1), "Softmax": (0, 1), "Tanh": (-1, 1), "Relu6": (0, 6), "Relu": (0, math.inf),
    "Softplus": (0, math.inf), "Exp": (0, math.inf), "Square": (0, math.inf), "Abs": (0, math.inf),
}  # fmt: skip
# op type -> number of the input whose values the output has
_MOVED = {
    "Identity": 0, "Cast": 0, "Reshape": 0, "ExpandDims": 0, "Squeeze": 0, "Tile": 0, "BroadcastTo": 0, "Transpose": 0,
    "StopGradient": 0, "ResizeBilinear": 0, "ResizeNearestNeighbor": 0, "Split": 1, "StridedSlice": 0, "Slice": 0,
}  # fmt: skip
_ARITHMETIC: Dict[str, Callable[..., Bounds]] = {
    "Add": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "AddV2": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "Sub": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "Mul": _product_bounds,
    "RealDiv": _quotient_bounds,
    "Minimum": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "Maximum": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "ClipByValue": lambda a, b, c: (min(max(a[0], b[0]), c[1]), min(max(a[1], b[0]), c[1])),
}
