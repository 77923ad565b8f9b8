"""Softmaxes and sigmoids whose values the net combines or pools into its outputs, so that they are not the scores."""

from __future__ import annotations

from typing import Callable, Collection, Dict, List, Set

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import POOLS, REDUCTIONS, SLICES, WEIGHTED, is_training_op
from gradcam_tf1.binding.pre_softmax import activation_at
from gradcam_tf1.binding.score_axes import class_count, pools, ranks_positions, same_classes
from gradcam_tf1.tf_runtime import tf

_COMBINING = {
    "Mul", "Add", "AddV2", "AddN", "Sub", "RealDiv", "Div", "DivNoNan", "Pow", "Maximum", "Minimum", "Select",
    "SelectV2", "SquaredDifference",
}  # fmt: skip
_NONE = "(no softmax or sigmoid)"


def intermediate(index: GraphIndex, net: Collection[str], is_output: Callable[[str], bool]) -> Set[str]:
    """Find the softmaxes and sigmoids that outputs combine or pool, and that no output or decision repeats.

    Takes two passes over the graph.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    net : collection of str
        The tensors of the net.
    is_output : callable
        Returns whether a float tensor is an output.

    Returns
    -------
    set of str
        The tensors after these activations.
    """
    activations = (activation_at(index, op) for op in index.makers(net))
    activated = {activation.output for activation in activations if activation is not None}
    uses = _TensorUses(index, _origins(index, net, activated), activated)
    for op in reversed(index.makers(net)):
        for name in index.outputs[op.name]:
            if name in net:
                uses.look_ahead(name)
                if is_output(name) if index.is_float(name) else not index.users[name]:
                    uses.repeated.add(name)
    return {name for name in activated if name in uses.combined and name not in uses.repeated}


class _TensorUses:
    """How tensors reach the outputs: repeated unchanged, combined or pooled, or both on different paths."""

    def __init__(self, index: GraphIndex, origins: Dict[str, str], activated: Set[str]) -> None:
        self.repeated: Set[str] = set()
        self.combined: Set[str] = set()
        self._index, self._origins, self._activated = index, origins, activated
        self._mixing: Dict[str, bool] = {}

    def look_ahead(self, name: str) -> None:
        """Note how a tensor reaches the outputs; the tensors computed from it must be known already."""
        for op, slot in self._index.users[name]:
            if is_training_op(op.name, op.type) or "NonMaxSuppression" in op.type or self._leaves_classes(op, name):
                continue
            for out in self._index.flows(op, slot):
                if self._index.is_float(out):
                    if out in self.combined or (out in self.repeated and self._mixes(op)):
                        self.combined.add(name)
                    if out in self.repeated and not self._mixes(op):
                        self.repeated.add(name)
                elif out in self.repeated and not ranks_positions(self._index, op):  # a decision
                    self.repeated.add(name)

    def _leaves_classes(self, op: tf.Operation, name: str) -> bool:
        """Return whether an op reduces the classes; a sum of products with other values is the score of a mixture."""
        if op.type not in REDUCTIONS or pools(self._index, op) is not False:
            return False
        origin = self._origins.get(name, _NONE)
        return op.type not in ("Sum", "Mean") or origin == _NONE or origin in self._activated

    def _mixes(self, op: tf.Operation) -> bool:
        """Return whether an op combines softmaxes with each other or with other values, or pools them."""
        if op.name not in self._mixing:
            self._mixing[op.name] = self._find_mixing(op)
        return self._mixing[op.name]

    def _find_mixing(self, op: tf.Operation) -> bool:
        if op.type in REDUCTIONS:
            return pools(self._index, op) is True and not self._joins_images(op)
        if op.type in POOLS or ranks_positions(self._index, op):
            return True
        origins = {self._origins[name] for name in self._index.inputs[op.name] if name in self._origins}
        return op.type in _COMBINING and len(origins) > 1

    def _joins_images(self, op: tf.Operation) -> bool:
        """Return whether the op merges images that are processed one by one (frames) into one."""
        state = self._index.axes.get(self._index.outputs[op.name][0])
        return state is not None and state.rows


def _origins(index: GraphIndex, net: Collection[str], activated: Set[str]) -> Dict[str, str]:
    """Map every float tensor to the softmax or sigmoid it is computed from, or to the tensor that joined several."""
    origins: Dict[str, str] = {}
    for op in index.makers(net):
        before = {origins.get(name, _NONE) for name in index.inputs[op.name] if name in net and index.is_float(name)}
        for out in index.outputs[op.name]:
            if out not in net or not index.is_float(out) or not before:
                continue
            if op.type in WEIGHTED:
                origins[out] = _NONE
            else:
                single = len(before) == 1 and out not in activated and not _is_share(index, op, out)
                origins[out] = next(iter(before)) if single else out
    return origins


def _is_share(index: GraphIndex, op: tf.Operation, out: str) -> bool:
    """Return whether the op cuts out some images, members or positions with all their classes."""
    if op.type not in SLICES | {"Unpack"} or index.rank(out) == 1:
        return False
    return same_classes(index, out, index.inputs[op.name][1 if op.type == "Split" else 0])


def first_of_most_classes(index: GraphIndex, names: Collection[str]) -> List[str]:
    """Return the tensors with the most classes, without those computed from another of them."""
    counts = {name: class_count(index, name) or 0 for name in names}
    kept: List[str] = []
    later: Set[str] = set()
    for name in sorted(names, key=lambda name: index.position[index.maker[name].name])[: index.affordable]:
        if counts[name] == max(counts.values()) and name not in later:
            kept.append(name)
            later |= index.downstream([name])
    return kept
