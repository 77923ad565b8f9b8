"""Candidates for the class scores: the inputs of softmax, sigmoid, losses and decisions, and outputs of the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Set

from gradcam_tf1.binding.combined import first_of_most_classes, intermediate
from gradcam_tf1.binding.detector_heads import Scales, find_detectors
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import (
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
    of_logarithm,
    shown_with,
)
from gradcam_tf1.binding.recorded_only import only_recorded
from gradcam_tf1.binding.score_axes import ranks_positions
from gradcam_tf1.binding.score_heads import (
    DECISION,
    JOINED,
    LOSS,
    SIGMOID,
    SOFTMAX,
    Head,
    head_of_output,
    joined_heads,
    plain_output,
)
from gradcam_tf1.binding.spelled_out import hinge, sigmoid_cross_entropy
from gradcam_tf1.tf_runtime import tf

_MOST_OUTPUTS, _LISTED = 40, 4


class Heads:
    """The candidates among the tensors that depend on the images.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    reached : set of str
        The tensors that depend on the images.

    Attributes
    ----------
    inner : set of str
        Tensors that a layer with weights follows.
    labels : set of str
        Tensors that depend on labels or sample weights.
    net : set of str
        The tensors of `reached` without labels and decoded sequences.
    detectors : list of Head
        The scores of detectors.
    """

    def __init__(self, index: GraphIndex, reached: Set[str]) -> None:
        self.index, self.reached = index, reached
        self.inner = _before_layers(index)
        labels = index.downstream(_label_sources(index, self.inner))
        readers = [op for op in index.makers(reached) if op.type in CTC_OPS]
        decoded = index.downstream([out for op in readers for out in index.outputs[op.name]])
        self.labels = labels
        self.net = {name for name in reached if name not in labels and name not in decoded}
        self._parts: Dict[str, Head] = {}
        self.detectors = [self._of_scales(scales) for scales in find_detectors(index, self.net - self.inner)]
        self._recorded = only_recorded(index)
        self._intermediate = intermediate(index, self.net, self._is_final)
        self._combined = {head.scores: head for head in self._of_several()}

    def _of_scales(self, scales: Scales) -> Head:
        first, several = scales.detectors[0], len(scales.detectors) > 1
        objectness = f"'{first.objectness}'" if first.objectness else f"column {first.first - 1}"
        columns = "the class columns" if not first.first else f"the class columns, from column {first.first} on,"
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
        for name in self.index.downstream(ends) - self.inner:
            self._parts.setdefault(name, head)
        return head

    # what the file declares

    def declared(self, names: Sequence[str]) -> List[Head]:
        """Return the class scores of the outputs that the file declares, those with the strongest evidence only."""
        heads = [replace(head, declared=True) for head in self.named(names).values()]
        strongest = max([head.strength for head in heads] or [0])
        return [head for head in heads if head.strength == strongest]

    def named(self, names: Sequence[str]) -> Dict[str, Head]:
        """Return the class scores of each output, by its name; outputs that do not depend on images are left out."""
        return {name: self._of_output(name) for name in names if name in self.reached}

    def _of_output(self, name: str) -> Head:
        part = self._parts.get(name)
        head = head_of_output(self.index, name, "the file declares") if part is None else part
        return self._combined.get(head.scores, head)

    # what the graph shows

    def candidates(self) -> List[Head]:
        """Return all tensors that are used as class scores, or are outputs."""
        heads: List[Head] = []
        for op in self.index.makers(self.reached):
            if not is_training_op(op.name, op.type):
                heads += [head for head in self._at(op) if head.scores not in self._parts]
        heads += joined_heads(self.index, [head for head in heads if head.probabilities], self.net)
        return heads + self.detectors + list(self._combined.values()) + self._outputs()

    def _at(self, op: tf.Operation) -> List[Head]:
        """Return the scores that an op turns into probabilities, a loss or a decision."""
        index = self.index
        activation = activation_at(index, op)
        if activation is not None and activation.output in self._intermediate:
            return []
        if activation is not None and self._is_end(activation.output) and not _is_gate(index, activation, self.net):
            scores = before_activation(index, activation.scores)
            why = f"it is the input of {activation.kind} '{op.name}'"
            strength = SOFTMAX if activation.kind == "softmax" else SIGMOID
            return [Head(scores, why, strength, shown_with(index, activation, scores))]
        loss = self._loss(op)
        if loss:
            return [loss]
        first = data_input(index, op, index.outputs[op.name][0]) if _decides(index, op) else ""
        if self._is_end(first) and activation_before(index, first) is None:
            return [Head(before_activation(index, first), f"it is the input of {op.type} '{op.name}'", DECISION)]
        return []

    def _is_end(self, name: str) -> bool:
        return name in self.net and name not in self.inner

    def _loss(self, op: tf.Operation) -> Optional[Head]:
        """Return the scores of a loss, also before a softmax of their own."""
        index = self.index
        loss, scores = "", ""
        if op.type in CROSS_ENTROPIES | CTC_OPS:
            loss, scores = f"{'CTC' if op.type in CTC_OPS else 'cross-entropy'} '{op.name}'", index.inputs[op.name][0]
        elif sigmoid_cross_entropy(index, op):
            loss, scores = f"sigmoid cross-entropy '{op.name}'", sigmoid_cross_entropy(index, op)
        else:
            factors = hinge(index, op)
            scores = next((name for name in factors if name in self.net), "")
            loss = f"hinge loss '{op.name}'" if self.labels.intersection(factors) else ""
        if not loss or scores not in self.net:
            return None
        activation = activation_before(index, scores)
        scores = before_activation(index, scores if activation is None else activation.scores)
        shown = None if activation is None else shown_with(index, activation, scores)
        return Head(scores, f"it is the input of {loss}", LOSS, shown)

    def _of_several(self) -> List[Head]:
        """Return the outputs and inputs of decisions that combine or pool softmaxes and sigmoids."""
        index = self.index
        ops = [index.maker[name] for name in sorted(self._intermediate) if self._is_end(name)]
        activations = [item for item in (activation_at(index, op) for op in ops) if item is not None]
        used = [item for item in activations if not _is_gate(index, item, self.net)]
        parts, kinds = [item.output for item in used], sorted({item.kind for item in used})
        if not parts:
            return []
        decisions = [op for op in index.makers(self.net) if _decides(index, op)]
        decided = [data_input(index, op, index.outputs[op.name][0]) for op in decisions]
        ends = [name for name in index.downstream(parts) if self._is_final(name)]
        ends += [name for name in index.downstream(parts).intersection(decided) if self._is_end(name)]
        names = {of_logarithm(index, name) for name in ends if activation_before(index, name) is None}
        names = {before_activation(index, name) for name in names}
        listed = ", ".join(f"'{name}'" for name in parts[:_LISTED])
        why = f"it combines or pools the {' and '.join(kinds)} {listed}, so that it is the score itself"
        strength = SOFTMAX if "softmax" in kinds else SIGMOID
        return [Head(name, why, strength) for name in first_of_most_classes(index, names)]

    def _is_last(self, name: str) -> bool:
        kept = self._is_end(name) and name not in self._parts
        return kept and _can_be_scores(self.index, name) and self._unused(name)

    def _is_final(self, name: str) -> bool:
        """Return whether a tensor is an output of the graph: a vector or map of floats without any further use.

        A loss that is written out, and gradients that are taken of the tensor, are no further use.
        """
        if name not in self._recorded:
            return self._is_last(name)
        users = [op for op, _ in self.index.users[name]]
        used = any(
            is_training_op(op.name, "") or not self.labels.isdisjoint(self.index.outputs[op.name]) for op in users
        )
        return used and self._is_last(name)

    def _outputs(self) -> List[Head]:
        """Return the outputs of the graph: vectors or maps of floats that depend on the images."""
        index = self.index
        heads: List[Head] = []
        names = [name for name in self.net if self._is_final(name)]
        for name in sorted(names, key=lambda name: index.position[index.maker[name].name], reverse=True):
            if len(heads) == _MOST_OUTPUTS:
                break
            if activation_before(index, name) is None:
                heads.append(plain_output(index, name))
        return heads

    def _unused(self, name: str) -> bool:
        index = self.index
        users = [op for op, slot in index.users[name] if index.flows(op, slot) and not is_training_op(op.name, op.type)]
        return all(_decides(index, op) or not any(out in self.net for out in index.outputs[op.name]) for op in users)


def _decides(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the op decides between the classes."""
    return op.type in DECISIONS and not ranks_positions(index, op)


