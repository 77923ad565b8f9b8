"""The class scores before a softmax or sigmoid, and the probabilities after it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from gradcam_tf1.binding.graph_index import GraphIndex
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
from gradcam_tf1.binding.score_axes import pools, same_classes
from gradcam_tf1.binding.spelled_out import log_sigmoid, over_classes, written_log_softmax, written_softmax
from gradcam_tf1.tf_runtime import tf

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

_SHOWING = RESHAPING | QUANTISED | {"Identity", "StridedSlice", "ResizeBilinear", "Transpose"}
_NAMELESS = re.compile(r"(^|/)Identity(_\d+)?$")


@dataclass(frozen=True)
class Activated:
    """Scores and their softmax or sigmoid.

    Attributes
    ----------
    scores, output : str
        The tensors before and after.
    kind : {"softmax", "sigmoid"}
        The activation.
    log : bool
        Whether `output` is its logarithm.
    """

    scores: str
    output: str
    kind: str
    log: bool = False


def activation_at(index: GraphIndex, op: tf.Operation) -> Optional[Activated]:
    """Recognise a sigmoid, or a softmax over classes, also if it is written out.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    op : tf.Operation
        The last op of the activation.

    Returns
    -------
    Activated or None
        None for other ops, and for a softmax over positions (attention, soft-argmax).
    """
    if not index.outputs[op.name]:
        return None
    out = index.outputs[op.name][0]
    if op.type == "Sigmoid":
        return Activated(index.inputs[op.name][0], out, "sigmoid")
    if op.type in ("Softmax", "LogSoftmax"):
        scores = index.inputs[op.name][0]
        return Activated(scores, out, "softmax", op.type != "Softmax") if over_classes(index, scores, [-1]) else None
    for find, kind, log in (
        (written_softmax, "softmax", False),
        (written_log_softmax, "softmax", True),
        (log_sigmoid, "sigmoid", True),
    ):
        before = find(index, op)
        if before:
            return Activated(before, out, kind, log)
    return None


def activation_before(index: GraphIndex, name: str, decisions: bool = False) -> Optional[Activated]:
    """Find the softmax or sigmoid whose values a tensor repeats, crops or resizes, or takes the logarithm of.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The tensor.
    decisions : bool
        Whether to look behind decisions (argmax, top k, class names) as well.

    Returns
    -------
    Activated or None
        None if there is none.
    """
    through = _AFTER | DECISIONS | LOOKUPS if decisions else _AFTER
    log = False
    while True:
        index.walk()
        op = index.maker[name]
        activation = activation_at(index, op)
        if activation is not None:
            return Activated(activation.scores, activation.output, activation.kind, activation.log or log)
        data = data_input(index, op, name)
        if _of_two(index, op):
            return None
        if not data or not (op.type in through or _adds_constant(index, op, data) or _is_best_class(index, op)):
            return None
        log = log or op.type == "Log"
        name = data


def decided_by(index: GraphIndex, name: str) -> str:
    """Return the floats that class ids or class names come from; any other tensor is returned as it is."""
    end, op = name, index.maker[name]
    while not index.is_float(end) and op.type in FORWARDING | DECISIONS | LOOKUPS | _GATHERS | {"Cast"}:
        index.walk()
        data = data_input(index, op, end)
        if not data:
            return name
        end, op = data, index.maker[data]
    return end if index.is_float(end) else name


def data_input(index: GraphIndex, op: tf.Operation, name: str) -> str:
    """Return the input of an op whose values an output carries, preferably one that depends on the images.

    At a Merge, branches that do not depend on the images count too.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    op : tf.Operation
        The op.
    name : str
        Its output.

    Returns
    -------
    str
        The tensor, "" if there is none.
    """
    live = [i for i in index.carried(op, name) if i not in index.dead]
    reached = [] if op.type == "Merge" else [i for i in live if i in index.axes]
    return next(iter(reached or live), "")


def of_logarithm(index: GraphIndex, name: str) -> str:
    """Return the tensor before a logarithm and its guards against log(0); any other tensor is returned as it is."""
    end, logs = name, False
    while True:
        index.walk()
        op = index.maker[end]
        data = data_input(index, op, end)
        if not data or _of_two(index, op) or not (op.type in CLIPS | {"Log"} or _adds_constant(index, op, data)):
            return end if logs else name
        end, logs = data, logs or op.type == "Log"


def _of_two(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the op is the larger or smaller of two values of the net, such as two members, and no clip."""
    return op.type in CLIPS and sum(name in index.axes for name in index.inputs[op.name]) > 1


