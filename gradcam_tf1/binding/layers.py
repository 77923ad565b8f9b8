"""The feature maps between the input and the logits, and the last of them.

A block is a convolution with the bias or batch norm and the activation that directly follow. Its last tensor is one
feature map. A concat or a residual sum, with its batch norm and activation, is a block too. If only a bias follows the
convolution, the map is the convolution's own output: the bias adds the same number everywhere.
Counted from the end, -1 is the last feature map and -3 the third from last. A convolution's output before its
normalisation and activation is listed too, but not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import layouts, sides
from gradcam_tf1.binding.op_kinds import (
    ACTIVATION_PARTS,
    ACTIVATIONS,
    AFFINE,
    BATCH_NORMS,
    BIASES,
    CLIPS,
    CONCATS,
    CONDITIONS,
    CONVOLUTIONS,
    FORWARDING,
    SUMS,
    WEIGHTED,
)
from gradcam_tf1.binding.spatial import made_by_classifiers, maps_on, pools_everything
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo

_REGION = 14  # most ops of a written-out activation


@dataclass(frozen=True)
class Block:
    """One feature map.

    Attributes
    ----------
    start : tf.Operation
        The first op of the block.
    end : str
        Its last tensor.
    activated, normalised : bool
        Whether the block has an activation, and whether it has a batch norm.
    """

    start: tf.Operation
    end: str
    activated: bool
    normalised: bool


class Features:
    """All feature maps on the paths from one input to one logits tensor.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    start, logits : str
        The two ends.

    Attributes
    ----------
    path : set of str
        All tensors between the two ends.
    maps : set of str
        Those of them that have positions.
    blocks : list of Block
        The feature maps; the last one is the last feature map.
    of_scores : list of Block
        Maps that already hold class scores.
    before_layers : set of str
        The tensors that a layer follows.
    layouts : dict of str to MapLayout
        By tensor name.
    ranks, starts : tuple of int or None
        Possible ranks of a feature map, and of the first output of a block; None for an unknown rank.
    nameable : tuple of int or None
        Possible ranks of a tensor that the user names as a layer.
    kind : str
        What such a tensor is, for messages.
    """

    ranks: Tuple[Optional[int], ...] = (4, None)
    starts: Tuple[Optional[int], ...] = (4, None)
    forwarding = FORWARDING
    nameable: Tuple[Optional[int], ...] = (3, 4, None)
    kind = "a float map [N, h, w, K] or [N, K, h, w], or tokens [N, tokens, K]"

    def __init__(self, index: GraphIndex, start: str, logits: str) -> None:
        self.index, self.start = index, start
        self.path = index.path(start, logits)
        self.layouts = self._layouts()
        self.maps = self._maps()
        layers = [op for op in index.makers(self.path) if op.type in WEIGHTED]
        self.before_layers = index.upstream([i for op in layers for i in index.inputs[op.name] if i in self.path])
        self._classified = made_by_classifiers(index, self.path)
        ops = index.makers(self.path)
        self._before_pooling = self._before(op for op in ops if pools_everything(index, op, self.maps))
        mixing = (op for op in ops if op.type in CONCATS | SUMS | BATCH_NORMS and self._mixes(op))
        self._before_mixing = self._before(mixing)
        self._absorbed: Set[str] = set()
        judged = [(block, self._scores_only(block)) for block in self._blocks()]
        self.of_scores = [block for block, scores_only in judged if scores_only]
        features = [block for block, scores_only in judged if not scores_only]
        self.blocks = self._in_order(features or [b for b in self.of_scores if b.start.type in CONVOLUTIONS])

    def _layouts(self) -> Dict[str, MapLayout]:
        return layouts(self.index, self.path, self.start)

    def _maps(self) -> Set[str]:
        return maps_on(self.index, self.path, self.start, self.layouts)

    # blocks

    def _blocks(self) -> List[Block]:
        return [block for op in self.index.makers(self.path) for block in self._block_at(op)]

    def _block_at(self, op: tf.Operation) -> List[Block]:
        out = self.index.outputs[op.name][0]
        if out not in self.maps or out in self._absorbed or self.index.rank(out) not in self.starts:
            return []
        if out in self.index.looped:  # one value per round, which cannot be fetched
            return []
        if op.type in CONVOLUTIONS:
            return [] if self._is_half_of_separable(op) else [self._block(op, out)]
        if op.type in CONCATS or op.type in SUMS:
            joined = {i for i in self.index.carried(op, out) if i in self.path}
            if len(joined) > 1 and joined & self.maps:
                return [self._block(op, out)]
        return []

    def _is_half_of_separable(self, op: tf.Operation) -> bool:
        """Return whether a pointwise convolution directly follows a depthwise one; both are one block."""
        if op.type != "DepthwiseConv2dNative":
            return False
        users = self._users(self.index.outputs[op.name][0])
        while [user.type for user, _ in users] == ["Transpose"]:
            self.index.walk()
            users = self._users(users[0][1][0])
        return [user.type for user, _ in users] == ["Conv2D"]

    def _users(self, name: str) -> List[Tuple[tf.Operation, Sequence[str]]]:
        """Return the ops on the path that carry the tensor, not into a loop, with their outputs on the path."""
        users: Dict[str, Tuple[tf.Operation, Sequence[str]]] = {}
        for op, slot in self.index.users[name]:
            outputs = [out for out in self.index.flows(op, slot) if out in self.path and out not in self.index.looped]
            if outputs:
                users.setdefault(op.name, (op, outputs))
        return list(users.values())

    def _block(self, start: tf.Operation, out: str) -> Block:
        """Follow bias, batch norm and activation forward from `out`."""
        here, end, normalised, kind = out, out, False, ""
        while kind != "activation":
            users = self._users(here)
            step = self._simple_step(users, here) or self._region_step(here)
            if step is None:
                break
            here, kind = step
            self._absorbed.add(here)
            normalised = normalised or kind == "norm"
            settled = normalised and (kind == "bias" or self.index.maker[here].type == "Merge")
            if settled or kind in ("norm", "clip", "activation") or self.index.rank(end) not in self.ranks:
                end = here
        return Block(start, end, kind in ("clip", "activation"), normalised)

    def _simple_step(self, users: Sequence[Tuple[tf.Operation, Sequence[str]]], end: str) -> Optional[Tuple[str, str]]:
        """Return the tensor after a single forwarding, bias, normalising or activation op, and the kind of the op."""
        if len(users) != 1 or len(users[0][1]) != 1:
            return None
        op, (out,) = users[0]
        if op.type in ACTIVATIONS:
            return out, "activation"
        if op.type == "BatchToSpaceND":
            return out, "norm"  # the rest of a dilated convolution
        if op.type in self.forwarding | {"Transpose"}:
            return out, "forward"
        if op.type not in AFFINE | CLIPS | CONDITIONS:
            return None
        inputs = self.index.inputs[op.name]
        if any(i != end and i in self.path for i in inputs):
            return None
        if op.type in CONDITIONS:
            return out, "forward"
        if inputs.count(end) > 1:
            return None
        if op.type in CLIPS:
            return out, "clip"
        return out, "bias" if op.type in BIASES else "norm"

    def _region_step(self, end: str) -> Optional[Tuple[str, str]]:
        """Return the last tensor of an activation written with several ops (leaky ReLU, PReLU, swish)."""
        region = {end}
        for _ in range(_REGION):
            waiting: Dict[str, tf.Operation] = {
                op.name: op for name in region for op, _ in self._users(name) if not self._within(op, region)
            }
            if len(waiting) > _REGION:  # each step takes one of them in, and one has to be left
                return None
            ready = [op for op in waiting.values() if self._elementwise(op) and self._takes_only(op, region)]
            if not ready:
                return None
            if len(waiting) == 1 and len(region) > 1:
                op = ready[0]
                if sum(i in region for i in self.index.inputs[op.name]) > 1:
                    return self.index.outputs[op.name][0], "activation"
            nearest = min(ready, key=lambda op: self.index.position[op.name])
            region.update(out for out in self.index.outputs[nearest.name] if out in self.path)
        return None

    def _within(self, op: tf.Operation, region: Set[str]) -> bool:
        return any(out in region for out in self.index.outputs[op.name])

    def _takes_only(self, op: tf.Operation, region: Set[str]) -> bool:
        return all(i in region or i not in self.path for i in self.index.inputs[op.name])

    def _elementwise(self, op: tf.Operation) -> bool:
        return op.type in ACTIVATION_PARTS | {"Transpose"}

    # heads

    def _scores_only(self, block: Block) -> bool:
        """Return whether a map already holds class scores.

        No layer follows it. It is not pooled, or it comes from 1x1 convolutions without batch norm and only concats
        and pooling are between it and the logits (SqueezeNet).
        """
        if block.end in self.before_layers:
            return False
        classifier = self.index.outputs[block.start.name][0] in self._classified
        unmixed = block.end not in self._before_mixing
        return block.end not in self._before_pooling or (classifier and unmixed and not block.normalised)

    def _before(self, ops: Iterable[tf.Operation]) -> Set[str]:
        """Return the tensors of the path from which one of these ops, which lie on it, is computed."""
        ends = [(op, out) for op in ops for out in self.index.outputs[op.name] if out in self.path]
        stack = [i for op, out in ends for i in self.index.carried(op, out) if i in self.path]
        seen = set(stack)
        while stack:
            name = stack.pop()
            fresh = [i for i in self.index.carried(self.index.maker[name], name) if i in self.path and i not in seen]
            seen.update(fresh)
            stack += fresh
        return seen

    def _mixes(self, op: tf.Operation) -> bool:
        several = sum(i in self.maps for i in self.index.inputs[op.name]) > 1
        return op.type in BATCH_NORMS or (several and self.index.outputs[op.name][0] not in self._classified)

    # order

    def _in_order(self, blocks: Sequence[Block]) -> List[Block]:
        """Sort in graph order, with the last feature map at the end; of several heads that with the finest map."""
        if not blocks:
            return []
        followed = self.index.upstream([i for b in blocks for i in self.index.inputs[b.start.name] if i in self.path])
        final = [block for block in blocks if block.end not in followed]
        last = max(final or blocks[-1:], key=lambda b: (self._positions(b), -self.index.position[b.start.name]))
        return [block for block in blocks if block is not last] + [last]

    def _positions(self, block: Block) -> int:
        height, width = sides(self.index, block.end, *self.layouts[block.end])
        return (height or 0) * (width or 0)

    def has_map_axes(self, name: str) -> bool:
        """Return whether the tensor is known to have the axes of a feature map."""
        return self.index.rank(name) in self.ranks and self.index.rank(name) is not None

    def can_be_named(self, name: str) -> bool:
        """Return whether the tensor may have the axes of a layer that the user names."""
        return self.index.rank(name) in self.nameable

    def infos(self) -> List[LayerInfo]:
        """Return all layers, input side first; a convolution's own output is uncounted, before the end of its block."""
        layers: List[LayerInfo] = []
        for block in self.blocks:
            raw = self.index.outputs[block.start.name][0]
            if raw != block.end and block.start.type in CONVOLUTIONS and self.index.rank(raw) in self.ranks:
                layers.append(self.info(raw, counted=False))
            layers.append(self.info(block.end))
        return layers

    def info(self, name: str, counted: bool = True) -> LayerInfo:
        """Return one tensor of the path as a layer."""
        shape = self.index.dims(name) or (None,) * 4
        last, order = self.layouts.get(name, MapLayout())
        return LayerInfo(name, self.index.maker[name].type, shape, last, counted, order=order)
