"""The feature maps between the input and the logits, and the last of them.

A block is a convolution with the bias or batch norm and the activation that directly follow; its last tensor is one
feature map. So is what a concat or a residual sum puts out (with its batch norm and activation). Where only a bias
follows the convolution, the map is the convolution's own output: the bias adds the same number everywhere.
Counted from the end, -1 is the last feature map and -3 the third from last; a convolution's output before its
normalisation and activation is listed too, but not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
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
from gradcam_tf1.types import LayerInfo

_REGION = 14


@dataclass(frozen=True)
class Block:
    """One feature map: the op it starts with, its last tensor, whether an activation or a batch norm is in it."""

    start: Op
    end: str
    activated: bool
    normalised: bool


class Features:
    """All feature maps on the path from one input to one logits tensor.

    blocks: the maps; of_scores: those that already are class scores. before_layers: the tensors a layer follows.
    ranks: axes of a feature map, starts: of what an op puts out that one can begin with, None where unknown.
    """

    ranks: Tuple[Optional[int], ...] = (4, None)
    starts: Tuple[Optional[int], ...] = (4, None)
    forwarding = FORWARDING
    # what a person may name as a layer
    nameable: Tuple[Optional[int], ...] = (3, 4, None)
    kind = "a float map [N, h, w, K] or [N, K, h, w], or tokens [N, tokens, K]"

    def __init__(self, walk: GraphIndex, start: str, logits: str) -> None:
        self.walk, self.start = walk, start
        self.path = walk.path(start, logits)
        self.channels_last = self._layouts()
        self.maps = self._maps()
        layers = [op for op in walk.makers(self.path) if op.type in WEIGHTED]
        self.before_layers = walk.upstream([i for op in layers for i in walk.inputs[op.name] if i in self.path])
        self._classified = made_by_classifiers(walk, self.path)
        self._absorbed: Set[str] = set()
        judged = [(block, self._scores_only(block)) for block in self._blocks()]
        self.of_scores = [block for block, scores_only in judged if scores_only]
        features = [block for block, scores_only in judged if not scores_only]
        self.blocks = self._in_order(features or [b for b in self.of_scores if b.start.type in CONVOLUTIONS])

    def _layouts(self) -> Dict[str, bool]:
        return layouts(self.walk, self.path, self.start)

    def _maps(self) -> Set[str]:
        return maps_on(self.walk, self.path, self.start, self.channels_last)

    # blocks

    def _blocks(self) -> List[Block]:
        return [block for op in self.walk.makers(self.path) for block in self._block_at(op)]

    def _block_at(self, op: Op) -> List[Block]:
        out = self.walk.outputs[op.name][0]
        if out not in self.maps or out in self._absorbed or self.walk.rank(out) not in self.starts:
            return []
        if out in self.walk.looped:  # one value per round: nobody can fetch it
            return []
        if op.type in CONVOLUTIONS:
            return [] if self._is_half_of_separable(op) else [self._block(op, out)]
        joined = {i for i in self.walk.carried(op, out) if i in self.path}
        if op.type in CONCATS | SUMS and len(joined) > 1 and joined & self.maps:
            return [self._block(op, out)]
        return []

    def _is_half_of_separable(self, op: Op) -> bool:
        """A depthwise convolution that goes straight into its pointwise one is half a convolution."""
        users = self._users(self.walk.outputs[op.name][0])
        return op.type == "DepthwiseConv2dNative" and [user.type for user, _ in users] == ["Conv2D"]

    def _users(self, name: str) -> List[Tuple[Op, Sequence[str]]]:
        """The ops on the path that carry the tensor on, not into a loop, with their outputs on the path."""
        found: List[Tuple[Op, Sequence[str]]] = []
        for op, index in self.walk.users[name]:
            outputs = [out for out in self.walk.flows(op, index) if out in self.path and out not in self.walk.looped]
            if outputs and op.name not in [user.name for user, _ in found]:
                found.append((op, outputs))
        return found

    def _block(self, start: Op, out: str) -> Block:
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
            settled = normalised and (kind == "bias" or self.walk.maker[here].type == "Merge")
            if settled or kind in ("norm", "clip", "activation") or self.walk.rank(end) not in self.ranks:
                end = here
        return Block(start, end, kind in ("clip", "activation"), normalised)

    def _simple_step(self, users: Sequence[Tuple[Op, Sequence[str]]], end: str) -> Optional[Tuple[str, str]]:
        """The tensor behind one forwarding, bias, normalising or activation op, and which of these it was."""
        if len(users) != 1 or len(users[0][1]) != 1:
            return None
        op, (out,) = users[0]
        if op.type in ACTIVATIONS:
            return out, "activation"
        if op.type == "BatchToSpaceND":
            return out, "norm"  # the rest of a dilated convolution
        others = [i for i in self.walk.inputs[op.name] if i != end and i in self.path]
        if op.type in self.forwarding or (op.type in CONDITIONS and not others):
            return out, "forward"
        if op.type not in AFFINE | CLIPS or others or self.walk.inputs[op.name].count(end) > 1:
            return None
        if op.type in CLIPS:
            return out, "clip"
        return out, "bias" if op.type in BIASES else "norm"

    def _region_step(self, end: str) -> Optional[Tuple[str, str]]:
        """The tensor where an activation spelled with several ops (leaky, PReLU, swish) comes together again."""
        region = {end}
        for _ in range(_REGION):
            waiting: Dict[str, Op] = {
                op.name: op for name in region for op, _ in self._users(name) if not self._within(op, region)
            }
            ready = [op for op in waiting.values() if self._takes_only(op, region)]
            if len(waiting) == 1 and len(region) > 1 and ready:
                op = ready[0]
                closing = sum(i in region for i in self.walk.inputs[op.name]) > 1
                if closing and self._elementwise(op):
                    return self.walk.outputs[op.name][0], "activation"
            ready = [op for op in ready if self._elementwise(op)]
            if not ready:
                return None
            nearest = min(ready, key=lambda op: self.walk.position[op.name])
            region.update(out for out in self.walk.outputs[nearest.name] if out in self.path)
        return None

    def _within(self, op: Op, region: Set[str]) -> bool:
        return any(out in region for out in self.walk.outputs[op.name])

    def _takes_only(self, op: Op, region: Set[str]) -> bool:
        return all(i in region or i not in self.path for i in self.walk.inputs[op.name])

    def _elementwise(self, op: Op) -> bool:
        return op.type in ACTIVATION_PARTS

    # heads

    def _scores_only(self, block: Block) -> bool:
        """Whether the map already is one of class scores: no layer follows, and it is not pooled, or 1x1 convolutions
        without batch norm made it and only joining and pooling are between it and the logits (SqueezeNet).
        """
        if block.end in self.before_layers:
            return False
        tail = self.walk.makers(self.walk.downstream([block.end]) & self.path)[1:]
        pooled = any(pools_everything(self.walk, op, self.maps) for op in tail)
        classifier = self.walk.outputs[block.start.name][0] in self._classified
        alone = not any(op.type in CONCATS | SUMS | BATCH_NORMS and self._mixes(op) for op in tail)
        return not pooled or (classifier and alone and not block.normalised)

    def _mixes(self, op: Op) -> bool:
        several = sum(i in self.maps for i in self.walk.inputs[op.name]) > 1
        return op.type in BATCH_NORMS or (several and self.walk.outputs[op.name][0] not in self._classified)

    # order

    def _in_order(self, blocks: Sequence[Block]) -> List[Block]:
        """Graph order, with the last feature map at the end: of several heads the one with the finest map."""
        if not blocks:
            return []
        followed = self.walk.upstream([i for b in blocks for i in self.walk.inputs[b.start.name] if i in self.path])
        final = [block for block in blocks if block.end not in followed]
        last = max(final or blocks[-1:], key=lambda b: (self._positions(b), -self.walk.position[b.start.name]))
        return [block for block in blocks if block is not last] + [last]

    def _positions(self, block: Block) -> int:
        height, width = sides(self.walk, block.end, self.channels_last[block.end])
        return (height or 0) * (width or 0)

    def infos(self) -> List[LayerInfo]:
        """All candidates, input side first; convolutions' own outputs stand, uncounted, before their blocks' ends."""
        found: List[LayerInfo] = []
        for block in self.blocks:
            raw = self.walk.outputs[block.start.name][0]
            if raw != block.end and block.start.type in CONVOLUTIONS and self.walk.rank(raw) in self.ranks:
                found.append(self.info(raw, counted=False))
            found.append(self.info(block.end))
        return found

    def info(self, name: str, counted: bool = True) -> LayerInfo:
        """The record of one tensor of the path."""
        shape: Any = self.walk.dims(name) or (None,) * 4
        return LayerInfo(name, self.walk.maker[name].type, shape, self.channels_last.get(name, True), counted)
