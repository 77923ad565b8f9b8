"""Softmax, log-softmax, sigmoid cross-entropy and hinge loss where a graph spells them with several ops."""

from __future__ import annotations

from typing import List, Optional, Sequence

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import FORWARDING, RESHAPING, SUMS

_QUOTIENTS = ("RealDiv", "Div")
_PLAIN = FORWARDING | RESHAPING
_SEARCHED = 12  # ops that log(sum(exp(x))) is written with at the most


def over_classes(walk: GraphIndex, name: str, axes: Optional[Sequence[int]]) -> bool:
    """Whether a softmax of a tensor over these axes goes over its classes and not over positions, if it is known."""
    dims, state = walk.dims(name), walk.axes.get(name)
    if dims is None or axes is None:
        return True
    wanted = {axis % len(dims) for axis in axes}
    wanted = {axis for axis in wanted if dims[axis] != 1}
    if len(wanted) > 1:
        return False
    return not wanted or state is None or state.channels is None or bool(wanted & state.channels)


def written_softmax(walk: GraphIndex, op: Op) -> Optional[str]:
    """x, where the op is exp(x - max) / sum(exp(x - max)) over the classes."""
    if op.type not in _QUOTIENTS or len(walk.inputs[op.name]) != 2:
        return None
    above, below = walk.inputs[op.name]
    exp, total = walk.maker[above], _plain(walk, below)
    if exp.type != "Exp" or total.type != "Sum" or walk.inputs[total.name][0] != above:
        return None
    scores = _unshifted(walk, walk.inputs[exp.name][0])
    return scores if over_classes(walk, above, _axes(walk, total)) else None


def written_log_softmax(walk: GraphIndex, op: Op) -> Optional[str]:
    """x, where the op is x - log(sum(exp(x))), as `reduce_logsumexp` has it too."""
    if op.type != "Sub" or len(walk.inputs[op.name]) != 2:
        return None
    scores, norm = walk.inputs[op.name]
    names: List[str] = [norm]
    for _ in range(_SEARCHED):
        if not names:
            return None
        inside = walk.maker[names.pop()]
        if inside.type == "Log" and _sums_powers(walk, inside, scores):
            return _unshifted(walk, scores)
        if inside.type in SUMS | _PLAIN:
            names += [name for name in walk.inputs[inside.name] if walk.is_float(name)]
    return None


def _sums_powers(walk: GraphIndex, log: Op, scores: str) -> bool:
    total = _plain(walk, walk.inputs[log.name][0])
    exp = walk.maker[walk.inputs[total.name][0]] if total.type == "Sum" else total
    if exp.type != "Exp":
        return False
    inside = walk.inputs[exp.name][0]
    return scores in (inside, _unshifted(walk, inside)) and over_classes(walk, scores, _axes(walk, total))


def _unshifted(walk: GraphIndex, name: str) -> str:
    """Of x - max(x) the x."""
    op = walk.maker[name]
    if op.type != "Sub" or len(walk.inputs[op.name]) != 2:
        return name
    scores, top = walk.inputs[op.name]
    peak = walk.maker[top]
    while peak.type in _PLAIN | {"StopGradient", "Select", "SelectV2"}:
        peak = walk.maker[walk.inputs[peak.name][1 if peak.type.startswith("Select") else 0]]
    return scores if peak.type == "Max" and walk.inputs[peak.name][0] == scores else name


def _plain(walk: GraphIndex, name: str) -> Op:
    op = walk.maker[name]
    while op.type in _PLAIN:
        op = walk.maker[walk.inputs[op.name][0]]
    return op


def _axes(walk: GraphIndex, reduction: Op) -> Optional[List[int]]:
    axes = walk.constant(walk.inputs[reduction.name][1])
    return None if axes is None else [int(axis) for axis in axes.reshape(-1)]


def log_sigmoid(walk: GraphIndex, op: Op) -> Optional[str]:
    """Of -softplus(-x) the x."""
    if op.type != "Neg":
        return None
    inside = walk.maker[walk.inputs[op.name][0]]
    negative = walk.maker[walk.inputs[inside.name][0]] if inside.type == "Softplus" else None
    return walk.inputs[negative.name][0] if negative is not None and negative.type == "Neg" else None


def sigmoid_cross_entropy(walk: GraphIndex, op: Op) -> str:
    """X of log(1 + exp(-|x|)), which is how TensorFlow spells the sigmoid cross-entropy; "" elsewhere."""
    if op.type != "Log1p" or walk.maker[walk.inputs[op.name][0]].type != "Exp":
        return ""
    inside = walk.maker[walk.inputs[walk.maker[walk.inputs[op.name][0]].name][0]]
    if inside.type == "Neg" and walk.maker[walk.inputs[inside.name][0]].type == "Abs":
        return walk.inputs[walk.maker[walk.inputs[inside.name][0]].name][0]
    if inside.type not in ("Select", "SelectV2"):
        return ""
    negative, positive = walk.inputs[inside.name][1:]
    return positive if walk.inputs[walk.maker[negative].name] == (positive,) else ""


def hinge(walk: GraphIndex, op: Op) -> List[str]:
    """The factors of relu(1 - y x): labels and scores in either order."""
    if op.type == "Relu":
        inside = walk.inputs[op.name][0]
    elif op.type == "Maximum":
        inside = next((name for name in walk.inputs[op.name] if walk.maker[name].type == "Sub"), "")
    else:
        return []
    if not inside or walk.maker[inside].type != "Sub":
        return []
    product = walk.maker[walk.inputs[walk.maker[inside].name][1]]
    return list(walk.inputs[product.name]) if product.type == "Mul" else []
