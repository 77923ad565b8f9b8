"""Find the activations of a net, including those composed of several ops.

LeakyReLU is also written Maximum(a x, x), Relu(x) - a Relu(-x) or b x + c |x|; PReLU as Relu(x) + a (x - |x|) / 2; a
bounded ReLU as Maximum(Minimum(x, 6), 0). The last op then counts as the activation; the Relus and maxima inside are
parts of it. Maximum and Add have other uses, too: they count only where both inputs are elementwise, non-linear
functions of one tensor, or, for a maximum, where the other input is the constant 0.

An activation whose output is a factor of something else is a gate, see `gates.py`: no rule applies to it.
"""

from __future__ import annotations

from collections import Counter
from typing import Dict, List, Optional, Sequence, Set

from gradcam_tf1.gradients.gates import CompositeActivation, find_gates
from gradcam_tf1.gradients.graph_walk import ops_after, ops_between
from gradcam_tf1.tf_runtime import static_value, tf

ALONE = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus")
JOINS = ("Maximum", "Minimum", "Add", "AddV2", "Sub")
CLIPS = ("ClipByValue",)
# ops of activations that no rule applies to: Swish is x Sigmoid(x), GELU x Erf(x) or x Tanh(...)
OTHERS = ("Sigmoid", "Tanh", "Erf", "Softsign")
# elementwise, with one input that depends on the images
_ONE_INPUT = ("Identity", "Neg", "Abs", "Relu", "Relu6")
_WITH_CONSTANT = ("Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Maximum", "Minimum", "ClipByValue")
_BENT = ("Abs", "Relu", "Relu6", "Maximum", "Minimum", "ClipByValue")

_STEPS = 8  # maximum number of ops between the last op of a composed activation and its input


class Activations:
    """The activations among some ops, found once, in linear time.

    Parameters
    ----------
    path : sequence of tf.Operation
        The ops of one graph that depend on the images, in the order of the graph.

    Attributes
    ----------
    counts : dict
        Op type of ALONE and OTHERS -> number of such ops.
    """

    def __init__(self, path: Sequence[tf.Operation]) -> None:
        self._graph: Optional[tf.Graph] = path[0].graph if path else None
        self._inner: Dict[tf.Graph, Activations] = {}
        self.counts = dict(Counter(op.type for op in path if op.type in ALONE + OTHERS))
        self._path = {op.name for op in path}
        self._composites: Dict[str, CompositeActivation] = {}
        self._parents: Dict[str, tf.Tensor] = {}
        self._rectified: Set[str] = set()
        for op in path:  # an op's inputs come before it
            self._add(op)
        self._parts = frozenset().union(*(composite.parts for composite in self._composites.values()))
        self._gates = find_gates(path, self._composites)

    @classmethod
    def between(cls, outputs: Sequence[tf.Tensor], start: tf.Tensor) -> Activations:
        """Return the activations on all paths from `start`, the images, to some outputs."""
        return cls(ops_between(outputs, start))

    def of(self, op: tf.Operation) -> Activations:
        """Return the activations of the graph that holds `op`: the net, or the body of a functional loop or branch."""
        if self._graph is None or op.graph is self._graph:
            return self
        if op.graph not in self._inner:
            ops = op.graph.get_operations()
            after = ops_after([inner for inner in ops if inner.type == "Placeholder"])
            self._inner[op.graph] = Activations([inner for inner in ops if inner in after])
        return self._inner[op.graph]

    def is_activation(self, op: tf.Operation) -> bool:
        """Return whether `op` is an activation or the last op of a composed one; also True for a part that looks so."""
        return op.type in ALONE or self._is_rectifier(op) or op.name in self._composites

    def is_part(self, op: tf.Operation) -> bool:
        """Return whether `op` is a part of a composed activation, and not its last op."""
        return op.name in self._parts

    def is_gate(self, op: tf.Operation) -> bool:
        """Return whether the output of `op` is a factor of something else."""
        return op.name in self._gates

    def composite(self, op: tf.Operation) -> Optional[CompositeActivation]:
        """Return the composed activation whose last op is `op`, None where there is none."""
        return self._composites.get(op.name)

    def data(self, op: tf.Operation) -> List[tf.Tensor]:
        """Return the inputs of `op` that depend on the images."""
        return [tensor for tensor in op.inputs if tensor.op.name in self._path]

    def is_cap(self, op: tf.Operation) -> bool:
        """Return whether `op` is the Minimum(x, c) of a bounded ReLU, next to its rectifier."""
        data = self._parents.get(op.name)
        if op.type != "Minimum" or data is None or op.name in self._composites:
            return False
        neighbours = [data.op, *op.outputs[0].consumers()]
        return any(near.type == "Relu" or self._is_rectifier(near) for near in neighbours)

    def _is_rectifier(self, op: tf.Operation) -> bool:
        """Return whether `op` is Maximum(x, 0) or ClipByValue(x, 0, c), where x may be negative."""
        if op.type not in ("Maximum", *CLIPS):
            return False
        bounds = [tensor for tensor in list(op.inputs)[:2] if tensor.op.name not in self._path]
        data = self.data(op)
        return len(bounds) == len(data) == 1 and _is_zero(bounds[0]) and data[0].op.name not in self._rectified

    def _add(self, op: tf.Operation) -> None:
        composite = self._as_composite(op)
        if composite is not None:
            self._composites[op.name] = composite
        data = self.data(op)
        if op.type in _ONE_INPUT or (op.type in _WITH_CONSTANT and len(data) == 1):
            self._parents[op.name] = op.inputs[0] if op.type in _ONE_INPUT else data[0]
        elif composite is not None:
            self._parents[op.name] = composite.leaf
        passed = op.type in ("Minimum", "Identity") and op.name in self._parents
        if op.type in ("Relu", "Relu6") or (passed and self._parents[op.name].op.name in self._rectified):
            self._rectified.add(op.name)  # Keras clips after a ReLU

    def _as_composite(self, op: tf.Operation) -> Optional[CompositeActivation]:
        if op.type not in JOINS or len(self.data(op)) < 2:
            return None
        lines = [self._line(tensor) for tensor in op.inputs]
        names = {tensor.name for tensor in lines[1]}
        shared = [tensor for tensor in lines[0] if tensor.name in names]
        if not shared:
            return None
        leaf = shared[0]
        branches = [_before(line, leaf) for line in lines]
        parts = {tensor.op.name: tensor.op for branch in branches for tensor in branch}
        if not {op.type, *(part.type for part in parts.values())} & set(_BENT):
            return None
        # of a difference, the first input, because it keeps its sign
        short = op.inputs[0] if op.type == "Sub" else min(zip(branches, op.inputs), key=lambda pair: len(pair[0]))[1]
        inner = [self._composites[name].parts for name in parts if name in self._composites]
        return CompositeActivation(leaf, short, frozenset(parts).union(*inner))

    def _line(self, tensor: tf.Tensor) -> List[tf.Tensor]:
        """Return the tensor and the tensors that it is an elementwise function of, latest first."""
        line = [tensor]
        while len(line) < _STEPS and line[-1].op.name in self._parents:
            line.append(self._parents[line[-1].op.name])
        return line


def _before(line: List[tf.Tensor], leaf: tf.Tensor) -> List[tf.Tensor]:
    return line[: [tensor.name for tensor in line].index(leaf.name)]


def _is_zero(tensor: tf.Tensor) -> bool:
    value = static_value(tensor)
    return value is not None and not value.any()
