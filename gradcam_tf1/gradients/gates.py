"""Find gates: activations that are multiplied with something else that depends on the images.

Guided rules drop negative gradients, because they are evidence against a unit. The gradient of a gate g in g u is R u:
its sign is that of the data u and says nothing about the unit. Gates occur in hard-swish, x relu6(x + 3) / 6, and Mish,
x tanh(softplus x); in squeeze-and-excitation with a hard sigmoid; in attention and gated units with ReLUs. In a product
f u, every activation that f is an elementwise function of is a gate, except

- where u is computed from f: then f is the data and u its gate, as in relu(x) sigmoid(fc(pool(relu(x))));
- where u lies in 0..2, as a sigmoid, a softmax or 1 + sigmoid does: then f u has the sign of f.

Sums, reorderings and every other op that does not mix values count as elementwise. An activation that goes through a
convolution, a dense layer or a pool before the product is not a gate.
"""

from __future__ import annotations

from itertools import permutations
from typing import Dict, FrozenSet, List, Mapping, NamedTuple, Sequence, Set

from gradcam_tf1.gradients.value_bounds import Bounds, bounds_of
from gradcam_tf1.tf_runtime import tf

_ELEMENTWISE = ("Mul", "MulNoNan", "RealDiv", "Div", "DivNoNan", "Xdivy")
_PRODUCTS = (
    *_ELEMENTWISE, "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "Conv2D",
    "DepthwiseConv2dNative", "Conv3D",
)  # fmt: skip
# ops whose outputs mix values: weights of the net, pools, sums over an axis, and functions that may contain such ops
_MIXING = {
    *_PRODUCTS, "Conv2DBackpropInput", "Conv3DBackpropInputV2", "Dilation2D", "SparseMatMul", "LRN", "AvgPool",
    "AvgPool3D", "MaxPool", "MaxPoolV2", "MaxPool3D", "MaxPoolWithArgmax", "FractionalAvgPool",
    "FractionalMaxPool", "Sum", "Mean", "Max", "Min", "Prod", "EuclideanNorm", "L2Loss", "Cumsum", "Cumprod",
    "SegmentSum", "SegmentMean", "SegmentMax", "UnsortedSegmentSum", "UnsortedSegmentMax", "CropAndResize",
    "ExtractImagePatches", "NextIteration", "While", "StatelessWhile", "If", "StatelessIf", "Case",
    "StatelessCase", "PartitionedCall", "StatefulPartitionedCall", "LSTMBlockCell", "BlockLSTM", "GRUBlockCell",
    "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3",
} - set(_ELEMENTWISE)  # fmt: skip
_ACTIVE = {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus", "Maximum", "Minimum", "ClipByValue"}

_STACKS = ("Pack", "Concat", "ConcatV2")
_STACKED = 8  # maximum number of factors that are stacked
_STEPS = 32  # maximum number of ops from a factor back to its activation
_VISITS = 500000  # maximum number of ops visited for a whole net; beyond that every op counts as a gate


class CompositeActivation(NamedTuple):
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


def find_gates(path: Sequence[tf.Operation], composites: Mapping[str, CompositeActivation]) -> Set[str]:
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

    def __init__(self, path: Sequence[tf.Operation], composites: Mapping[str, CompositeActivation]) -> None:
        self._place = {op.name: place for place, op in enumerate(path)}
        self._types = {op.name: op.type for op in path}
        self._composites = composites
        self._inputs: Dict[str, List[str]] = {}
        self._bounds: Dict[str, Bounds] = {}
        for op in path:
            self._inputs[op.name] = [tensor.op.name for tensor in op.inputs if tensor.op.name in self._place]
            self._bounds[op.name] = bounds_of(op, self._bounds)
        self._left = _VISITS
        self.found: Set[str] = set()
        for name in self._types:
            for factor, other in permutations(self._factors(name), 2):
                self._add_gates(factor, other)
        if self._left <= 0:
            self.found = set(self._place)

    def _factors(self, name: str) -> List[str]:
        """Return the factors of a product that depend on the images; a product over an axis has those stacked there."""
        kind, data = self._types[name], self._inputs[name]
        if kind != "Prod":
            return data[:2] if kind in _PRODUCTS else []
        return self._inputs[data[0]][:_STACKED] if self._types[data[0]] in _STACKS else []

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
        if name in self._composites:
            return [self._composites[name].leaf.op.name]
        return [] if self._types[name] in _MIXING else self._inputs[name]

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
