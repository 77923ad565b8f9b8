"""Which ops of a net are activations, those included that a net spells out in several ops.

LeakyReLU is also written Maximum(a x, x), Relu(x) - a Relu(-x) or b x + c |x|; PReLU Relu(x) + a (x - |x|) / 2; a
bounded ReLU Maximum(Minimum(x, 6), 0). Their last op is then the activation, and the Relus and maxima inside are only
parts of it. Maximum and Add are also used for other things: they count only where both inputs are made from one
tensor, value by value, and not by a straight line, or, for a maximum, where the other input is the constant 0.

An activation whose output is a factor of something else is a gate, see `gates.py`: no rule applies to it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set

from gradcam_tf1.gradients.gates import find_gates
from gradcam_tf1.gradients.graph_walk import ops_after, ops_between
from gradcam_tf1.tf_runtime import tf

ALONE = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus")
JOINS = ("Maximum", "Minimum", "Add", "AddV2", "Sub")
CLIPS = ("ClipByValue",)
# what can be seen of activations that no rule is for: Swish is x Sigmoid(x), GELU x Erf(x) or x Tanh(...)
OTHERS = ("Sigmoid", "Tanh", "Erf", "Softsign")
# value by value, with one input that depends on the images
_ONE_INPUT = ("Identity", "Neg", "Abs", "Relu", "Relu6")
_WITH_CONSTANT = ("Mul", "RealDiv", "Div", "Maximum", "Minimum", "ClipByValue")
_BENT = ("Abs", "Relu", "Relu6", "Maximum", "Minimum", "ClipByValue")

# longer spellings of an activation are not known
_STEPS = 8


class Composite(NamedTuple):
    """An activation spelt out. leaf: what it is a function of. short: the input of its last op nearest to the leaf."""

    leaf: tf.Tensor
    short: tf.Tensor
    parts: FrozenSet[str]


class Activations:
    """The activations among some ops, found once, in time linear in these.

    way: the ops of one graph that depend on the images, in its order. counts: how often each op type of ALONE and
    OTHERS is there.
    """

    def __init__(self, way: Sequence[tf.Operation]) -> None:
        self._graph = way[0].graph if way else None
        self._inner: Dict[Any, Activations] = {}
        self.counts = dict(Counter(op.type for op in way if op.type in ALONE + OTHERS))
        self._way = {op.name for op in way}
        self._composites: Dict[str, Composite] = {}
        self._parents: Dict[str, tf.Tensor] = {}
        self._rectified: Set[str] = set()
        for op in way:  # what an op is made of comes before it
            self._look_at(op)
        self._parts = frozenset().union(*(each.parts for each in self._composites.values()))
        self._gates = find_gates(way, self._composites)

    @classmethod
    def between(cls, outputs: Sequence[tf.Tensor], start: tf.Tensor) -> Activations:
        """Those on the ways from the images to some outputs."""
        return cls(ops_between(outputs, start))

    def of(self, op: tf.Operation) -> Activations:
        """Those of the graph that holds `op`: the net, or the body of a functional loop or branch of it."""
        if self._graph is None or op.graph is self._graph:
            return self
        if op.graph not in self._inner:
            fed = [each for each in op.graph.get_operations() if each.type == "Placeholder"]
            after = ops_after(fed)
            self._inner[op.graph] = Activations([each for each in op.graph.get_operations() if each in after])
        return self._inner[op.graph]

    def is_activation(self, op: tf.Operation) -> bool:
        """Whether `op` is an activation, or the last op of one that is spelt out; parts of one look like it too."""
        return op.type in ALONE or self._is_rectifier(op) or op.name in self._composites

    def is_part(self, op: tf.Operation) -> bool:
        """Whether a later op makes one activation of this op and others."""
        return op.name in self._parts

    def is_gate(self, op: tf.Operation) -> bool:
        """Whether what `op` gives is a factor of something else."""
        return op.name in self._gates

    def composite(self, op: tf.Operation) -> Optional[Composite]:
        """The activation whose last op this is, where it is spelt out in several."""
        return self._composites.get(op.name)

    def data(self, op: tf.Operation) -> List[tf.Tensor]:
        """The inputs of `op` that depend on the images."""
        return [tensor for tensor in op.inputs if tensor.op.name in self._way]

    def is_cap(self, op: tf.Operation) -> bool:
        """Whether `op` is the Minimum(x, c) of a bounded ReLU: the rectifier comes right before or right after it."""
        data = self._parents.get(op.name)
        if op.type != "Minimum" or data is None or op.name in self._composites:
            return False
        neighbours = [data.op, *op.outputs[0].consumers()]
        return any(near.type == "Relu" or self._is_rectifier(near) for near in neighbours)

    def _is_rectifier(self, op: tf.Operation) -> bool:
        """Whether `op` is Maximum(x, 0) or ClipByValue(x, 0, c), where x may be negative."""
        if op.type not in ("Maximum", *CLIPS):
            return False
        bounds = [tensor for tensor in list(op.inputs)[:2] if tensor.op.name not in self._way]
        data = self.data(op)
        return len(bounds) == len(data) == 1 and _is_zero(bounds[0]) and data[0].op.name not in self._rectified

    def _look_at(self, op: tf.Operation) -> None:
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
            self._rectified.add(op.name)  # Keras clips what it has already rectified

    def _as_composite(self, op: tf.Operation) -> Optional[Composite]:
        if op.type not in JOINS or len(self.data(op)) < 2:
            return None
        lines = [self._line(tensor) for tensor in op.inputs]
        names = {tensor.name for tensor in lines[1]}
        shared = [tensor for tensor in lines[0] if tensor.name in names]
        if not shared:
            return None
        leaf = shared[0]
        ways = [_before(line, leaf) for line in lines]
        parts = {tensor.op.name: tensor.op for way in ways for tensor in way}
        if not {op.type, *(part.type for part in parts.values())} & set(_BENT):
            return None
        # of a difference the first input, which comes through with its sign
        short = op.inputs[0] if op.type == "Sub" else min(zip(ways, op.inputs), key=lambda pair: len(pair[0]))[1]
        inner = [self._composites[name].parts for name in parts if name in self._composites]
        return Composite(leaf, short, frozenset(parts).union(*inner))

    def _line(self, tensor: tf.Tensor) -> List[tf.Tensor]:
        """The tensor and what it is made from, value by value, latest first."""
        line = [tensor]
        while len(line) < _STEPS and line[-1].op.name in self._parents:
            line.append(self._parents[line[-1].op.name])
        return line


def _before(line: List[tf.Tensor], leaf: tf.Tensor) -> List[tf.Tensor]:
    return line[: [tensor.name for tensor in line].index(leaf.name)]


def _is_zero(tensor: tf.Tensor) -> bool:
    value = tf.get_static_value(tensor)
    return value is not None and not value.any()