def _can_be_scores(index: GraphIndex, name: str) -> bool:
    rank, dims, op = index.rank(name), index.dims(name), index.maker[name]
    if not index.is_float(name) or rank == 0 or op.type == "Switch":
        return False
    if op.type == "IdentityN" and any(index.users[out] for out in index.outputs[op.name]):  # input of a custom gradient
        return False
    # statistics over the images, not scores of images
    return not (rank == 1 and dims and dims[0] not in (None, 1))


def _is_gate(index: GraphIndex, activation: Activated, net: Set[str]) -> bool:
    """Return whether a sigmoid or softmax weighs its own source (swish, squeeze-and-excitation, attention)."""
    others = {i for op, _ in index.users[activation.output] if op.type == "Mul" for i in index.inputs[op.name]}
    others = {i for i in others if i in net and i != activation.output}
    return index.leads(others, activation.scores)


def _before_layers(index: GraphIndex) -> Set[str]:
    """Return all tensors that a layer with weights follows."""
    layers = [op for op in index.ops if op.type in WEIGHTED and not is_training_op(op.name, op.type)]
    return index.upstream([i for op in layers for i in index.inputs[op.name]])


def _label_sources(index: GraphIndex, inner: Set[str]) -> List[str]:
    """Return what is fed besides the images and reaches no layer: labels, sample weights."""
    ends = [op for op in index.ops if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type)]
    names = [name for op in ends for name in index.outputs[op.name]]
    return [n for n in names if n not in inner and not index.tensors[n].dtype.is_bool and index.rank(n) != 0]
