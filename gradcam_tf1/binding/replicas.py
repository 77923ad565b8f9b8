"""Graphs that split a batch over devices: each part goes through a replica of the net, and the parts are joined again.

Keras' multi_gpu_model and hand-made towers. One replica is the whole net: images go in where its part does, and its
scores are the net's.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

from gradcam_tf1.binding.branches import concat_axis, concat_inputs
from gradcam_tf1.binding.decoded import SHAPE_ONLY, ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.input_candidates import tensors_before_convolutions
from gradcam_tf1.binding.logit_candidates import Head
from gradcam_tf1.binding.op_kinds import CONCATS, WEIGHTED
from gradcam_tf1.binding.pre_softmax import activation_before, before_activation
from gradcam_tf1.binding.probabilities import shown_probabilities
from gradcam_tf1.binding.streams import leads_past

_SLICES = {"Split", "SplitV", "Slice", "StridedSlice"}
_DIVISIONS = {"FloorDiv", "TruncateDiv", "RealDiv", "Div"}


class Replica(NamedTuple):
    """The input and the scores of the first replica. count: of how many, why: one sentence."""

    source: ImageTensor
    head: Head
    why: str


def first_replica(walk: GraphIndex, source: ImageTensor, head: Head) -> Optional[Replica]:
    """The first replica of the net from `source` to `head`; None where its batch is not split.

    What does not go through the first part of the batch must have no say in its scores.
    """
    parts = _parts_of_batch(walk, source.tensor, head.scores)
    scores = _scores_of_first(walk, parts, head.scores) if parts else None
    if scores is None or leads_past(walk, source.tensor, parts[0], [scores]):
        return None
    changed = source.changed or _changed(walk, source.tensor, parts[0])
    images = ImageTensor(parts[0], source.origin or source.tensor, changed)
    return Replica(images, _head(walk, scores, head), _why(len(parts)))


def _why(count: int) -> str:
    if count == 1:
        return "the scores are those of a part of the batch, so that images go in where it has been cut out"
    return f"the graph splits its batch over {count} replicas, and all that is bound belongs to the first"


def _parts_of_batch(walk: GraphIndex, images: str, scores: str) -> List[str]:
    """The parts that the images, or what is made of them before any layer, are cut into along the first axis.

    Those of one tensor, each of which leads to a convolution; the scores depend on the first.
    """
    cut = _cuts_the_batch(walk, walk.maker[images])
    start = _data(walk, walk.maker[images]) if cut else images
    on_way = walk.downstream([start]) & tensors_before_convolutions(walk)
    layers = [out for op in walk.makers(on_way) if op.type in WEIGHTED for out in walk.outputs[op.name]]
    found: Dict[str, List[str]] = {}
    for op in walk.makers(on_way - walk.downstream(layers)):
        if _cuts_the_batch(walk, op):
            found.setdefault(_data(walk, op), []).extend(out for out in walk.outputs[op.name] if out in on_way)
    before = walk.upstream([scores])
    for parts in found.values():
        used = [part for part in parts if part in before]
        if used:
            return [*used, *(part for part in parts if part not in before)]
    return []


def _data(walk: GraphIndex, op: Op) -> str:
    return walk.inputs[op.name][1 if op.type == "Split" else 0]


def _cuts_the_batch(walk: GraphIndex, op: Op) -> bool:
    """Whether an op takes a part of the first axis and all of the others."""
    if op.type in ("Split", "SplitV"):
        axis = walk.constant(walk.inputs[op.name][0 if op.type == "Split" else 2])
        return axis is not None and int(axis) == 0 and len(walk.outputs[op.name]) > 1
    if op.type == "StridedSlice":
        return _is_range_of_rows(walk, op)
    if op.type != "Slice":
        return False
    before, after = walk.dims(_data(walk, op)), walk.dims(walk.outputs[op.name][0])
    return before is not None and after is not None and before[1:] == after[1:] and _is_share(walk, op)


def _is_share(walk: GraphIndex, op: Op) -> bool:
    """Whether the length that a Slice takes is a number of its own, or comes out of a division."""
    size = walk.inputs[op.name][2]
    known = walk.constant(size)
    if known is not None:
        return int(known[0]) > 0
    return any(op.type in _DIVISIONS for op in walk.makers(walk.upstream([size])))


def _is_range_of_rows(walk: GraphIndex, op: Op) -> bool:
    """x[a:b], also written x[a:b, :, :]."""
    axes = (walk.dims(walk.inputs[op.name][1]) or (None,))[0]
    begin, end = (op.get_attr(name) for name in ("begin_mask", "end_mask"))
    if axes is None or any(op.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")):
        return False
    others = (1 << axes) - 2
    return begin & end & others == others and not begin & end & 1


def _scores_of_first(walk: GraphIndex, parts: Sequence[str], scores: str) -> Optional[str]:
    """The tensor of the first replica that a concat of the batch joins to the scores; the scores where none does."""
    before = walk.upstream([scores])
    others = walk.downstream(parts[1:])
    if scores not in others:
        return scores
    own = walk.downstream(parts[:1]) - others
    for op in reversed(walk.makers(before)):
        if op.type in CONCATS and concat_axis(walk, op) == 0:
            joined = [name for name in concat_inputs(walk, op) if name in own]
            if joined:
                return joined[0]
    return None


def _changed(walk: GraphIndex, start: str, part: str) -> str:
    """The first op between that changes values."""
    ops = [op for op in walk.makers(walk.path(start, part)) if walk.outputs[op.name][0] != start]
    return next((op.name for op in ops if op.type not in SHAPE_ONLY | _SLICES), "")


def _head(walk: GraphIndex, scores: str, head: Head) -> Head:
    """The replica's class scores, before softmax or sigmoid."""
    if scores == head.scores:
        return head
    found = activation_before(walk, scores)
    if found is None:
        return Head(before_activation(walk, scores), head.why)
    shown = shown_probabilities(walk, found.output)
    why = f"{found.kind} '{found.output}' of the first replica is taken of it"
    return Head(before_activation(walk, found.scores), why, probabilities=shown)
