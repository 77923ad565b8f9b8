"""Class scores that a concat joins: which classes, or which anchors, each joined tensor holds."""

from __future__ import annotations

from itertools import accumulate
from typing import Collection, List, NamedTuple, Optional, Sequence, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layer_choice import Choice, choose_maps
from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layer_specs import infos_of
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import ACTIVATIONS, CONCATS, FORWARDING
from gradcam_tf1.binding.reshapes import size
from gradcam_tf1.binding.whole_axis import Axis, follow_axis
from gradcam_tf1.errors import BindingError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Branch

MOST_PARTS = 256


def find_branches(
    features: Features, paths: LayerPaths, bound: Choice, axes: str, detector: bool
) -> Tuple[Branch, ...]:
    """Split joined class scores into branches, by classes or else by anchors, each with its own last map.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    paths : LayerPaths
        The paths to the scores.
    bound : Choice
        The maps that all scores depend on.
    axes : str
        The axes of the scores, as in `Binding.score_axes`.
    detector : bool
        Whether the score columns hold more than classes; these are not split by classes.

    Returns
    -------
    tuple of Branch
        In the order of the scores; empty if they are not joined.

    Raises
    ------
    BindingError
        If the length of a part is unknown.
    """
    parts, anchors = [] if detector else _parts_along(features, paths.end, axes, "c"), False
    if not parts and axes.count("a") == 1 and axes.startswith("n"):
        parts, anchors = _parts_along(features, paths.end, axes, "a"), True
    trunk = bound.names[0] if bound.complete and len(bound.names) == 1 else None
    return tuple(
        Branch(*part, layer=_own_layer(features, paths, part.scores, trunk), anchors=anchors) for part in parts
    )


def _parts_along(features: Features, scores: str, axes: str, letter: str) -> List[ScoreSlice]:
    return find_parts(features.index, features.path, scores, axes.index(letter)) if letter in axes else []


def _own_layer(features: Features, paths: LayerPaths, scores: str, trunk: Optional[str]) -> str:
    """Return the last map of one branch after the trunk, "" if it has none."""
    if scores not in paths.before:
        return ""
    choice = choose_maps(features, paths.to(scores, trunk))
    return infos_of(features, choice.names).name if choice.names else ""


class ScoreSlice(NamedTuple):
    """The tensor that holds the entries `first` to `stop` - 1 of an axis of the scores."""

    scores: str
    first: int
    stop: int


def find_parts(index: GraphIndex, path: Collection[str], scores: str, axis: int) -> List[ScoreSlice]:
    """Split an axis of the class scores into the tensors that are joined along it.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : collection of str
        The tensors from the input to the scores.
    scores : str
        The tensor of class scores.
    axis : int
        The axis, counted from 0.

    Returns
    -------
    list of ScoreSlice
        In the order of the axis; empty if it is not joined.

    Raises
    ------
    BindingError
        If the length of a part is unknown, so that its entries cannot be told from the others.
    """
    waiting: List[Tuple[str, Optional[int]]] = [(scores, axis)]  # None: the tensor is one entry of the axis
    done: List[Tuple[str, Optional[int]]] = []
    while waiting:
        name, entry_axis = waiting.pop()
        source = None if entry_axis is None else follow_axis(index, path, Axis(name, entry_axis))
        joined = [] if source is None else _joined(index, source)
        if joined and len(done) + len(waiting) + len(joined) <= MOST_PARTS:
            waiting += reversed(joined)
        else:
            done.append((name, entry_axis))
    if len(done) < 2:
        return []
    stops = list(accumulate(_length(index, name, entry_axis, scores) for name, entry_axis in done))
    return [ScoreSlice(name, first, stop) for (name, _), first, stop in zip(done, [0, *stops], stops)]


def _joined(index: GraphIndex, source: Axis) -> List[Tuple[str, Optional[int]]]:
    op = index.maker[source.tensor]
    if op.type == "Pack" and op.get_attr("axis") % (index.rank(source.tensor) or 1) == source.axis:
        return [(name, None) for name in index.inputs[op.name]]
    if op.type in CONCATS and concat_axis(index, op) == source.axis:
        return [(name, source.axis) for name in concat_inputs(index, op)]
    return []


def concat_inputs(index: GraphIndex, op: tf.Operation) -> Sequence[str]:
    """Return the tensors that a concat joins."""
    names = index.inputs[op.name]
    return names[:-1] if op.type == "ConcatV2" else names[1:]


def concat_axis(index: GraphIndex, op: tf.Operation) -> Optional[int]:
    """Return the axis of a concat, counted from 0; None if the graph does not fix it."""
    names = index.inputs[op.name]
    axis, rank = index.constant(names[-1] if op.type == "ConcatV2" else names[0]), index.rank(index.outputs[op.name][0])
    return None if axis is None or rank is None else int(axis) % rank


def _length(index: GraphIndex, name: str, axis: Optional[int], scores: str) -> int:
    length = 1 if axis is None else _static_length(index, name, axis)
    if length is None:
        raise BindingError(
            f"'{scores}' joins several tensors, but the shape {index.tensors[name].shape} of '{name}' does not say "
            "how many entries it holds, so that classes cannot be assigned to branches; name a layer"
        )
    return length


def _static_length(index: GraphIndex, name: str, axis: int) -> Optional[int]:
    dims = index.dims(name)
    if dims is None or dims[axis] is not None:
        return None if dims is None else dims[axis]
    op = index.maker[name]
    while op.type in FORWARDING | ACTIVATIONS and index.inputs[op.name]:  # these keep every side
        index.walk()
        op = index.maker[index.inputs[op.name][0]]
    before = index.dims(index.inputs[op.name][0]) if op.type == "Reshape" else None
    if axis == 0 or not before:
        return None
    # [N, h, w, anchors * C] laid out as [N, ?, C]
    total, others = size(before[1:]), size([side for n, side in enumerate(dims) if n not in (0, axis)])
    return None if total is None or others is None else total // others