def _is_best_class(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the op is a maximum over classes, not over positions."""
    return op.type in ("Max", "Min") and not pools(index, op)


def _adds_constant(index: GraphIndex, op: tf.Operation, data: str) -> bool:
    """Return whether the op adds a constant, such as p + 1e-7 before a logarithm."""
    if op.type not in SUMS or len(index.inputs[op.name]) != 2:
        return False
    return any(name != data and index.source(name).type == "Const" and index.rank(name) == 0
               for name in index.inputs[op.name])  # fmt: skip


def before_activation(index: GraphIndex, name: str, whole: bool = True) -> str:
    """Return the class scores that the input of a softmax repeats.

    The search goes back through Reshape, ExpandDims, Transpose, casts and resizing. It ends at a Squeeze and at an
    Identity with a name of its own: what the author squeezed or named is the tensor of scores. A Reshape is passed
    only if it keeps the class axis and the rows of an image.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The input of the softmax.
    whole : bool
        Whether to go back from single elements to their vector, and from picked rows to all rows.

    Returns
    -------
    str
        The tensor of class scores.
    """
    while True:
        index.walk()
        op = index.maker[name]
        step = _repeats(index, op) or (whole and _takes_part(index, op))
        nameless = op.type == "Identity" and _NAMELESS.search(op.name)
        nameless = nameless or (op.type == "Squeeze" and index.rank(name) is None)  # the class axis has to be known
        if not (step or nameless):
            return name
        name = index.inputs[op.name][0]


def _repeats(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the op keeps the scores of each class."""
    if op.type in RESIZES:
        return True
    if op.type in ("Reshape", "ExpandDims"):
        return _keeps_classes(index, op)
    if op.type == "Cast" or op.type.startswith("FakeQuant"):
        return index.is_float(index.inputs[op.name][0]) and index.is_float(index.outputs[op.name][0])
    if op.type == "Transpose":
        state = index.axes.get(index.inputs[op.name][0])
        return state is not None and bool(state.channels) and state.images is not None
    return False


def _keeps_classes(index: GraphIndex, op: tf.Operation) -> bool:
    name, out = index.inputs[op.name][0], index.outputs[op.name][0]
    before, after = index.dims(name), index.dims(out)
    if _several_rows(index, name) != _several_rows(index, out):
        return _flattens_segmentation(index, op)
    if not before or not after:
        return before is not None and len(before) == 2
    if op.type == "ExpandDims":
        return before[-1] is not None and after[-1] == before[-1]
    spatial = before[1:-1]
    if _flattens_segmentation(index, op):
        return True
    if after[-1] is not None:
        return before[-1] == after[-1] and (len(before) <= len(after) or all(side == 1 for side in spatial))
    return len(before) == 2 or all(side == 1 for side in spatial)


def _several_rows(index: GraphIndex, name: str) -> bool:
    """Return whether axis 0 has several rows per image."""
    return name in index.axes and index.axes[name].rows


def _flattens_segmentation(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a score map enlarged to the image size becomes rows, one per pixel."""
    name = index.inputs[op.name][0]
    before, after = index.dims(name), index.dims(index.outputs[op.name][0])
    if not before or not after or len(before) != 4 or before[-1] is None or before[-1] != after[-1]:
        return False
    maker = index.maker[name]
    while maker.type in FORWARDING | BIASES:
        index.walk()
        maker = index.maker[data_input(index, maker, name)]
        name = index.outputs[maker.name][0]
    return maker.type in RESIZES | {"Conv2DBackpropInput"}


def _takes_part(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether the op takes one score of each vector, x[:, k], or some of the rows for a loss."""
    name, out = index.inputs[op.name][0] if index.inputs[op.name] else "", index.outputs[op.name][0]
    if op.type == "StridedSlice":
        return index.rank(name) == 2 and index.rank(out) == 1 and op.get_attr("shrink_axis_mask") == 2
    picked = op.type in _GATHERS and name in index.axes and out in index.axes
    return picked and index.axes[out].uneven and not index.axes[name].uneven


def shown_with(index: GraphIndex, activation: Activated, scores: str) -> Optional[str]:
    """Return the probabilities that the graph outputs, None if their classes are not those of the scores."""
    if activation.log or not same_classes(index, activation.output, scores):
        return None
    return (
        shown_probabilities(index, activation.output)
        if index.rank(activation.output) != 1 or index.rank(scores) == 1
        else None
    )


def shown_probabilities(index: GraphIndex, name: str) -> str:
    """Return the probabilities that the graph outputs: those of rank 2 as they are, of maps the last reshaped form."""
    while index.rank(name) not in (2, None):
        index.walk()
        later = [
            out
            for op, slot in index.users[name]
            if slot == 0 and op.type in _SHOWING
            for out in index.flows(op, slot)
            if index.is_float(out)
        ]
        if len(later) != 1 or not same_classes(index, later[0], name):
            return name
        name = later[0]
    return name
