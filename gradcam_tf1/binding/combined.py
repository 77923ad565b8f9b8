"""Softmaxes and sigmoids that are no last word: what the net puts out is combined or pooled of them."""

from __future__ import annotations

from typing import Callable, Collection, Dict, List, Set

from gradcam_tf1.binding.kinds import POOLS, REDUCTIONS, SLICES, WEIGHTED, is_training_op
from gradcam_tf1.binding.score_axes import class_count, pools
from gradcam_tf1.binding.scores import activation_at
from gradcam_tf1.binding.shown import same_classes
from gradcam_tf1.binding.walk import Op, Walk

_COMBINING = {
    "Mul", "Add", "AddV2", "AddN", "Sub", "RealDiv", "Div", "DivNoNan", "Pow", "Maximum", "Minimum", "Select",
    "SelectV2", "SquaredDifference",
}  # fmt: skip
_NONE = "(made of no softmax or sigmoid)"


def intermediate(walk: Walk, net: Collection[str], is_output: Callable[[str], bool]) -> Set[str]:
    """The softmaxes and sigmoids that outputs are combined or pooled of, and that no output or decision repeats.

    net: the tensors of the net. is_output: whether a tensor of floats is put out. Two passes over the graph.
    """
    found = (activation_at(walk, op) for op in walk.makers(net))
    activated = {each.output for each in found if each is not None}
    origins = _origins(walk, net, activated)
    repeated: Set[str] = set()
    combined: Set[str] = set()
    for op in reversed(walk.makers(net)):
        for name in walk.outputs[op.name]:
            if name not in net:
                continue
            if is_output(name) if walk.is_float(name) else not walk.users[name]:
                repeated.add(name)
            for user, index in walk.users[name]:
                _look_ahead(walk, name, user, walk.flows(user, index), origins, repeated, combined)
    return {name for name in activated if name in combined and name not in repeated}


def _look_ahead(walk: Walk, name: str, op: Op, outputs: Collection[str], origins: Dict[str, str], repeated: Set[str],
                combined: Set[str]) -> None:  # fmt: skip
    """Note how an op hands a tensor on to the outputs: as it is, or combined with others."""
    if is_training_op(op.name, op.type) or "NonMaxSuppression" in op.type:
        return
    if op.type in REDUCTIONS and pools(walk, op) is False:  # over the classes
        return
    mixes = _combines(walk, op, origins)
    for out in outputs:
        if walk.is_float(out):
            if out in combined or (mixes and out in repeated):
                combined.add(name)
            if out in repeated and not mixes:
                repeated.add(name)
        elif out in repeated:  # a decision
            repeated.add(name)


def _combines(walk: Walk, op: Op, origins: Dict[str, str]) -> bool:
    """Whether an op combines several softmaxes, or one and other values, or pools positions or members."""
    if op.type in REDUCTIONS | POOLS:
        return op.type in POOLS or pools(walk, op) is True
    return op.type in _COMBINING and len({origins[name] for name in walk.inputs[op.name] if name in origins}) > 1


def _origins(walk: Walk, net: Collection[str], activated: Set[str]) -> Dict[str, str]:
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


def _is_share(walk: Walk, op: Op, out: str) -> bool:
    """Whether some of the pictures, members or positions are cut off with all their classes."""
    if op.type not in SLICES | {"Unpack"} or walk.rank(out) == 1:
        return False
    return same_classes(walk, out, walk.inputs[op.name][1 if op.type == "Split" else 0])


def first_of_most_classes(walk: Walk, names: Collection[str]) -> List[str]:
    """Of the tensors those with the most classes, without what is computed of another of them."""
    counts = {name: class_count(walk, name) or 0 for name in names}
    found: List[str] = []
    later: Set[str] = set()
    for name in sorted(names, key=lambda name: walk.position[walk.maker[name].name])[: walk.affordable]:
        if counts[name] == max(counts.values()) and name not in later:
            found.append(name)
            later |= walk.downstream([name])
    return found
