"""A tensor of class scores, and how to find it behind an output or a concat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.detector_heads import Detector
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import CONCATS
from gradcam_tf1.binding.pre_softmax import activation_before, before_activation, decided_by, shown_with
from gradcam_tf1.binding.rescaled import rescaled_activation
from gradcam_tf1.binding.score_axes import same_classes

# how strongly the use of a tensor suggests that it holds class scores
JOINED, SOFTMAX, SIGMOID, LOSS, DECISION, OUTPUT = 6, 5, 4, 5, 3, 1


@dataclass(frozen=True)
class Head:
    """A tensor of class scores.

    Attributes
    ----------
    scores : str
        Its name.
    why, warning : str
        The reason to choose it, and what the user should know about it.
    strength : int
        How strongly its use suggests that it holds class scores.
    probabilities : str or None
        Its softmax or sigmoid.
    declared : bool
        Whether the model file declares it as an output.
    detectors : tuple of Detector
        The scales of a detector.
    others : tuple of str
        Other outputs of the model that the user can request.
    """

    scores: str
    why: str
    strength: int = 0
    probabilities: Optional[str] = None
    declared: bool = False
    warning: str = ""
    detectors: Tuple[Detector, ...] = ()
    others: Tuple[str, ...] = ()


def plain_output(index: GraphIndex, name: str) -> Head:
    """Return the scores of an output of the graph that has no softmax or sigmoid over classes."""
    op = index.maker[name]
    if op.type == "Softmax":
        scores = before_activation(index, index.inputs[op.name][0])
        return Head(scores, f"it is the input of softmax '{op.name}' over positions, an output of the graph", OUTPUT)
    return Head(before_activation(index, name), "it is an output of the graph", OUTPUT)


def head_of_output(index: GraphIndex, name: str, source: str) -> Head:
    """Return the scores behind an output; `source` begins the reason ("the file declares")."""
    activation = activation_before(index, name, decisions=True)
    if activation is not None:
        scores = before_activation(index, activation.scores)
        strength = SOFTMAX if activation.kind == "softmax" else SIGMOID
        shown = name if index.is_float(name) and not activation.log and same_classes(index, name, scores) else None
        return Head(scores, f"{source} '{name}', and this is the input of its {activation.kind}", strength, shown)
    name = decided_by(index, name)
    activation = rescaled_activation(index, name)
    if activation is not None:
        scores = before_activation(index, activation.scores)
        why = f"{source} '{name}', and this is the input of the {activation.kind} that it rescales"
        strength = SOFTMAX if activation.kind == "softmax" else SIGMOID
        return Head(scores, why, strength, shown_with(index, activation, scores))
    return Head(before_activation(index, name) if name not in index.dead else name, f"{source} '{name}'", OUTPUT)


def joined_heads(index: GraphIndex, heads: Sequence[Head], net: Set[str]) -> List[Head]:
    """Return the concats of several sigmoids or softmaxes (scales of a detector), which hold all scores.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    heads : sequence of Head
        The parts, with their probabilities.
    net : set of str
        The tensors of the net.

    Returns
    -------
    list of Head
        One for each concat of all parts.
    """
    ends: Dict[str, List[Head]] = {}
    for head in heads:
        name = head.probabilities or ""
        for op, _ in index.users[name]:
            if op.type in CONCATS:
                ends.setdefault(op.name, []).append(head)
    joined = []
    for op_name, parts in ends.items():
        out = index.outputs[op_name][0]
        data = [i for i in index.inputs[op_name] if index.is_float(i)]
        if len(parts) > 1 and len(parts) == len(data) and out in net:
            joined.append(Head(out, f"it joins {len(parts)} sets of class scores", JOINED, out, warning=(
                f"the scores '{out}' are joined after their activation, so that no tensor holds all of them before it; "
                "gradients are those of the activated scores")))  # fmt: skip
    return joined
