"""Which ops of a net are activations, those included that a net spells out in several ops.

LeakyReLU is also written Maximum(a x, x), Relu(x) - a Relu(-x) or b x + c |x|; PReLU Relu(x) + a (x - |x|) / 2; a
bounded ReLU Maximum(Minimum(x, 6), 0). Their last op is then the activation, and the Relus and maxima inside are only
parts of it. Maximum and Add are also used for other things: they count only where both inputs are made from one
tensor, value by value, and not by a straight line, or, for a maximum, where the other input is the constant 0.
"""

from __future__ import annotations

from collections import Counter
from typing import Dict, FrozenSet, List, NamedTuple, Optional

from gradcam_tf1.gradients.graph_walk import ops_between
from gradcam_tf1.tf_runtime import tf

ALONE = ("Relu", "Relu6", "LeakyRelu", "Elu", "Selu", "Softplus")
JOINS = ("Maximum", "Minimum", "Add", "AddV2", "Sub")
CLIPS = ("ClipByValue",)
# what can be seen of activations that no rule is for: Swish is x Sigmoid(x), GELU x Erf(x) or x Tanh(...)
OTHERS = ("Sigmoid", "Tanh", "Erf", "Softsign")

WEIGHTS = ("Const", "ReadVariableOp")  # large ones are in variables, see weights.py

# value by value, with one input that is no constant
_ONE_INPUT = ("Identity", "Neg", "Abs", "Relu", "Relu6")
_WITH_CONSTANT = ("Mul", "RealDiv", "Div", "Maximum", "Minimum", "ClipByValue")
_BENT = ("Abs", "Relu", "Relu6", "Maximum", "Minimum", "ClipByValue")

# longer spellings of an activation are not known, and the walk must end
_STEPS = 8


class Composite(NamedTuple):
    """An activation spelt out. leaf: what it is a function of. short: the input of its last op nearest to the leaf."""

    leaf: tf.Tensor
    short: tf.Tensor
    parts: FrozenSet[str]


def is_activation(op: tf.Operation) -> bool:
    """Whether `op` is an activation, or the last op of one that is spelt out; parts of one look like it too."""
    return op.type in ALONE or data_of_rectifier(op) is not None or find_composite(op) is not None


def is_part(op: tf.Operation) -> bool:
    """Whether a later op makes one activation of this op and others."""
    level = [op]
    for _ in range(_STEPS):
        level = [consumer for each in level for consumer in each.outputs[0].consumers()]
        composites = {consumer: find_composite(consumer) for consumer in level}
        if any(composite is not None and op.name in composite.parts for composite in composites.values()):
            return True
        level = [consumer for consumer in composites if _parent(consumer) is not None]
    return False


def data_of_rectifier(op: tf.Operation) -> Optional[tf.Tensor]:
    """The x of Maximum(x, 0) and ClipByValue(x, 0, c), where x may be negative; None for other ops."""
    if op.type not in ("Maximum", *CLIPS):
        return None
    bounds = [tensor for tensor in list(op.inputs)[:2] if is_constant(tensor)]
    data = [tensor for tensor in list(op.inputs)[:2] if not is_constant(tensor)]
    is_zero = len(bounds) == 1 and _is_zero(bounds[0])
    return data[0] if is_zero and data and not _is_rectified(data[0]) else None


def is_cap(op: tf.Operation) -> bool:
    """Whether `op` is the Minimum(x, c) of a bounded ReLU: the rectifier comes right before or right after it."""
    data = _parent(op)
    if op.type != "Minimum" or data is None or find_composite(op) is not None:
        return False
    neighbours = [data.op, *op.outputs[0].consumers()]
    return any(near.type == "Relu" or data_of_rectifier(near) is not None for near in neighbours)


def find_composite(op: tf.Operation) -> Optional[Composite]:
    """The activation whose last op this is, where it is spelt out in several."""
    if op.type not in JOINS or any(is_constant(tensor) for tensor in op.inputs):
        return None
    lines = [_line(tensor) for tensor in op.inputs]
    shared = [tensor for tensor in lines[0] if tensor.name in {other.name for other in lines[1]}]
    if not shared:
        return None
    leaf = shared[0]
    ways = [_before(line, leaf) for line in lines]
    parts = {tensor.op for way in ways for tensor in way}
    if not {op.type, *(part.type for part in parts)} & set(_BENT):
        return None
    # of a difference the first input, which comes through with its sign
    short = op.inputs[0] if op.type == "Sub" else min(zip(ways, op.inputs), key=lambda pair: len(pair[0]))[1]
    inner = [composite.parts for composite in map(find_composite, parts) if composite is not None]
    return Composite(leaf, short, frozenset(part.name for part in parts).union(*inner))


def activations_between(score: tf.Tensor, start: tf.Tensor) -> Dict[str, int]:
    """How often each op type of ALONE and OTHERS stands on the way from `start` to `score`."""
    return dict(Counter(op.type for op in ops_between(score, start) if op.type in ALONE + OTHERS))


def _line(tensor: tf.Tensor) -> List[tf.Tensor]:
    """The tensor and what it is made from, value by value, latest first."""
    line = [tensor]
    while len(line) < _STEPS:
        parent = _parent(line[-1].op)
        if parent is None:
            break
        line.append(parent)
    return line


def _before(line: List[tf.Tensor], leaf: tf.Tensor) -> List[tf.Tensor]:
    return line[: [tensor.name for tensor in line].index(leaf.name)]


def _parent(op: tf.Operation) -> Optional[tf.Tensor]:
    """The one tensor that `op` maps value by value; None for other ops."""
    if op.type in _ONE_INPUT:
        return op.inputs[0]
    if op.type in _WITH_CONSTANT:
        data = [tensor for tensor in op.inputs if not is_constant(tensor)]
        if len(data) == 1:
            return data[0]
    composite = find_composite(op)
    return None if composite is None else composite.leaf


def is_constant(tensor: tf.Tensor, steps: int = _STEPS) -> bool:
    """Whether nothing that is fed goes into the tensor."""
    op = tensor.op
    if op.type in WEIGHTS or not op.inputs or steps == 0 or op.type.startswith("Placeholder"):
        return op.type in WEIGHTS
    return all(is_constant(part, steps - 1) for part in op.inputs)


def _is_rectified(tensor: tf.Tensor) -> bool:
    """Whether a ReLU has been here: Keras clips what it has already rectified."""
    while tensor.op.type in ("Minimum", "Identity") and _parent(tensor.op) is not None:
        tensor = _parent(tensor.op)
    return tensor.op.type in ("Relu", "Relu6")


def _is_zero(tensor: tf.Tensor) -> bool:
    value = tf.get_static_value(tensor)
    return value is not None and not value.any()
