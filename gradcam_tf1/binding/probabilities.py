"""The probabilities of class scores, as the graph puts them out."""

from __future__ import annotations

from typing import Optional

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import QUANTISED, RESHAPING
from gradcam_tf1.binding.pre_softmax import Activated
from gradcam_tf1.binding.score_axes import class_axis

_SHOWING = RESHAPING | QUANTISED | {"Identity", "StridedSlice", "ResizeBilinear", "Transpose"}


def same_classes(walk: GraphIndex, name: str, scores: str) -> bool:
    """Whether two tensors have the same number of classes, as far as their shapes tell."""
    own, other = class_axis(walk, name), class_axis(walk, scores)
    shape, shape_of_scores = walk.dims(name), walk.dims(scores)
    if shape is None or shape_of_scores is None:
        return True
    sides = (shape[-1 if own is None else own], shape_of_scores[-1 if other is None else other])
    return None in sides or sides[0] == sides[1]


def shown_with(walk: GraphIndex, found: Activated, scores: str) -> Optional[str]:
    """The probabilities as the graph puts them out, where they have the classes of the scores."""
    if found.log or not same_classes(walk, found.output, scores):
        return None
    return shown_probabilities(walk, found.output) if walk.rank(found.output) != 1 or walk.rank(scores) == 1 else None


def shown_probabilities(walk: GraphIndex, name: str) -> str:
    """The probabilities as the graph puts them out: those of rank 2 as they are, maps followed to their last form."""
    while walk.rank(name) not in (2, None):
        later = [
            out
            for op, index in walk.users[name]
            if index == 0 and op.type in _SHOWING
            for out in walk.flows(op, index)
            if walk.is_float(out)
        ]
        if len(later) != 1 or not same_classes(walk, later[0], name):
            return name
        name = later[0]
    return name
