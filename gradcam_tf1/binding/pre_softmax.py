"""From an output back to the class scores it was made from, before softmax or sigmoid."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import (
    BIASES,
    CLIPS,
    DECISIONS,
    FORWARDING,
    LOOKUPS,
    QUANTISED,
    RESHAPING,
    RESIZES,
    SUMS,
)
from gradcam_tf1.binding.score_axes import pools
from gradcam_tf1.binding.spelled_out import log_sigmoid, over_classes, written_log_softmax, written_softmax

_GATHERS = {"Gather", "GatherV2", "GatherNd", "ResourceGather"}
_AFTER = (
    FORWARDING
    | RESHAPING
    | RESIZES
    | QUANTISED
    | CLIPS
    | _GATHERS
    | {"Cast", "StridedSlice", "Slice", "Transpose", "Log"}
)

_NAMELESS = re.compile(r"(^|/)Identity(_\d+)?$")


@dataclass(frozen=True)
class Activated:
    """Scores and the softmax or sigmoid made from them. kind: "softmax", "sigmoid". log: its logarithm."""

    scores: str
    output: str
    kind: str
    log: bool = False


def activation_at(walk: GraphIndex, op: Op) -> Optional[Activated]:
    """Scores and probabilities where the op is a sigmoid, or a softmax over the classes, also when it is written out.

    A softmax over positions (attention, soft-argmax) is none.
    """
    if not walk.outputs[op.name]:
        return None
    out = walk.outputs[op.name][0]
    if op.type == "Sigmoid":
        return Activated(walk.inputs[op.name][0], out, "sigmoid")
    if op.type in ("Softmax", "LogSoftmax"):
        scores = walk.inputs[op.name][0]
        return Activated(scores, out, "softmax", op.type != "Softmax") if over_classes(walk, scores, [-1]) else None
    for find, kind, log in (
        (written_softmax, "softmax", False),
        (written_log_softmax, "softmax", True),
        (log_sigmoid, "sigmoid", True),
    ):
        found = find(walk, op)
        if found:
            return Activated(found, out, kind, log)
    return None


def activation_before(walk: GraphIndex, name: str, decisions: bool = False) -> Optional[Activated]:
    """The softmax or sigmoid that an output repeats, crops, resizes, takes the logarithm of or (with `decisions`)
    decides by; None: none.
    """
    through = _AFTER | DECISIONS | LOOKUPS if decisions else _AFTER
    log = False
    while True:
        op = walk.maker[name]
        found = activation_at(walk, op)
        if found is not None:
            return Activated(found.scores, found.output, found.kind, found.log or log)
        data = data_input(walk, op, name)
        if not data or not (op.type in through or _adds_constant(walk, op, data) or _is_best_class(walk, op)):
            return None
        log = log or op.type == "Log"
        name = data


def decided_by(walk: GraphIndex, name: str) -> str:
    """The floats that class ids or names of classes are decided by; any other tensor itself."""
    end, op = name, walk.maker[name]
    while not walk.is_float(end) and op.type in FORWARDING | DECISIONS | LOOKUPS | _GATHERS | {"Cast"}:
        data = data_input(walk, op, end)
        if not data:
            return name
        end, op = data, walk.maker[data]
    return end if walk.is_float(end) else name


def data_input(walk: GraphIndex, op: Op, name: str) -> str:
    """The input whose values an output carries on: one that images reach, where that is known; "" for none.

    A Merge with a branch that images do not reach carries on that one too.
    """
    live = [i for i in walk.carried(op, name) if i not in walk.dead]
    reached = [] if op.type == "Merge" else [i for i in live if i in walk.axes]
    return next(iter(reached or live), "")


def of_logarithm(walk: GraphIndex, name: str) -> str:
    """What a logarithm is taken of, behind clips and constants against log(0); any other tensor itself."""
    end, logs = name, False
    while True:
        op = walk.maker[end]
        data = data_input(walk, op, end)
        if not data or not (op.type in CLIPS | {"Log"} or _adds_constant(walk, op, data)):
            return end if logs else name
        end, logs = data, logs or op.type == "Log"


def _is_best_class(walk: GraphIndex, op: Op) -> bool:
    """Whether the op is a maximum over the classes. One over positions makes other scores."""
    return op.type in ("Max", "Min") and not pools(walk, op)


def _adds_constant(walk: GraphIndex, op: Op, data: str) -> bool:
    """Whether the op is p + 1e-7, against a logarithm of zero."""
    if op.type not in SUMS or len(walk.inputs[op.name]) != 2:
        return False
    return any(name != data and walk.source(name).type == "Const" and walk.rank(name) == 0
               for name in walk.inputs[op.name])  # fmt: skip


def before_activation(walk: GraphIndex, name: str, whole: bool = True) -> str:
    """The class scores that a softmax's input repeats: back through Reshape, ExpandDims, Transpose, casts and resizing.

    A Squeeze ends the way, and so does an Identity with a name of its own: what the author squeezed or named is the
    tensor of scores. A Reshape is undone only where it keeps the class axis and the rows of an image. whole: also back
    from single elements to the vector they are cut from, and from picked rows to all of them.
    """
    while True:
        op = walk.maker[name]
        step = _repeats(walk, op) or (whole and _takes_part(walk, op))
        nameless = op.type == "Identity" and _NAMELESS.search(op.name)
        nameless = nameless or (op.type == "Squeeze" and walk.rank(name) is None)  # the class axis has to be known
        if not (step or nameless):
            return name
        name = walk.inputs[op.name][0]


def _repeats(walk: GraphIndex, op: Op) -> bool:
    """Whether the op hands on the scores of each class as they are."""
    if op.type in RESIZES:
        return True
    if op.type in ("Reshape", "ExpandDims"):
        return _keeps_classes(walk, op)
    if op.type == "Cast" or op.type.startswith("FakeQuant"):
        return walk.is_float(walk.inputs[op.name][0]) and walk.is_float(walk.outputs[op.name][0])
    if op.type == "Transpose":
        state = walk.axes.get(walk.inputs[op.name][0])
        return state is not None and bool(state.channels) and state.images is not None
    return False


def _keeps_classes(walk: GraphIndex, op: Op) -> bool:
    name, out = walk.inputs[op.name][0], walk.outputs[op.name][0]
    before, after = walk.dims(name), walk.dims(out)
    if _several_rows(walk, name) != _several_rows(walk, out):
        return _flattens_segmentation(walk, op)
    if not before or not after:
        return before is not None and len(before) == 2
    if op.type == "ExpandDims":
        return before[-1] is not None and after[-1] == before[-1]
    spatial = before[1:-1]
    if _flattens_segmentation(walk, op):
        return True
    if after[-1] is not None:
        return before[-1] == after[-1] and (len(before) <= len(after) or all(side == 1 for side in spatial))
    return len(before) == 2 or all(side == 1 for side in spatial)


def _several_rows(walk: GraphIndex, name: str) -> bool:
    """Whether axis 0 has several rows of each image."""
    return name in walk.axes and walk.axes[name].rows


def _flattens_segmentation(walk: GraphIndex, op: Op) -> bool:
    """Whether a map of scores that was enlarged to the image's size becomes rows, one for each pixel."""
    name = walk.inputs[op.name][0]
    before, after = walk.dims(name), walk.dims(walk.outputs[op.name][0])
    if not before or not after or len(before) != 4 or before[-1] is None or before[-1] != after[-1]:
        return False
    maker = walk.maker[name]
    while maker.type in FORWARDING | BIASES:
        maker = walk.maker[data_input(walk, maker, name)]
        name = walk.outputs[maker.name][0]
    return maker.type in RESIZES | {"Conv2DBackpropInput"}


def _takes_part(walk: GraphIndex, op: Op) -> bool:
    """Whether one element of each vector of scores is taken, x[:, k], or some of the rows for a loss."""
    name, out = walk.inputs[op.name][0] if walk.inputs[op.name] else "", walk.outputs[op.name][0]
    if op.type == "StridedSlice":
        return walk.rank(name) == 2 and walk.rank(out) == 1 and op.get_attr("shrink_axis_mask") == 2
    picked = op.type in _GATHERS and name in walk.axes and out in walk.axes
    return picked and walk.axes[out].uneven and not walk.axes[name].uneven
