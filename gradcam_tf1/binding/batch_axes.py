"""The axes of images and channels of each tensor, followed from the input through the net."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, Optional, Sequence

from gradcam_tf1.binding.axis_rules import RULES
from gradcam_tf1.binding.graph_index import Axes, GraphIndex
from gradcam_tf1.binding.layout import input_layout
from gradcam_tf1.binding.op_kinds import CLIPS, CTC_OPS, FORWARDING, SUMS
from gradcam_tf1.tf_runtime import tf

_LOOP_OPS = {"While", "StatelessWhile"}  # output n is the last value of input n
_REPEATING = FORWARDING | CLIPS | SUMS | {"Log", "Softmax", "LogSoftmax", "Cast"}


def follow_axes(index: GraphIndex, starts: Sequence[str], batched: Callable[[str], bool]) -> Dict[str, Axes]:
    """Return the axes of every tensor that depends on one of the inputs, in one pass over the graph.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    starts : sequence of str
        Input tensors.
    batched : callable
        Returns whether an input has a batch axis, which is then its first axis.

    Returns
    -------
    dict of str to Axes
        By tensor name.
    """
    known = {start: _at_input(index, start, batched(start)) for start in starts}
    loop = _Loops()
    for op in index.makers(index.downstream(starts)):
        inputs = [name for name in index.inputs[op.name] if name in known]
        name = max(inputs, key=lambda tensor: index.rank(tensor) or 0, default="")
        for number, out in enumerate(index.outputs[op.name]):
            if op.type in _LOOP_OPS:
                name = index.inputs[op.name][number]
            # the state that a loop passes to its next round is not known yet; assume one row per image
            state = loop.of(op, known[name]) or _step(index, op, name, known) if name in known else Axes()
            known.setdefault(out, _within(state, index.rank(out)))
    for name in dict.fromkeys(index.inputs[op.name][0] for op in index.ops if op.type in CTC_OPS):
        _set_time_major(index, name, known)
    return known


def _step(index: GraphIndex, op: tf.Operation, name: str, known: Dict[str, Axes]) -> Axes:
    rule = RULES.get(op.type)
    return known[name] if rule is None else rule(index, op, name, known)


def _set_time_major(index: GraphIndex, name: str, known: Dict[str, Axes]) -> None:
    """Mark the input of a CTC op as [T, N, C], and the tensors that it repeats, back to a Transpose."""
    state = Axes(1, channels=frozenset({2}))
    while name in known:
        known[name] = state
        op = index.maker[name]
        if op.type == "Transpose":
            order = index.constant(index.inputs[op.name][1])
            axes = [int(axis) for axis in order.reshape(-1)] if order is not None else []
            if sorted(axes) != [0, 1, 2]:
                return
            state = replace(state, images=axes[1], channels=frozenset({axes[2]}))
        elif op.type not in _REPEATING:
            return
        name = next((tensor for tensor in index.inputs[op.name] if tensor in known), "")


def _within(state: Axes, rank: Optional[int]) -> Axes:
    """Forget channel axes that a tensor of this rank does not have."""
    if rank is None or state.channels is None or all(axis < rank for axis in state.channels):
        return state
    return replace(state, channels=None)


def _at_input(index: GraphIndex, name: str, batched: bool) -> Axes:
    rank = index.rank(name)
    if rank is None:
        return Axes()
    image = rank == 4 or (rank == 3 and not batched)
    first = image and not input_layout(index, name)
    return Axes(0 if batched else None, channels=frozenset({rank - 3 if first else rank - 1}))


class _Loops:
    """The axes after a loop over time or images, which unstacks a tensor and stacks the results.

    The stacked result has the loop's axis first, as the tensor that was unstacked last.
    """

    _UNSTACK = ("TensorArrayScatterV3", "TensorArrayScatterV2", "TensorListFromTensor", "TensorArrayUnpack")
    _STACK = ("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorListStack", "TensorArrayPack")

    def __init__(self) -> None:
        self._unstacked: Optional[Axes] = None

    def of(self, op: tf.Operation, state: Axes) -> Optional[Axes]:
        """Note the axes of an unstacked tensor; return those of a stacked one, None for any other op."""
        if op.type in self._UNSTACK:
            self._unstacked = state
        if op.type not in self._STACK or self._unstacked is None:
            return None
        rank = op.outputs[0].shape.rank
        return replace(self._unstacked, channels=None if rank is None else frozenset({rank - 1}))
