"""Softmax, log-softmax, log-sigmoid, sigmoid cross-entropy and hinge loss written out with several ops."""

from __future__ import annotations

from typing import List, Optional, Sequence

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import FORWARDING, RESHAPING, SUMS
from gradcam_tf1.tf_runtime import tf

_QUOTIENTS = ("RealDiv", "Div")
_PLAIN = FORWARDING | RESHAPING
_SEARCHED = 12  # most ops of a written-out log(sum(exp(x)))


def over_classes(index: GraphIndex, name: str, axes: Optional[Sequence[int]]) -> bool:
    """Return whether a softmax of a tensor over these axes runs over classes, not positions; True if unknown."""
    dims, state = index.dims(name), index.axes.get(name)
    if dims is None or axes is None:
        return True
    summed = {axis % len(dims) for axis in axes}
    summed = {axis for axis in summed if dims[axis] != 1}
    if len(summed) > 1:
        return False
    return not summed or state is None or state.channels is None or bool(summed & state.channels)


def written_softmax(index: GraphIndex, op: tf.Operation) -> Optional[str]:
    """Return x if the op is exp(x - max) / sum(exp(x - max)) over the classes, else None."""
    if op.type not in _QUOTIENTS or len(index.inputs[op.name]) != 2:
        return None
    above, below = index.inputs[op.name]
    exp, total = index.maker[above], _plain(index, below)
    if exp.type != "Exp" or total.type != "Sum" or index.inputs[total.name][0] != above:
        return None
    scores = _unshifted(index, index.inputs[exp.name][0])
    return scores if over_classes(index, above, _axes(index, total)) else None


def written_log_softmax(index: GraphIndex, op: tf.Operation) -> Optional[str]:
    """Return x if the op is x - log(sum(exp(x))), also with `reduce_logsumexp`, else None."""
    if op.type != "Sub" or len(index.inputs[op.name]) != 2:
        return None
    scores, norm = index.inputs[op.name]
    names: List[str] = [norm]
    for _ in range(_SEARCHED):
        if not names:
            return None
        inside = index.maker[names.pop()]
        if inside.type == "Log" and _sums_powers(index, inside, scores):
            return _unshifted(index, scores)
        if inside.type in SUMS | _PLAIN:
            names += [name for name in index.inputs[inside.name] if index.is_float(name)]
    return None


def _sums_powers(index: GraphIndex, log: tf.Operation, scores: str) -> bool:
    total = _plain(index, index.inputs[log.name][0])
    exp = index.maker[index.inputs[total.name][0]] if total.type == "Sum" else total
    if exp.type != "Exp":
        return False
    inside = index.inputs[exp.name][0]
    return scores in (inside, _unshifted(index, inside)) and over_classes(index, scores, _axes(index, total))


def _unshifted(index: GraphIndex, name: str) -> str:
    """Return x for x - max(x); any other tensor is returned as it is."""
    op = index.maker[name]
    if op.type != "Sub" or len(index.inputs[op.name]) != 2:
        return name
    scores, top = index.inputs[op.name]
    peak = index.maker[top]
    while peak.type in _PLAIN | {"StopGradient", "Select", "SelectV2"}:
        index.walk()
        peak = index.maker[index.inputs[peak.name][1 if peak.type.startswith("Select") else 0]]
    return scores if peak.type == "Max" and index.inputs[peak.name][0] == scores else name


def _plain(index: GraphIndex, name: str) -> tf.Operation:
    op = index.maker[name]
    while op.type in _PLAIN:
        index.walk()
        op = index.maker[index.inputs[op.name][0]]
    return op


def _axes(index: GraphIndex, reduction: tf.Operation) -> Optional[List[int]]:
    axes = index.constant(index.inputs[reduction.name][1])
    return None if axes is None else [int(axis) for axis in axes.reshape(-1)]


def log_sigmoid(index: GraphIndex, op: tf.Operation) -> Optional[str]:
    """Return x if the op is -softplus(-x), else None."""
    if op.type != "Neg":
        return None
    inside = index.maker[index.inputs[op.name][0]]
    negative = index.maker[index.inputs[inside.name][0]] if inside.type == "Softplus" else None
    return index.inputs[negative.name][0] if negative is not None and negative.type == "Neg" else None


def sigmoid_cross_entropy(index: GraphIndex, op: tf.Operation) -> str:
    """Return x if the op is log(1 + exp(-|x|)), as in TensorFlow's sigmoid cross-entropy, else ""."""
    if op.type != "Log1p" or index.maker[index.inputs[op.name][0]].type != "Exp":
        return ""
    inside = index.maker[index.inputs[index.maker[index.inputs[op.name][0]].name][0]]
    if inside.type == "Neg" and index.maker[index.inputs[inside.name][0]].type == "Abs":
        return index.inputs[index.maker[index.inputs[inside.name][0]].name][0]
    if inside.type not in ("Select", "SelectV2"):
        return ""
    negative, positive = index.inputs[inside.name][1:]
    return positive if index.inputs[index.maker[negative].name] == (positive,) else ""


def hinge(index: GraphIndex, op: tf.Operation) -> List[str]:
    """Return the factors y, x if the op is relu(1 - y x): labels and scores in either order; else an empty list."""
    if op.type == "Relu":
        inside = index.inputs[op.name][0]
    elif op.type == "Maximum":
        inside = next((name for name in index.inputs[op.name] if index.maker[name].type == "Sub"), "")
    else:
        return []
    if not inside or index.maker[inside].type != "Sub":
        return []
    product = index.maker[index.inputs[index.maker[inside].name][1]]
    return list(index.inputs[product.name]) if product.type == "Mul" else []
