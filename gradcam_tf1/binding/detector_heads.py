"""Detectors like YOLO: one tensor of columns, cut into boxes, objectness and classes for each anchor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import CONCATS, FORWARDING, RESHAPING, SLICES, WEIGHTED, is_training_op
from gradcam_tf1.binding.pre_softmax import Activated, activation_at, before_activation
from gradcam_tf1.tf_runtime import tf

_BOX = 4  # columns of a box
_MOST = 40  # most scales of a detector


@dataclass(frozen=True)
class Detector:
    """One scale of a detector.

    Attributes
    ----------
    scores, objectness : str
        Both before their activations; `objectness` is "" if it is a column of `scores`.
    output : str
        The activated classes.
    softmax : bool
        Whether the activation is a softmax over the classes; otherwise it is a sigmoid.
    columns : frozenset of str
        All tensors cut from the same one, activated or not.
    first : int
        The classes are the columns of `scores` from this one on; without an `objectness` tensor, the column before
        them is the objectness.
    """

    scores: str
    objectness: str
    output: str
    softmax: bool
    columns: FrozenSet[str]
    first: int = 0


@dataclass(frozen=True)
class Scales:
    """The scales of a detector, in the order in which `tensor` joins their anchors; of a single scale, its scores."""

    tensor: str
    detectors: Tuple[Detector, ...]


@dataclass(frozen=True)
class _Cut:
    """Columns `begin` to `end` of the last axis, and their activation."""

    begin: int
    end: int
    tensor: str
    activated: Optional[Activated]


def find_detectors(index: GraphIndex, net: Set[str]) -> List[Scales]:
    """Find all detectors among the tensors of a net; joined scales form one detector."""
    cuts: Dict[str, List[_Cut]] = {}
    for op in index.makers(net):
        if op.type in SLICES:
            for source, cut in _cuts_at(index, op):
                cuts.setdefault(source, []).append(cut)
    deep = {source: parts for source, parts in cuts.items() if (index.rank(source) or 0) >= 3}
    together = [_activated_before_cuts(index, source, parts) for source, parts in deep.items()]
    outputs = {scale.output for scale in together if scale is not None}
    apart = [_activated_after_cuts(index, source, parts) for source, parts in deep.items()]
    scales = [scale for scale in together + apart if scale is not None]
    detectors = [scale for scale in scales if scale.first or scale.output not in outputs]
    return _joined(index, detectors) if len(detectors) <= _MOST else []


def _cuts_at(index: GraphIndex, op: tf.Operation) -> Iterator[Tuple[str, _Cut]]:
    """Yield the input and the cut for each output of a slice or split along the last axis."""
    slot = 1 if op.type == "Split" else 0
    source = index.inputs[op.name][slot]
    dims = index.dims(source)
    if not dims or dims[-1] is None:
        return
    begin = _begin(index, op) if op.type in ("StridedSlice", "Slice") else 0
    if begin is None or not _along_last_axis(index, op, len(dims)):
        return
    for out in index.outputs[op.name]:
        after = index.dims(out)
        width = None if not after else after[-1] if len(after) == len(dims) else 1
        if width is None or width >= dims[-1]:
            return
        yield source, _Cut(begin, begin + width, out, _activated(index, out))
        begin += width


def _begin(index: GraphIndex, op: tf.Operation) -> Optional[int]:
    value = index.constant(index.inputs[op.name][1])
    if value is None or not value.size:
        return None
    last = value.size - 1
    if op.type == "StridedSlice" and op.get_attr("begin_mask") >> last & 1:
        return 0
    return int(value.reshape(-1)[last])


def _along_last_axis(index: GraphIndex, op: tf.Operation, rank: int) -> bool:
    inputs = index.inputs[op.name]
    if op.type in ("Split", "SplitV"):
        axis = index.constant(inputs[0 if op.type == "Split" else 2])
        return axis is not None and int(axis) % rank == rank - 1
    before, after = index.dims(inputs[0]) or (), index.dims(index.outputs[op.name][0]) or ()
    if op.type == "Slice" or len(before) == len(after):
        return len(before) == len(after) and list(before[1:-1]) == list(after[1:-1])
    last = index.constant(inputs[1])
    shrunk = last is not None and op.get_attr("shrink_axis_mask") == 1 << last.size - 1
    return shrunk and list(before[1:-1]) == list(after[1:])


def _activated(index: GraphIndex, name: str) -> Optional[Activated]:
    """Return the sigmoid or softmax of a tensor, also after Reshape and Identity."""
    for _ in range(6):
        following = [op for op, slot in index.users[name] if slot == 0 and not is_training_op(op.name, op.type)]
        for op in following:
            activation = activation_at(index, op)
            if activation is not None and not activation.log:
                return activation
        onward = [op for op in following if op.type in FORWARDING | RESHAPING]
        if not onward:
            return None
        name = index.outputs[onward[0].name][0]
    return None


def _activated_after_cuts(index: GraphIndex, source: str, cuts: Sequence[_Cut]) -> Optional[Detector]:
    """The classes are the columns with a softmax, or the last ones with a sigmoid; one sigmoid column is objectness."""
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
        before_activation(index, kind.scores),
        objectness.scores,
        kind.output,
        kind.kind == "softmax",
        frozenset({source} | columns),
    )


def _activated_before_cuts(index: GraphIndex, source: str, cuts: Sequence[_Cut]) -> Optional[Detector]:
    """One sigmoid of all columns, which are cut afterwards.

    Into two columns of position, two of size and the rest; or into one column, and the rest multiplied by it.
    """
    op = index.maker[source]
    while op.type in FORWARDING | RESHAPING and index.inputs[op.name]:
        index.walk()
        op = index.maker[index.inputs[op.name][0]]
    activation = activation_at(index, op)
    if activation is None or activation.kind != "sigmoid":
        return None
    first = _first_class(index, (index.dims(source) or (0,))[-1] or 0, cuts)
    if not first:
        return None
    columns = {
        source,
        activation.output,
        activation.scores,
        before_activation(index, activation.scores),
        *(cut.tensor for cut in cuts),
    }
    return Detector(activation.scores, "", activation.output, False, frozenset(columns), first)


def _first_class(index: GraphIndex, width: int, cuts: Sequence[_Cut]) -> int:
    """Return the first column of the classes, which end at the last column; 0 if the cuts do not show it."""
    ranges = {(cut.begin, cut.end) for cut in cuts}
    rest = max((end for begin, end in ranges if begin in (_BOX, _BOX + 1)), default=0)
    if {(0, 2), (2, 4)} <= ranges and rest == width > _BOX + 1:
        return _BOX + 1
    single = {cut.end: _factor_of(index, cut.tensor) for cut in cuts if cut.end == cut.begin + 1 < width}
    for cut in cuts:
        if cut.end == width and single.get(cut.begin, set()) & _factor_of(index, cut.tensor):
            return cut.begin
    return 0


def _factor_of(index: GraphIndex, name: str) -> Set[str]:
    """Return the products that a tensor is a factor of, also after Reshape and Identity."""
    products: Set[str] = set()
    for _ in range(6):
        products |= {op.name for op, _ in index.users[name] if op.type == "Mul"}
        onward = [op for op, slot in index.users[name] if slot == 0 and op.type in FORWARDING | RESHAPING]
        if not onward:
            break
        name = index.outputs[onward[0].name][0]
    return products


def _of(activation: Optional[Activated]) -> Tuple[str, ...]:
    return () if activation is None else (activation.scores, activation.output)


def _joined(index: GraphIndex, detectors: Sequence[Detector]) -> List[Scales]:
    """Group detectors by the first concat in which each has an input of its own."""
    entered: Dict[str, Dict[int, Detector]] = {}
    for detector in detectors:
        for op, slot in _concats_after(index, detector.output):
            slots = entered.setdefault(op.name, {})
            if detector not in slots.values():
                slots[slot] = detector
    groups: List[Scales] = []
    left = list(detectors)
    for name in sorted(entered, key=index.position.__getitem__):
        parts = [entered[name][slot] for slot in sorted(entered[name]) if entered[name][slot] in left]
        if len(parts) > 1:
            groups.append(Scales(index.outputs[name][0], tuple(parts)))
            left = [detector for detector in left if detector not in parts]
    return groups + [Scales(detector.scores, (detector,)) for detector in left]


def _concats_after(index: GraphIndex, name: str) -> List[Tuple[tf.Operation, int]]:
    """Return the concats that a tensor reaches without a layer in between, and the number of their input."""
    concats: List[Tuple[tf.Operation, int]] = []
    seen, stack = {name}, [name]
    while stack:
        for op, slot in index.users[stack.pop()]:
            if op.type in WEIGHTED or is_training_op(op.name, op.type):
                continue
            if op.type in CONCATS:
                concats.append((op, slot))
            fresh = [out for out in index.outputs[op.name] if out not in seen]
            seen.update(fresh)
            stack += fresh
    index.spend(len(seen))
    return concats
