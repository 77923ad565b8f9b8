"""Detectors in the manner of YOLO: one tensor of columns, cut into boxes, objectness and classes for each anchor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import CONCATS, FORWARDING, RESHAPING, SLICES, WEIGHTED, is_training_op
from gradcam_tf1.binding.pre_softmax import Activated, activation_at, before_activation

_BOX = 4  # columns of a box
_MOST = 40  # a graph with more is no detector


@dataclass(frozen=True)
class Detector:
    """One scale. scores, objectness: before their activations. output: the activated classes. softmax: not sigmoid.

    columns: all tensors that are cut from the same one, activated or not. first: the classes are the columns of
    `scores` from this one on, and the column before them is the objectness where no tensor of its own holds it.
    """

    scores: str
    objectness: str
    output: str
    softmax: bool
    columns: FrozenSet[str]
    first: int = 0


@dataclass(frozen=True)
class Scales:
    """Detectors whose anchors are joined in one tensor, in its order; of one alone it is its scores."""

    tensor: str
    detectors: Tuple[Detector, ...]


@dataclass(frozen=True)
class _Cut:
    """Columns begin to end of the last axis, and what is taken of them."""

    begin: int
    end: int
    tensor: str
    activated: Optional[Activated]


def find_detectors(walk: GraphIndex, net: Set[str]) -> List[Scales]:
    """All detectors among the tensors of a net, those whose scales are joined together."""
    cuts: Dict[str, List[_Cut]] = {}
    for op in walk.makers(net):
        if op.type in SLICES:
            for source, cut in _cuts_at(walk, op):
                cuts.setdefault(source, []).append(cut)
    deep = {source: own for source, own in cuts.items() if (walk.rank(source) or 0) >= 3}
    whole = [_activated_as_a_whole(walk, source, own) for source, own in deep.items()]
    cut_later = {each.output for each in whole if each is not None}
    apart = [_detector(walk, source, own) for source, own in deep.items()]
    detectors = [each for each in whole + apart if each is not None and (each.first or each.output not in cut_later)]
    return _joined(walk, detectors) if len(detectors) <= _MOST else []


def _cuts_at(walk: GraphIndex, op: Op) -> Iterator[Tuple[str, _Cut]]:
    """What a slice or split along the last axis makes of its input."""
    index = 1 if op.type == "Split" else 0
    source = walk.inputs[op.name][index]
    dims = walk.dims(source)
    if not dims or dims[-1] is None:
        return
    begin = _begin(walk, op) if op.type in ("StridedSlice", "Slice") else 0
    if begin is None or not _along_last_axis(walk, op, len(dims)):
        return
    for out in walk.outputs[op.name]:
        after = walk.dims(out)
        width = None if not after else after[-1] if len(after) == len(dims) else 1
        if width is None or width >= dims[-1]:
            return
        yield source, _Cut(begin, begin + width, out, _activated(walk, out))
        begin += width


def _begin(walk: GraphIndex, op: Op) -> Optional[int]:
    value = walk.constant(walk.inputs[op.name][1])
    if value is None or not value.size:
        return None
    last = value.size - 1
    if op.type == "StridedSlice" and op.get_attr("begin_mask") >> last & 1:
        return 0
    return int(value.reshape(-1)[last])


def _along_last_axis(walk: GraphIndex, op: Op, rank: int) -> bool:
    inputs = walk.inputs[op.name]
    if op.type in ("Split", "SplitV"):
        axis = walk.constant(inputs[0 if op.type == "Split" else 2])
        return axis is not None and int(axis) % rank == rank - 1
    before, after = walk.dims(inputs[0]) or (), walk.dims(walk.outputs[op.name][0]) or ()
    if op.type == "Slice" or len(before) == len(after):
        return len(before) == len(after) and list(before[1:-1]) == list(after[1:-1])
    last = walk.constant(inputs[1])
    shrunk = last is not None and op.get_attr("shrink_axis_mask") == 1 << last.size - 1
    return shrunk and list(before[1:-1]) == list(after[1:])


def _activated(walk: GraphIndex, name: str) -> Optional[Activated]:
    """The sigmoid or softmax that is taken of a tensor, behind Reshape and Identity."""
    for _ in range(6):
        following = [op for op, index in walk.users[name] if index == 0 and not is_training_op(op.name, op.type)]
        for op in following:
            found = activation_at(walk, op)
            if found is not None and not found.log:
                return found
        onward = [op for op in following if op.type in FORWARDING | RESHAPING]
        if not onward:
            return None
        name = walk.outputs[onward[0].name][0]
    return None


def _detector(walk: GraphIndex, source: str, cuts: Sequence[_Cut]) -> Optional[Detector]:
    """The class columns are a softmax, or else the last sigmoid; the objectness is one sigmoid column before them."""
    active = sorted((cut for cut in cuts if cut.activated), key=lambda cut: cut.begin)
    named = [cut for cut in active if cut.activated and cut.activated.kind == "softmax"] or active[-1:]
    single = [
        cut for cut in active
        if cut.end - cut.begin == 1 and cut not in named and cut.activated and cut.activated.kind == "sigmoid"
    ]  # fmt: skip
    if not named or not single:
        return None
    classes = named[-1]
    beside = [cut for cut in single if cut.end == classes.begin] or single
    objectness, kind = beside[-1].activated, classes.activated
    if objectness is None or kind is None:
        return None
    columns = {name for cut in cuts for name in (cut.tensor, *_of(cut.activated))}
    return Detector(
        before_activation(walk, kind.scores),
        objectness.scores,
        kind.output,
        kind.kind == "softmax",
        frozenset({source} | columns),
    )


def _activated_as_a_whole(walk: GraphIndex, source: str, cuts: Sequence[_Cut]) -> Optional[Detector]:
    """One sigmoid of several columns, which are cut afterwards: two for the place, two for the size, and the rest; or
    one column, and the rest that is multiplied by it.
    """
    op = walk.maker[source]
    while op.type in FORWARDING | RESHAPING and walk.inputs[op.name]:
        op = walk.maker[walk.inputs[op.name][0]]
    found = activation_at(walk, op)
    if found is None or found.kind != "sigmoid":
        return None
    first = _first_class(walk, (walk.dims(source) or (0,))[-1] or 0, cuts)
    if not first:
        return None
    columns = {source, found.output, found.scores, before_activation(walk, found.scores), *(cut.tensor for cut in cuts)}
    return Detector(found.scores, "", found.output, False, frozenset(columns), first)


def _first_class(walk: GraphIndex, width: int, cuts: Sequence[_Cut]) -> int:
    """The first column of the classes, which end at the last one; 0 where the cuts do not tell."""
    places = {(cut.begin, cut.end) for cut in cuts}
    rest = max((end for begin, end in places if begin in (_BOX, _BOX + 1)), default=0)
    if {(0, 2), (2, 4)} <= places and rest == width > _BOX + 1:
        return _BOX + 1
    single = {cut.end: _factor_of(walk, cut.tensor) for cut in cuts if cut.end == cut.begin + 1 < width}
    for cut in cuts:
        if cut.end == width and single.get(cut.begin, set()) & _factor_of(walk, cut.tensor):
            return cut.begin
    return 0


def _factor_of(walk: GraphIndex, name: str) -> Set[str]:
    """The products that a tensor is a factor of, behind Reshape and Identity."""
    products: Set[str] = set()
    for _ in range(6):
        products |= {op.name for op, _ in walk.users[name] if op.type == "Mul"}
        onward = [op for op, index in walk.users[name] if index == 0 and op.type in FORWARDING | RESHAPING]
        if not onward:
            break
        name = walk.outputs[onward[0].name][0]
    return products


def _of(found: Optional[Activated]) -> Tuple[str, ...]:
    return () if found is None else (found.scores, found.output)


def _joined(walk: GraphIndex, detectors: Sequence[Detector]) -> List[Scales]:
    """Detectors grouped by the first concat that each enters by an input of its own."""
    entered: Dict[str, Dict[int, Detector]] = {}
    for detector in detectors:
        for op, index in _concats_after(walk, detector.output):
            places = entered.setdefault(op.name, {})
            if detector not in places.values():
                places[index] = detector
    groups: List[Scales] = []
    left = list(detectors)
    for name in sorted(entered, key=walk.position.__getitem__):
        parts = [entered[name][index] for index in sorted(entered[name]) if entered[name][index] in left]
        if len(parts) > 1:
            groups.append(Scales(walk.outputs[name][0], tuple(parts)))
            left = [detector for detector in left if detector not in parts]
    return groups + [Scales(detector.scores, (detector,)) for detector in left]


def _concats_after(walk: GraphIndex, name: str) -> List[Tuple[Op, int]]:
    """The concats that a tensor reaches without a layer in between, and by which input."""
    found: List[Tuple[Op, int]] = []
    seen, stack = {name}, [name]
    while stack:
        for op, index in walk.users[stack.pop()]:
            if op.type in WEIGHTED or is_training_op(op.name, op.type):
                continue
            if op.type in CONCATS:
                found.append((op, index))
            fresh = [out for out in walk.outputs[op.name] if out not in seen]
            seen.update(fresh)
            stack += fresh
    return found
