"""Which axis of a tensor holds the images and which the classes, followed from the input through the net."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, Optional, Sequence

from gradcam_tf1.binding.axis_rules import RULES, Axes
from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layout import input_layout
from gradcam_tf1.binding.op_kinds import CLIPS, CTC_OPS, FORWARDING, SUMS

_LOOP_OPS = {"While", "StatelessWhile"}  # each output is the last value of the input of its number
_REPEATING = FORWARDING | CLIPS | SUMS | {"Log", "Softmax", "LogSoftmax", "Cast"}


def follow_axes(walk: GraphIndex, starts: Sequence[str], batched: Callable[[str], bool]) -> Dict[str, Axes]:
    """The axes of every tensor that carries values of one of the inputs; one pass over the graph.

    batched: whether an input has an axis of images, which is its first.
    """
    found = {start: _at_input(walk, start, batched(start)) for start in starts}
    loop = _Loops()
    for op in walk.makers(walk.downstream(starts)):
        inputs = [name for name in walk.inputs[op.name] if name in found]
        name = max(inputs, key=lambda each: walk.rank(each) or 0, default="")
        for place, out in enumerate(walk.outputs[op.name]):
            if op.type in _LOOP_OPS:
                name = walk.inputs[op.name][place]
            # what a loop hands on to its next round is not known yet: it is taken for one row per image
            state = loop.of(op, found[name]) or _step(walk, op, name, found) if name in found else Axes()
            found.setdefault(out, _within(state, walk.rank(out)))
    for name in dict.fromkeys(walk.inputs[op.name][0] for op in walk.ops if op.type in CTC_OPS):
        _set_time_major(walk, name, found)
    return found


def _step(walk: GraphIndex, op: Op, name: str, found: Dict[str, Axes]) -> Axes:
    rule = RULES.get(op.type)
    return found[name] if rule is None else rule(walk, op, name, found)


def _set_time_major(walk: GraphIndex, name: str, found: Dict[str, Axes]) -> None:
    """What CTC reads is [T, N, C], whatever is known of the ways before: so is what it repeats, up to a Transpose."""
    state = Axes(1, channels=frozenset({2}))
    while name in found:
        found[name] = state
        op = walk.maker[name]
        if op.type == "Transpose":
            order = walk.constant(walk.inputs[op.name][1])
            axes = [int(axis) for axis in order.reshape(-1)] if order is not None else []
            if sorted(axes) != [0, 1, 2]:
                return
            state = replace(state, images=axes[1], channels=frozenset({axes[2]}))
        elif op.type not in _REPEATING:
            return
        name = next((each for each in walk.inputs[op.name] if each in found), "")


def _within(state: Axes, rank: Optional[int]) -> Axes:
    """The state with no axis that a tensor of this rank does not have."""
    if rank is None or state.channels is None or all(axis < rank for axis in state.channels):
        return state
    return replace(state, channels=None)


def _at_input(walk: GraphIndex, name: str, batched: bool) -> Axes:
    rank = walk.rank(name)
    if rank is None:
        return Axes()
    image = rank == 4 or (rank == 3 and not batched)
    first = image and not input_layout(walk, name)
    return Axes(0 if batched else None, channels=frozenset({rank - 3 if first else rank - 1}))


class _Loops:
    """The axes behind a loop over time or over the images: a tensor is unstacked, and its results are stacked again.

    What is stacked has the loop's axis in front, as what was unstacked last had.
    """

    _UNSTACK = ("TensorArrayScatterV3", "TensorArrayScatterV2", "TensorListFromTensor", "TensorArrayUnpack")
    _STACK = ("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorListStack", "TensorArrayPack")

    def __init__(self) -> None:
        self._whole: Optional[Axes] = None

    def of(self, op: Op, state: Axes) -> Optional[Axes]:
        if op.type in self._UNSTACK:
            self._whole = state
        if op.type not in self._STACK or self._whole is None:
            return None
        rank = op.outputs[0].shape.rank
        return replace(self._whole, channels=None if rank is None else frozenset({rank - 1}))
