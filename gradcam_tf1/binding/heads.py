"""Candidates for the class scores: what softmax, sigmoid, losses and decisions are taken of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Set

from gradcam_tf1.binding.kinds import (
    CONCATS,
    CROSS_ENTROPIES,
    DECISIONS,
    FORWARDING,
    PIPELINE_ENDS,
    PLACEHOLDERS,
    RESHAPING,
    WEIGHTED,
    is_training_op,
)
from gradcam_tf1.binding.scores import Activated, activation_at, activation_before, before_activation
from gradcam_tf1.binding.walk import Op, Walk

# how strongly a way of being used says "these are class scores"
SOFTMAX, SIGMOID, LOSS, DECISION, OUTPUT = 5, 4, 5, 3, 1
_MOST_OUTPUTS = 40


@dataclass(frozen=True)
class Head:
    """A tensor of class scores. probabilities: its softmax or sigmoid. why, warning: what speaks for and against it."""

    scores: str
    why: str
    strength: int = 0
    probabilities: Optional[str] = None
    declared: bool = False
    warning: str = ""


def declared_heads(walk: Walk, declared: Sequence[str], reached: Set[str]) -> List[Head]:
    """The class scores behind the outputs that the file declares."""
    heads = []
    for name in declared:
        if name in reached:
            head = _head_of_output(walk, name, "the file declares")
            heads.append(replace(head, declared=True))
    strongest = max([head.strength for head in heads] or [0])
    return [head for head in heads if head.strength == strongest]


def _head_of_output(walk: Walk, name: str, said: str) -> Head:
    found = activation_before(walk, name, decisions=True)
    if found is not None:
        scores = before_activation(walk, found.scores)
        strength = SOFTMAX if found.kind == "softmax" else SIGMOID
        shown = name if walk.is_float(name) and _same_classes(walk, name, scores) else None
        return Head(scores, f"{said} '{name}', whose {found.kind} is taken of it", strength, shown)
    op = walk.maker[name]
    while op.type in DECISIONS | FORWARDING | {"Cast"} and not walk.is_float(name):
        name = walk.inputs[op.name][0]
        op = walk.maker[name]
    return Head(before_activation(walk, name) if name not in walk.dead else name, f"{said} '{name}'", OUTPUT)


def _same_classes(walk: Walk, name: str, scores: str) -> bool:
    shape, other = walk.dims(name), walk.dims(scores)
    if shape is None or other is None:
        return True
    return shape[-1] is None or other[-1] is None or shape[-1] == other[-1]


def found_heads(walk: Walk, reached: Set[str]) -> List[Head]:
    """All tensors used as class scores, or put out, among those that pictures reach."""
    inner = _before_layers(walk)
    labels = walk.downstream(_label_sources(walk, inner))
    net = {name for name in reached if name not in labels}
    heads: List[Head] = []
    for op in walk.makers(reached):
        if not is_training_op(op.name, op.type):
            heads += _heads_at(walk, op, net, inner)
    heads += _joined(walk, [head for head in heads if head.probabilities], net)
    return heads + _outputs(walk, net, inner)


def _heads_at(walk: Walk, op: Op, net: Set[str], inner: Set[str]) -> List[Head]:
    """Scores that this op turns into probabilities, a loss or a decision."""
    found = activation_at(walk, op)
    if found is not None and found.output in net and found.output not in inner and not _is_gate(walk, found, net):
        scores = before_activation(walk, found.scores)
        why = f"{found.kind} '{op.name}' is taken of it"
        shown = shown_probabilities(walk, found.output) if _same_classes(walk, found.output, scores) else None
        shown = shown if walk.rank(found.output) != 1 or walk.rank(scores) == 1 else None
        return [Head(scores, why, SOFTMAX if found.kind == "softmax" else SIGMOID, shown)]
    if op.type in CROSS_ENTROPIES and walk.inputs[op.name][0] in net:
        scores = before_activation(walk, walk.inputs[op.name][0])
        return [Head(scores, f"cross-entropy '{op.name}' is taken of it", LOSS)]
    binary = _sigmoid_cross_entropy(walk, op)
    if binary in net:
        return [Head(binary, f"sigmoid cross-entropy '{op.name}' is taken of it", LOSS)]
    first = walk.inputs[op.name][0] if walk.inputs[op.name] else ""
    if op.type in DECISIONS and first in net and first not in inner and activation_before(walk, first) is None:
        return [Head(before_activation(walk, first), f"{op.type} '{op.name}' decides by it", DECISION)]
    return []


def _is_gate(walk: Walk, found: Activated, net: Set[str]) -> bool:
    """Whether a sigmoid or softmax weighs what it was made from (swish, squeeze-and-excitation, attention)."""
    others = {i for op, _ in walk.users[found.output] if op.type == "Mul" for i in walk.inputs[op.name]}
    others = {i for i in others if i in net and i != found.output}
    return bool(others and others & walk.upstream([found.scores]))


def shown_probabilities(walk: Walk, name: str) -> str:
    """The probabilities as the graph puts them out: those of rank 2 as they are, maps followed to their last form."""
    while walk.rank(name) not in (2, None):
        later = [
            out
            for op, index in walk.users[name]
            if index == 0 and op.type in RESHAPING | {"Identity", "StridedSlice", "ResizeBilinear"}
            for out in walk.flows(op, index)
            if walk.is_float(out)
        ]
        if len(later) != 1 or not _same_classes(walk, later[0], name):
            return name
        name = later[0]
    return name


def _sigmoid_cross_entropy(walk: Walk, op: Op) -> str:
    """X of log(1 + exp(-|x|)), which is how TensorFlow spells the sigmoid cross-entropy; "" elsewhere."""
    if op.type != "Log1p" or walk.maker[walk.inputs[op.name][0]].type != "Exp":
        return ""
    inside = walk.maker[walk.inputs[walk.maker[walk.inputs[op.name][0]].name][0]]
    if inside.type not in ("Select", "SelectV2"):
        return ""
    negative, positive = walk.inputs[inside.name][1:]
    return positive if walk.inputs[walk.maker[negative].name] == (positive,) else ""


def _joined(walk: Walk, heads: Sequence[Head], net: Set[str]) -> List[Head]:
    """Several sigmoids or softmaxes joined by one concat (scales of a detector): the joint tensor has all scores."""
    ends: Dict[str, List[Head]] = {}
    for head in heads:
        name = head.probabilities or ""
        for op, _ in walk.users[name]:
            if op.type in CONCATS:
                ends.setdefault(op.name, []).append(head)
    joined = []
    for op_name, parts in ends.items():
        out = walk.outputs[op_name][0]
        data = [i for i in walk.inputs[op_name] if walk.is_float(i)]
        if len(parts) > 1 and len(parts) == len(data) and out in net:
            joined.append(Head(out, f"it joins {len(parts)} sets of class scores", 6, out, warning=(
                f"the scores '{out}' are joined after their activation, so no tensor holds all of them before it; "
                "gradients are those of the activated scores")))  # fmt: skip
    return joined


def _outputs(walk: Walk, net: Set[str], inner: Set[str]) -> List[Head]:
    """What the graph puts out without any further use: vectors or maps of floats that depend on the pictures."""
    heads: List[Head] = []
    for name in sorted(net - inner, key=lambda name: walk.position[walk.maker[name].name], reverse=True):
        rank, dims, op = walk.rank(name), walk.dims(name), walk.maker[name]
        if not walk.is_float(name) or rank == 0 or op.type == "Switch" or len(heads) == _MOST_OUTPUTS:
            continue
        if op.type == "IdentityN" and any(
            walk.users[out] for out in walk.outputs[op.name]
        ):  # a custom gradient's input
            continue
        if rank == 1 and dims and dims[0] not in (None, 1):  # statistics over the pictures, not scores of pictures
            continue
        users = [op for op, index in walk.users[name] if walk.flows(op, index) and not is_training_op(op.name, op.type)]
        users = [op for op in users if any(out in net for out in walk.outputs[op.name])]
        if all(op.type in DECISIONS for op in users) and activation_before(walk, name) is None:
            heads.append(Head(before_activation(walk, name), "it is an output of the graph", OUTPUT))
    return heads


def _before_layers(walk: Walk) -> Set[str]:
    """All tensors that go on into a layer with weights."""
    layers = [op for op in walk.ops if op.type in WEIGHTED and not is_training_op(op.name, op.type)]
    return walk.upstream([i for op in layers for i in walk.inputs[op.name]])


def _label_sources(walk: Walk, inner: Set[str]) -> List[str]:
    """What is fed or piped in beside the pictures and meets no layer: labels, sample weights."""
    ends = [op for op in walk.ops if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)]
    names = [name for op in ends for name in walk.outputs[op.name]]
    return [n for n in names if n not in inner and not walk.tensors[n].dtype.is_bool and walk.rank(n) != 0]
