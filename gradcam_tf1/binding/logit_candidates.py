"""Candidates for the class scores: what softmax, sigmoid, losses and decisions are taken of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.combined import first_of_most_classes, intermediate
from gradcam_tf1.binding.detector_heads import Detector, Scales, find_detectors
from gradcam_tf1.binding.graph_index import GraphIndex, Op, only_recorded
from gradcam_tf1.binding.op_kinds import (
    CONCATS,
    CROSS_ENTROPIES,
    CTC_OPS,
    DECISIONS,
    PIPELINE_ENDS,
    PLACEHOLDERS,
    WEIGHTED,
    is_training_op,
)
from gradcam_tf1.binding.pre_softmax import (
    Activated,
    activation_at,
    activation_before,
    before_activation,
    data_input,
    decided_by,
    of_logarithm,
)
from gradcam_tf1.binding.probabilities import same_classes, shown_with
from gradcam_tf1.binding.score_axes import ranks_positions
from gradcam_tf1.binding.spelled_out import hinge, sigmoid_cross_entropy

# how strongly a way of being used says "these are class scores"
JOINED, SOFTMAX, SIGMOID, LOSS, DECISION, OUTPUT = 6, 5, 4, 5, 3, 1
_MOST_OUTPUTS, _SAID = 40, 4


@dataclass(frozen=True)
class Head:
    """A tensor of class scores. probabilities: its softmax or sigmoid. why, warning: what speaks for and against it.

    detectors: the scales it consists of. others: further outputs of the model that can be asked for, by name.
    """

    scores: str
    why: str
    strength: int = 0
    probabilities: Optional[str] = None
    declared: bool = False
    warning: str = ""
    detectors: Tuple[Detector, ...] = ()
    others: Tuple[str, ...] = ()


class Heads:
    """The candidates among the tensors that images reach."""

    def __init__(self, walk: GraphIndex, reached: Set[str]) -> None:
        self.walk, self.reached = walk, reached
        self.inner = _before_layers(walk)
        labels = walk.downstream(_label_sources(walk, self.inner))
        readers = [op for op in walk.makers(reached) if op.type in CTC_OPS]
        decoded = walk.downstream([out for op in readers for out in walk.outputs[op.name]])
        self.labels = labels
        self.net = {name for name in reached if name not in labels and name not in decoded}
        self._parts: Dict[str, Head] = {}
        self.detectors = [self._of_scales(scales) for scales in find_detectors(walk, self.net - self.inner)]
        self._recorded = only_recorded(walk)
        self._intermediate = intermediate(walk, self.net, self._is_end_of_all)
        self._combined = {head.scores: head for head in self._of_several()}

    def _of_scales(self, scales: Scales) -> Head:
        first, several = scales.detectors[0], len(scales.detectors) > 1
        objectness = f"'{first.objectness}'" if first.objectness else f"column {first.first - 1}"
        columns = "the class columns" if not first.first else f"its columns from {first.first} on are the classes"
        why = f"{columns} of a detector; {objectness} is its objectness"
        head = Head(
            scales.tensor,
            f"it joins {len(scales.detectors)} scales: {why}" if several else why,
            JOINED,
            scales.tensor if several else first.output,
            detectors=scales.detectors,
        )
        ends = [scales.tensor] if several else []
        for detector in scales.detectors:
            ends.append(detector.output)
            self._parts.update(dict.fromkeys(detector.columns, head))
        for name in self.walk.downstream(ends) - self.inner:
            self._parts.setdefault(name, head)
        return head

    # what the file declares

    def declared(self, names: Sequence[str]) -> List[Head]:
        """The class scores behind the outputs that the file declares."""
        heads = [replace(head, declared=True) for head in self.named(names).values()]
        strongest = max([head.strength for head in heads] or [0])
        return [head for head in heads if head.strength == strongest]

    def named(self, names: Sequence[str]) -> Dict[str, Head]:
        """Output by output, the class scores behind it; those that no image reaches are left out."""
        return {name: self._behind(name) for name in names if name in self.reached}

    def _behind(self, name: str) -> Head:
        part = self._parts.get(name)
        head = _head_of_output(self.walk, name, "the file declares") if part is None else part
        return self._combined.get(head.scores, head)

    # what the graph shows

    def found(self) -> List[Head]:
        """All tensors used as class scores, or put out."""
        heads: List[Head] = []
        for op in self.walk.makers(self.reached):
            if not is_training_op(op.name, op.type):
                heads += [head for head in self._at(op) if head.scores not in self._parts]
        heads += _joined(self.walk, [head for head in heads if head.probabilities], self.net)
        return heads + self.detectors + list(self._combined.values()) + self._outputs()

    def _at(self, op: Op) -> List[Head]:
        """Scores that this op turns into probabilities, a loss or a decision."""
        walk = self.walk
        found = activation_at(walk, op)
        if found is not None and found.output in self._intermediate:
            return []
        if found is not None and self._is_end(found.output) and not _is_gate(walk, found, self.net):
            scores = before_activation(walk, found.scores)
            why = f"{found.kind} '{op.name}' is taken of it"
            return [Head(scores, why, SOFTMAX if found.kind == "softmax" else SIGMOID, shown_with(walk, found, scores))]
        loss = self._loss(op)
        if loss:
            return [loss]
        first = data_input(walk, op, walk.outputs[op.name][0]) if _decides(walk, op) else ""
        if self._is_end(first) and activation_before(walk, first) is None:
            return [Head(before_activation(walk, first), f"{op.type} '{op.name}' decides by it", DECISION)]
        return []

    def _is_end(self, name: str) -> bool:
        return name in self.net and name not in self.inner

    def _loss(self, op: Op) -> Optional[Head]:
        """The scores that a loss is taken of, also through a softmax of their own."""
        walk = self.walk
        said, scores = "", ""
        if op.type in CROSS_ENTROPIES | CTC_OPS:
            said, scores = f"{'CTC' if op.type in CTC_OPS else 'cross-entropy'} '{op.name}'", walk.inputs[op.name][0]
        elif sigmoid_cross_entropy(walk, op):
            said, scores = f"sigmoid cross-entropy '{op.name}'", sigmoid_cross_entropy(walk, op)
        else:
            factors = hinge(walk, op)
            scores = next((name for name in factors if name in self.net), "")
            said = f"hinge loss '{op.name}'" if self.labels.intersection(factors) else ""
        if not said or scores not in self.net:
            return None
        found = activation_before(walk, scores)
        scores = before_activation(walk, scores if found is None else found.scores)
        shown = None if found is None else shown_with(walk, found, scores)
        return Head(scores, f"{said} is taken of it", LOSS, shown)

    def _of_several(self) -> List[Head]:
        """What is put out, or decided by, and is combined or pooled of softmaxes and sigmoids."""
        walk = self.walk
        activated = [activation_at(walk, walk.maker[name]) for name in sorted(self._intermediate) if self._is_end(name)]
        used = [each for each in activated if each is not None and not _is_gate(walk, each, self.net)]
        made, kinds = [each.output for each in used], sorted({each.kind for each in used})
        if not made:
            return []
        decisions = [op for op in walk.makers(self.net) if _decides(walk, op)]
        decided = [data_input(walk, op, walk.outputs[op.name][0]) for op in decisions]
        ends = [name for name in walk.downstream(made) if self._is_end_of_all(name)]
        ends += [name for name in walk.downstream(made).intersection(decided) if self._is_end(name)]
        names = {of_logarithm(walk, name) for name in ends if activation_before(walk, name) is None}
        names = {before_activation(walk, name) for name in names}
        listed = ", ".join(f"'{name}'" for name in made[:_SAID])
        why = f"it is combined or pooled of the {' and '.join(kinds)} {listed}, so that it is the score itself"
        strength = SOFTMAX if "softmax" in kinds else SIGMOID
        return [Head(name, why, strength) for name in first_of_most_classes(walk, names)]

    def _is_output(self, name: str) -> bool:
        """Whether the graph puts a tensor out without any further use: a vector or map of floats."""
        return name not in self._recorded and self._is_last(name)

    def _is_last(self, name: str) -> bool:
        kept = self._is_end(name) and name not in self._parts
        return kept and _can_be_scores(self.walk, name) and self._unused(name)

    def _is_end_of_all(self, name: str) -> bool:
        """Whether a tensor is an output, or what a loss is written with, or what gradients are taken of."""
        if name not in self._recorded:
            return self._is_last(name)
        users = [op for op, _ in self.walk.users[name]]
        used = any(
            is_training_op(op.name, "") or not self.labels.isdisjoint(self.walk.outputs[op.name]) for op in users
        )
        return used and self._is_last(name)

    def _outputs(self) -> List[Head]:
        """What the graph puts out without any further use: vectors or maps of floats that depend on the images."""
        walk = self.walk
        heads: List[Head] = []
        names = [name for name in self.net if self._is_output(name)]
        for name in sorted(names, key=lambda name: walk.position[walk.maker[name].name], reverse=True):
            if len(heads) == _MOST_OUTPUTS:
                break
            if activation_before(walk, name) is None:
                heads.append(_plain_output(walk, name))
        return heads

    def _unused(self, name: str) -> bool:
        walk = self.walk
        users = [op for op, index in walk.users[name] if walk.flows(op, index) and not is_training_op(op.name, op.type)]
        return all(_decides(walk, op) or not any(out in self.net for out in walk.outputs[op.name]) for op in users)


def _decides(walk: GraphIndex, op: Op) -> bool:
    """Whether the op decides between the classes."""
    return op.type in DECISIONS and not ranks_positions(walk, op)


def _plain_output(walk: GraphIndex, name: str) -> Head:
    op = walk.maker[name]
    if op.type == "Softmax":
        scores = before_activation(walk, walk.inputs[op.name][0])
        return Head(scores, f"softmax '{op.name}' over positions, an output of the graph, is taken of it", OUTPUT)
    return Head(before_activation(walk, name), "it is an output of the graph", OUTPUT)


def _can_be_scores(walk: GraphIndex, name: str) -> bool:
    rank, dims, op = walk.rank(name), walk.dims(name), walk.maker[name]
    if not walk.is_float(name) or rank == 0 or op.type == "Switch":
        return False
    if op.type == "IdentityN" and any(walk.users[out] for out in walk.outputs[op.name]):  # a custom gradient's input
        return False
    # statistics over the images, not scores of images
    return not (rank == 1 and dims and dims[0] not in (None, 1))


def _head_of_output(walk: GraphIndex, name: str, said: str) -> Head:
    found = activation_before(walk, name, decisions=True)
    if found is not None:
        scores = before_activation(walk, found.scores)
        strength = SOFTMAX if found.kind == "softmax" else SIGMOID
        shown = name if walk.is_float(name) and not found.log and same_classes(walk, name, scores) else None
        return Head(scores, f"{said} '{name}', whose {found.kind} is taken of it", strength, shown)
    name = decided_by(walk, name)
    return Head(before_activation(walk, name) if name not in walk.dead else name, f"{said} '{name}'", OUTPUT)


def _is_gate(walk: GraphIndex, found: Activated, net: Set[str]) -> bool:
    """Whether a sigmoid or softmax weighs what it was made from (swish, squeeze-and-excitation, attention)."""
    others = {i for op, _ in walk.users[found.output] if op.type == "Mul" for i in walk.inputs[op.name]}
    others = {i for i in others if i in net and i != found.output}
    return bool(others and others & walk.upstream([found.scores]))


def _joined(walk: GraphIndex, heads: Sequence[Head], net: Set[str]) -> List[Head]:
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
            joined.append(Head(out, f"it joins {len(parts)} sets of class scores", JOINED, out, warning=(
                f"the scores '{out}' are joined after their activation, so no tensor holds all of them before it; "
                "gradients are those of the activated scores")))  # fmt: skip
    return joined


def _before_layers(walk: GraphIndex) -> Set[str]:
    """All tensors that go on into a layer with weights."""
    layers = [op for op in walk.ops if op.type in WEIGHTED and not is_training_op(op.name, op.type)]
    return walk.upstream([i for op in layers for i in walk.inputs[op.name]])


def _label_sources(walk: GraphIndex, inner: Set[str]) -> List[str]:
    """What is fed or piped in beside the images and meets no layer: labels, sample weights."""
    ends = [op for op in walk.ops if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)]
    names = [name for op in ends for name in walk.outputs[op.name]]
    return [n for n in names if n not in inner and not walk.tensors[n].dtype.is_bool and walk.rank(n) != 0]
