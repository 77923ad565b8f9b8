"""Class scores that a concat joins: which classes, or which anchors, come from which tensor."""

from __future__ import annotations

from itertools import accumulate
from typing import Collection, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layer_choice import Choice, choose_maps
from gradcam_tf1.binding.layer_paths import LayerPaths
from gradcam_tf1.binding.layer_specs import infos_of
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import CONCATS
from gradcam_tf1.binding.whole_axis import Axis, where_whole
from gradcam_tf1.errors import BindingError
from gradcam_tf1.types import Branch

MOST_PARTS = 256


def find_branches(features: Features, ways: LayerPaths, bound: Choice, axes: str, detector: bool) -> Tuple[Branch, ...]:
    """The parts that the class scores are joined of, by classes or else by anchors, each with its own last map.

    ways: to the scores. bound: the maps that all of them depend on. axes: of the scores, see `Binding.score_axes`.
    detector: whether their columns are more than classes. Raises: BindingError as `find_parts`.
    """
    parts, anchors = [] if detector else _parts_along(features, ways.end, axes, "c"), False
    if not parts and axes.count("a") == 1 and axes.startswith("n"):
        parts, anchors = _parts_along(features, ways.end, axes, "a"), True
    trunk = bound.names[0] if bound.complete and len(bound.names) == 1 else None
    return tuple(Branch(*part, layer=_own_layer(features, ways, part.scores, trunk), anchors=anchors) for part in parts)


def _parts_along(features: Features, scores: str, axes: str, letter: str) -> List[ScoreSlice]:
    return find_parts(features.walk, features.path, scores, axes.index(letter)) if letter in axes else []


def _own_layer(features: Features, ways: LayerPaths, scores: str, trunk: Optional[str]) -> str:
    """The last map of one branch; only what is behind the trunk is looked through."""
    if scores not in ways.before:
        return ""
    own = choose_maps(features, ways.to(scores, trunk))
    return infos_of(features, own.names).name if own.names else ""


class ScoreSlice(NamedTuple):
    """The tensor that holds the entries first .. stop - 1 of an axis of the scores."""

    scores: str
    first: int
    stop: int


def find_parts(walk: GraphIndex, path: Collection[str], scores: str, axis: int) -> List[ScoreSlice]:
    """What an axis of the class scores is joined of, in its order; empty where it is not joined.

    path: the tensors from the input to the scores. axis: counted from 0.
    Raises: BindingError where the length of a part is not known, so that nobody can say which entries are its.
    """
    waiting: List[Tuple[str, Optional[int]]] = [(scores, axis)]  # None: one entry of the axis
    done: List[Tuple[str, Optional[int]]] = []
    while waiting:
        name, at = waiting.pop()
        whole = None if at is None else where_whole(walk, path, Axis(name, at))
        joined = [] if whole is None else _joined(walk, whole)
        if joined and len(done) + len(waiting) + len(joined) <= MOST_PARTS:
            waiting += reversed(joined)
        else:
            done.append((name, at))
    if len(done) < 2:
        return []
    stops = list(accumulate(_length(walk, name, at, scores) for name, at in done))
    return [ScoreSlice(name, first, stop) for (name, _), first, stop in zip(done, [0, *stops], stops)]


def _joined(walk: GraphIndex, whole: Axis) -> List[Tuple[str, Optional[int]]]:
    op = walk.maker[whole.tensor]
    if op.type == "Pack" and op.get_attr("axis") % (walk.rank(whole.tensor) or 1) == whole.axis:
        return [(name, None) for name in walk.inputs[op.name]]
    if op.type in CONCATS and concat_axis(walk, op) == whole.axis:
        return [(name, whole.axis) for name in concat_inputs(walk, op)]
    return []


def concat_inputs(walk: GraphIndex, op: Op) -> Sequence[str]:
    """What a concat joins."""
    names = walk.inputs[op.name]
    return names[:-1] if op.type == "ConcatV2" else names[1:]


def concat_axis(walk: GraphIndex, op: Op) -> Optional[int]:
    """The axis along which it does, from 0; None where the graph does not fix it."""
    names = walk.inputs[op.name]
    axis, rank = walk.constant(names[-1] if op.type == "ConcatV2" else names[0]), walk.rank(walk.outputs[op.name][0])
    return None if axis is None or rank is None else int(axis) % rank


def _length(walk: GraphIndex, name: str, axis: Optional[int], scores: str) -> int:
    known = 1 if axis is None else _static_length(walk, name, axis)
    if known is None:
        raise BindingError(
            f"'{scores}' is joined of parts, but the shape {walk.tensors[name].shape} of '{name}' does not say how "
            "many of its entries that part holds, so that nobody can tell which are whose. Name a layer"
        )
    return known


def _static_length(walk: GraphIndex, name: str, axis: int) -> Optional[int]:
    dims = walk.dims(name)
    if dims is None or dims[axis] is not None:
        return None if dims is None else dims[axis]
    op = walk.maker[name]
    before = walk.dims(walk.inputs[op.name][0]) if op.type == "Reshape" else None
    others = [side for n, side in enumerate(dims) if n not in (0, axis)]
    if axis == 0 or not before or None in before[1:] or None in others:
        return None
    # [N, h, w, anchors * C] laid out as [N, ?, C]
    return int(np.prod(before[1:])) // int(np.prod(others))
