"""Graphs that split a batch over devices: each part goes through a replica of the net, and the parts are joined again.

Keras' multi_gpu_model and hand-made towers. One replica is the whole net: pictures go in where its part does, and its
scores are the net's.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

from gradcam_tf1.binding.branches import concat_axis, concat_inputs
from gradcam_tf1.binding.heads import Head, shown_probabilities
from gradcam_tf1.binding.inputs import SHAPE_ONLY, Source, tensors_before_convolutions
from gradcam_tf1.binding.kinds import CONCATS
from gradcam_tf1.binding.scores import activation_before, before_activation
from gradcam_tf1.binding.walk import Op, Walk

_SLICES = {"Split", "SplitV", "Slice", "StridedSlice"}


class Replica(NamedTuple):
    """The input and the scores of the first replica. count: of how many, why: one sentence."""

    source: Source
    head: Head
    why: str


def first_replica(walk: Walk, source: Source, head: Head) -> Optional[Replica]:
    """The first replica of the net from `source` to `head`; None where its batch is not split."""
    parts = _parts_of_batch(walk, source.tensor, head.scores)
    if not parts:
        return None
    scores = _scores_of_first(walk, parts, head.scores)
    if scores is None:
        return None
    why = f"the graph splits its batch over {len(parts)} replicas, and all that is bound belongs to the first"
    changed = source.changed or _changed(walk, source.tensor, parts[0])
    pictures = Source(parts[0], source.origin or source.tensor, changed)
    return Replica(pictures, _head(walk, scores, head), why)


def _parts_of_batch(walk: Walk, pictures: str, scores: str) -> List[str]:
    """The parts that the pictures, or what was made of them before any layer, are cut into along the first axis.

    They are two or more of one tensor, each leads to a convolution, and the scores depend on the first.
    """
    cut = _data(walk, walk.maker[pictures]) if _cuts_the_batch(walk, walk.maker[pictures]) else None
    reach = tensors_before_convolutions(walk)
    before = walk.upstream([scores])
    found: Dict[str, List[str]] = {}
    parts: List[str]
    for op in walk.makers(walk.downstream([pictures if cut is None else cut]) & reach):
        if op.type in _SLICES and _cuts_the_batch(walk, op):
            found.setdefault(_data(walk, op), []).extend(out for out in walk.outputs[op.name] if out in reach)
    parts = next((parts for parts in found.values() if len(parts) > 1), [])
    used = [part for part in parts if part in before]
    return [*used, *(part for part in parts if part not in before)] if used else []


def _data(walk: Walk, op: Op) -> str:
    return walk.inputs[op.name][1 if op.type == "Split" else 0]


def _cuts_the_batch(walk: Walk, op: Op) -> bool:
    """Whether an op takes a range of the first axis and all of the others."""
    if op.type in ("Split", "SplitV"):
        axis = walk.constant(walk.inputs[op.name][0 if op.type == "Split" else 2])
        return axis is not None and int(axis) == 0 and len(walk.outputs[op.name]) > 1
    if op.type == "StridedSlice":
        return _is_range_of_rows(walk, op)
    if op.type != "Slice":
        return False
    before, after = walk.dims(_data(walk, op)), walk.dims(walk.outputs[op.name][0])
    return before is not None and after is not None and before[1:] == after[1:] and not _takes_all(walk, op)


def _takes_all(walk: Walk, op: Op) -> bool:
    size = walk.constant(walk.inputs[op.name][2])
    return size is not None and int(size[0]) == -1


def _is_range_of_rows(walk: Walk, op: Op) -> bool:
    """x[a:b], also written x[a:b, :, :]."""
    axes = (walk.dims(walk.inputs[op.name][1]) or (None,))[0]
    begin, end = (op.get_attr(name) for name in ("begin_mask", "end_mask"))
    if axes is None or any(op.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")):
        return False
    others = (1 << axes) - 2
    return begin & end & others == others and not begin & end & 1


def _scores_of_first(walk: Walk, parts: Sequence[str], scores: str) -> Optional[str]:
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


def _changed(walk: Walk, start: str, part: str) -> str:
    """The first op between that changes values."""
    ops = [op for op in walk.makers(walk.path(start, part)) if walk.outputs[op.name][0] != start]
    return next((op.name for op in ops if op.type not in SHAPE_ONLY | _SLICES), "")


def _head(walk: Walk, scores: str, head: Head) -> Head:
    """The replica's class scores, before softmax or sigmoid."""
    if scores == head.scores:
        return head
    found = activation_before(walk, scores)
    if found is None:
        return Head(before_activation(walk, scores), head.why)
    shown = shown_probabilities(walk, found.output)
    why = f"{found.kind} '{found.output}' of the first replica is taken of it"
    return Head(before_activation(walk, found.scores), why, probabilities=shown)
