"""Graphs that split a batch over devices, pass each part through a replica of the net and join the results.

Examples are Keras' multi_gpu_model and hand-made towers. The first replica is bound: images are fed as its part of the
batch, and its scores are explained.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence

from gradcam_tf1.binding.branches import concat_axis, concat_inputs
from gradcam_tf1.binding.decoded import SHAPE_ONLY, ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import tensors_before_convolutions
from gradcam_tf1.binding.op_kinds import CONCATS, WEIGHTED
from gradcam_tf1.binding.pre_softmax import activation_before, before_activation, shown_probabilities
from gradcam_tf1.binding.score_heads import Head
from gradcam_tf1.binding.streams import leads_past
from gradcam_tf1.tf_runtime import tf

_SLICES = {"Split", "SplitV", "Slice", "StridedSlice"}
_DIVISIONS = {"FloorDiv", "TruncateDiv", "RealDiv", "Div"}


class Replica(NamedTuple):
    """The image input and the class scores of the first replica; why: the reason in one sentence."""

    source: ImageTensor
    head: Head
    why: str


def first_replica(index: GraphIndex, source: ImageTensor, head: Head) -> Optional[Replica]:
    """Find the first replica of a net.

    Its scores may depend on the first part of the batch only.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    source : ImageTensor
        The image input of the net.
    head : Head
        Its class scores.

    Returns
    -------
    Replica or None
        None if the batch is not split.
    """
    parts = _parts_of_batch(index, source.tensor, head.scores)
    scores = _scores_of_first(index, parts, head.scores) if parts else None
    if scores is None or leads_past(index, source.tensor, parts[0], [scores]):
        return None
    changed = source.changed or _changed(index, source.tensor, parts[0])
    images = ImageTensor(parts[0], source.origin or source.tensor, changed)
    return Replica(images, _head(index, scores, head), _why(len(parts)))


def _why(count: int) -> str:
    if count == 1:
        return "the scores are those of one part of the batch, so images are fed as this part"
    return f"the graph splits its batch over {count} replicas, and the first one is bound"


def _parts_of_batch(index: GraphIndex, images: str, scores: str) -> List[str]:
    """Return the parts into which the images are split along the first axis before any layer.

    Each part leads to a convolution, and the scores depend on the first part. All parts are of one tensor.
    """
    cut = _cuts_the_batch(index, index.maker[images])
    start = _data(index, index.maker[images]) if cut else images
    on_path = index.downstream([start]) & tensors_before_convolutions(index)
    layers = [out for op in index.makers(on_path) if op.type in WEIGHTED for out in index.outputs[op.name]]
    parts_of: Dict[str, List[str]] = {}
    for op in index.makers(on_path - index.downstream(layers)):
        if _cuts_the_batch(index, op):
            parts_of.setdefault(_data(index, op), []).extend(out for out in index.outputs[op.name] if out in on_path)
    before = index.upstream([scores])
    for parts in parts_of.values():
        used = [part for part in parts if part in before]
        if used:
            return [*used, *(part for part in parts if part not in before)]
    return []


def _data(index: GraphIndex, op: tf.Operation) -> str:
    return index.inputs[op.name][1 if op.type == "Split" else 0]


def _cuts_the_batch(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether an op takes a part of the first axis and all of the others."""
    if op.type in ("Split", "SplitV"):
        axis = index.constant(index.inputs[op.name][0 if op.type == "Split" else 2])
        return axis is not None and int(axis) == 0 and len(index.outputs[op.name]) > 1
    if op.type == "StridedSlice":
        return _is_range_of_rows(index, op)
    if op.type != "Slice":
        return False
    before, after = index.dims(_data(index, op)), index.dims(index.outputs[op.name][0])
    return before is not None and after is not None and before[1:] == after[1:] and _is_share(index, op)


def _is_share(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the length of a Slice is a constant, or the result of a division."""
    size = index.inputs[op.name][2]
    known = index.constant(size)
    if known is not None:
        return int(known[0]) > 0
    return any(op.type in _DIVISIONS for op in index.makers(index.upstream([size])))


def _is_range_of_rows(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a StridedSlice is x[a:b], also written x[a:b, :, :]."""
    axes = (index.dims(index.inputs[op.name][1]) or (None,))[0]
    begin, end = (op.get_attr(name) for name in ("begin_mask", "end_mask"))
    if axes is None or any(op.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")):
        return False
    others = (1 << axes) - 2
    return begin & end & others == others and not begin & end & 1


def _scores_of_first(index: GraphIndex, parts: Sequence[str], scores: str) -> Optional[str]:
    """Return the scores of the first replica, which a concat along the batch joins; `scores` if they are not joined."""
    before = index.upstream([scores])
    others = index.downstream(parts[1:])
    if scores not in others:
        return scores
    of_first = index.downstream(parts[:1]) - others
    for op in reversed(index.makers(before)):
        if op.type in CONCATS and concat_axis(index, op) == 0:
            joined = [name for name in concat_inputs(index, op) if name in of_first]
            if joined:
                return joined[0]
    return None


def _changed(index: GraphIndex, start: str, part: str) -> str:
    """Return the first op between two tensors that changes values, "" if none does."""
    ops = [op for op in index.makers(index.path(start, part)) if index.outputs[op.name][0] != start]
    return next((op.name for op in ops if op.type not in SHAPE_ONLY | _SLICES), "")


def _head(index: GraphIndex, scores: str, head: Head) -> Head:
    """Return the class scores of the replica, before softmax or sigmoid."""
    if scores == head.scores:
        return head
    activation = activation_before(index, scores)
    if activation is None:
        return Head(before_activation(index, scores), head.why)
    shown = shown_probabilities(index, activation.output)
    why = f"it is the input of {activation.kind} '{activation.output}' of the first replica"
    return Head(before_activation(index, activation.scores), why, probabilities=shown)
