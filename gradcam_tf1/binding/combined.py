"""Softmaxes and sigmoids that are no last word: what the net puts out is combined or pooled of them."""

from __future__ import annotations

from typing import Callable, Collection, Dict, List, Set

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import POOLS, REDUCTIONS, SLICES, WEIGHTED, is_training_op
from gradcam_tf1.binding.pre_softmax import activation_at
from gradcam_tf1.binding.probabilities import same_classes
from gradcam_tf1.binding.score_axes import class_count, pools, ranks_positions

_COMBINING = {
    "Mul", "Add", "AddV2", "AddN", "Sub", "RealDiv", "Div", "DivNoNan", "Pow", "Maximum", "Minimum", "Select",
    "SelectV2", "SquaredDifference",
}  # fmt: skip
_NONE = "(made of no softmax or sigmoid)"


def intermediate(walk: GraphIndex, net: Collection[str], is_output: Callable[[str], bool]) -> Set[str]:
    """The softmaxes and sigmoids that outputs are combined or pooled of, and that no output or decision repeats.

    net: the tensors of the net. is_output: whether a tensor of floats is put out. Two passes over the graph.
    """
    found = (activation_at(walk, op) for op in walk.makers(net))
    activated = {each.output for each in found if each is not None}
    ways = _Ways(walk, _origins(walk, net, activated), activated)
    for op in reversed(walk.makers(net)):
        for name in walk.outputs[op.name]:
            if name in net:
                ways.look_ahead(name)
                if is_output(name) if walk.is_float(name) else not walk.users[name]:
                    ways.repeated.add(name)
    return {name for name in activated if name in ways.combined and name not in ways.repeated}


class _Ways:
    """How tensors are put out: repeated as they are, or combined and pooled; both for those with several ways."""

    def __init__(self, walk: GraphIndex, origins: Dict[str, str], activated: Set[str]) -> None:
        self.repeated: Set[str] = set()
        self.combined: Set[str] = set()
        self._walk, self._origins, self._activated = walk, origins, activated
        self._mixing: Dict[str, bool] = {}

    def look_ahead(self, name: str) -> None:
        """Note how a tensor goes on, once that is known of what is made of it."""
        for op, index in self._walk.users[name]:
            if is_training_op(op.name, op.type) or "NonMaxSuppression" in op.type or self._leaves_classes(op, name):
                continue
            for out in self._walk.flows(op, index):
                if self._walk.is_float(out):
                    if out in self.combined or (out in self.repeated and self._mixes(op)):
                        self.combined.add(name)
                    if out in self.repeated and not self._mixes(op):
                        self.repeated.add(name)
                elif out in self.repeated and not ranks_positions(self._walk, op):  # a decision
                    self.repeated.add(name)

    def _leaves_classes(self, op: Op, name: str) -> bool:
        """Whether an op reduces the classes; a sum of products with other values is the score of a mixture."""
        if op.type not in REDUCTIONS or pools(self._walk, op) is not False:
            return False
        made_of = self._origins.get(name, _NONE)
        return op.type not in ("Sum", "Mean") or made_of == _NONE or made_of in self._activated

    def _mixes(self, op: Op) -> bool:
        """Whether an op combines several softmaxes, or one and other values, or pools positions or members."""
        if op.name not in self._mixing:
            self._mixing[op.name] = self._find_mixing(op)
        return self._mixing[op.name]

    def _find_mixing(self, op: Op) -> bool:
        if op.type in REDUCTIONS:
            return pools(self._walk, op) is True and not self._joins_images(op)
        if op.type in POOLS or ranks_positions(self._walk, op):
            return True
        made_of = {self._origins[name] for name in self._walk.inputs[op.name] if name in self._origins}
        return op.type in _COMBINING and len(made_of) > 1

    def _joins_images(self, op: Op) -> bool:
        """Whether images that go in one by one (frames) come out as one, so that only what is before is theirs."""
        state = self._walk.axes.get(self._walk.outputs[op.name][0])
        return state is not None and state.rows


def _origins(walk: GraphIndex, net: Collection[str], activated: Set[str]) -> Dict[str, str]:
    """For every tensor of floats the softmax or sigmoid that it is made of, or the tensor that joined several."""
    found: Dict[str, str] = {}
    for op in walk.makers(net):
        before = {found.get(name, _NONE) for name in walk.inputs[op.name] if name in net and walk.is_float(name)}
        for out in walk.outputs[op.name]:
            if out not in net or not walk.is_float(out) or not before:
                continue
            if op.type in WEIGHTED:
                found[out] = _NONE
            else:
                alone = len(before) == 1 and out not in activated and not _is_share(walk, op, out)
                found[out] = next(iter(before)) if alone else out
    return found


def _is_share(walk: GraphIndex, op: Op, out: str) -> bool:
    """Whether some of the images, members or positions are cut off with all their classes."""
    if op.type not in SLICES | {"Unpack"} or walk.rank(out) == 1:
        return False
    return same_classes(walk, out, walk.inputs[op.name][1 if op.type == "Split" else 0])


def first_of_most_classes(walk: GraphIndex, names: Collection[str]) -> List[str]:
    """Of the tensors those with the most classes, without what is computed of another of them."""
    counts = {name: class_count(walk, name) or 0 for name in names}
    found: List[str] = []
    later: Set[str] = set()
    for name in sorted(names, key=lambda name: walk.position[walk.maker[name].name])[: walk.affordable]:
        if counts[name] == max(counts.values()) and name not in later:
            found.append(name)
            later |= walk.downstream([name])
    return found
