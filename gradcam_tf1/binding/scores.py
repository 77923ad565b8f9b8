"""From an output back to the class scores it was made from, before softmax or sigmoid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional

from gradcam_tf1.binding.kinds import DECISIONS, FORWARDING, RESHAPING, RESIZES, SCORE_ACTIVATIONS
from gradcam_tf1.binding.walk import Op, Walk

_AFTER = (
    FORWARDING | RESHAPING | RESIZES | {"Cast", "StridedSlice", "Slice", "Max", "Min", "GatherV2", "Gather", "GatherNd"}
)

_NAMELESS = re.compile(r"(^|/)Identity(_\d+)?$")


@dataclass(frozen=True)
class Activated:
    """Scores and the softmax or sigmoid made from them. kind: "softmax", "sigmoid"."""

    scores: str
    output: str
    kind: str


def activation_at(walk: Walk, op: Op) -> Optional[Activated]:
    """Scores and probabilities where the op is a softmax or sigmoid, also a softmax written out as exp / sum(exp)."""
    if op.type in SCORE_ACTIVATIONS:
        kind = "sigmoid" if op.type == "Sigmoid" else "softmax"
        return Activated(walk.inputs[op.name][0], walk.outputs[op.name][0], kind)
    if op.type in ("RealDiv", "Div") and len(walk.inputs[op.name]) == 2:
        scores = _written_softmax(walk, *walk.inputs[op.name])
        return Activated(scores, walk.outputs[op.name][0], "softmax") if scores else None
    return None


def _written_softmax(walk: Walk, above: str, below: str) -> Optional[str]:
    exp, total = walk.maker[above], walk.maker[below]
    if exp.type != "Exp" or total.type != "Sum" or walk.inputs[total.name][0] != above:
        return None
    inside = walk.inputs[exp.name][0]
    shifted = walk.maker[inside]
    if shifted.type == "Sub" and len(walk.inputs[shifted.name]) == 2:
        scores, top = walk.inputs[shifted.name]
        peak = walk.maker[top]
        if peak.type == "StopGradient":
            peak = walk.maker[walk.inputs[peak.name][0]]
        if peak.type == "Max" and walk.inputs[peak.name][0] == scores:
            return scores
    return inside


def activation_before(walk: Walk, name: str, decisions: bool = False) -> Optional[Activated]:
    """The softmax or sigmoid that an output repeats, crops, resizes or (with `decisions`) decides by; None: none."""
    through = _AFTER | DECISIONS if decisions else _AFTER
    while True:
        op = walk.maker[name]
        found = activation_at(walk, op)
        if found is not None:
            return found
        live = [i for i in walk.carried(op, name) if i not in walk.dead]
        if op.type not in through or not live:
            return None
        name = live[0]


def before_activation(walk: Walk, name: str, whole: bool = True) -> str:
    """The class scores that a softmax's input repeats: back through Reshape, ExpandDims and resizing of score maps.

    A Squeeze ends the way, and so does an Identity with a name of its own: what the author squeezed or named is the
    tensor of scores. A Reshape is undone only where it keeps the class axis. whole: also back from single elements to
    the vector they are cut from.
    """
    while True:
        op = walk.maker[name]
        reshaped = op.type in ("Reshape", "ExpandDims") and _keeps_classes(walk, op)
        cut = whole and op.type == "StridedSlice" and _takes_one_element(walk, op)
        nameless = op.type == "Identity" and _NAMELESS.search(op.name)
        nameless = nameless or (op.type == "Squeeze" and walk.rank(name) is None)  # the class axis has to be known
        if not (reshaped or cut or nameless or op.type in RESIZES):
            return name
        name = walk.inputs[op.name][0]


def _keeps_classes(walk: Walk, op: Op) -> bool:
    before, after = walk.dims(walk.inputs[op.name][0]), walk.dims(walk.outputs[op.name][0])
    if not before or not after:
        return before is not None and len(before) == 2
    if op.type == "ExpandDims":
        return before[-1] is not None and after[-1] == before[-1]
    spatial = before[1:-1]
    if after[-1] is not None:
        return before[-1] == after[-1] and (len(before) <= len(after) or all(side == 1 for side in spatial))
    return len(before) == 2 or all(side == 1 for side in spatial)


def _takes_one_element(walk: Walk, op: Op) -> bool:
    """x[:, k]: the class axis of a [N, C] tensor is cut to one element and dropped."""
    before, after = walk.rank(walk.inputs[op.name][0]), walk.rank(walk.outputs[op.name][0])
    return before == 2 and after == 1 and op.get_attr("shrink_axis_mask") == 2


def class_count(walk: Walk, name: str) -> Optional[int]:
    """The size of the class axis: the last one, or axis 1 of [N, C, 1, 1]; 1 for a vector of one score per picture."""
    dims = walk.dims(name)
    if dims is not None:
        if len(dims) == 1:
            return 1
        if len(dims) == 4 and dims[-1] == dims[-2] == 1 and dims[1] not in (1, None):
            return dims[1]
        if dims[-1] is not None:
            return dims[-1]
    return _weight_columns(walk, name)


def _weight_columns(walk: Walk, name: str) -> Optional[int]:
    """The number of outputs of the bias or kernel that makes a tensor of unknown shape."""
    op: Any = walk.maker[name]
    while op.type in FORWARDING | {"Reshape", "Squeeze"} and walk.inputs[op.name]:
        op = walk.maker[walk.inputs[op.name][0]]
    if op.type not in ("BiasAdd", "Add", "AddV2", "MatMul", "Conv2D"):
        return None
    sizes = [walk.source(i).outputs[0].shape for i in walk.inputs[op.name][1:]]
    known = [shape.as_list()[-1] for shape in sizes if shape.rank]
    return known[0] if known else None
