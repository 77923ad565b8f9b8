"""Nets of clips [N, T, H, W, C] whose frames go one by one through 2-D convolutions: their input and their maps.

Keras spells TimeDistributed as a Reshape to [N * T, H, W, C] before the layer and one back behind it.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.layout import IMAGE_CHANNELS
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, FORWARDING, WEIGHTED

CLIP = 5  # axes
_TURN = [1, 0, 2, 3, 4]  # to [T, N, H, W, C]


def frame_order(walk: GraphIndex, name: str) -> Optional[str]:
    """How a clip's frames lie in the batch of its first convolution, "clips" (N * T) or "frames" (T * N) first.

    None where the tensor is no clip whose frames are laid into one batch.
    """
    dims = walk.dims(name)
    if dims is None or len(dims) != CLIP or not walk.is_float(name) or dims[-1] not in IMAGE_CHANNELS:
        return None
    seen, level = {name}, [(name, False, False)]  # tensor, whether its first axes are swapped, whether they are one
    while level:
        following = []
        for tensor, turned, merged in level:
            for op, index in walk.users[tensor]:
                if op.type in CONVOLUTIONS and index == 0:
                    return ("frames" if turned else "clips") if merged and op.type != "Conv3D" else None
                for out in walk.flows(op, index):
                    step = _step(walk, op, index, out, turned, merged)
                    if out not in seen and step is not None:
                        seen.add(out)
                        following.append((out, *step))
        level = following
    return None


def _step(walk: GraphIndex, op: Op, index: int, out: str, turned: bool, merged: bool) -> Optional[Tuple[bool, bool]]:
    """What an op between the input and the convolution does to the first axes; None where the frames are lost."""
    if op.type in WEIGHTED or out in walk.looped:
        return None
    rank = walk.rank(out)
    if op.type == "Reshape":
        return (turned, rank == CLIP - 1) if index == 0 and _keeps_frames(walk, op) else None
    if op.type == "Transpose":
        axes = walk.constant(walk.inputs[op.name][1])
        return (not turned, merged) if not merged and axes is not None and axes.tolist() == _TURN else None
    return (turned, merged) if rank == (CLIP - 1 if merged else CLIP) else None


def _keeps_frames(walk: GraphIndex, op: Op) -> bool:
    """Whether a Reshape touches the first axes only, between [N, T, h, w, K] and [N * T, h, w, K]."""
    before, after = walk.dims(walk.inputs[op.name][0]), walk.dims(walk.outputs[op.name][0])
    if before is None or after is None or {len(before), len(after)} != {CLIP, CLIP - 1}:
        return False
    return all(a is None or b is None or a == b for a, b in zip(before[-3:], after[-3:])) and after[-1] is not None


def clip_facts(walk: GraphIndex, name: str, order: str) -> Dict[str, Any]:
    """What a binding says of an input of clips."""
    dims = walk.dims(name) or ()
    return {
        "array_shape": dims,
        "channels": dims[-1],
        "dtype": walk.tensors[name].dtype.name,
        "image_size": (dims[2], dims[3]),
        "frame_order": order,
    }


class ClipFeatures(Features):
    """The feature maps of the frames, [N * T, h, w, K]: those before the frames part again."""

    kind = "a float map of each frame, [N * T, h, w, K], before the frames are brought together again"

    def __init__(self, walk: GraphIndex, start: str, logits: str) -> None:
        self.nameable: Tuple[Optional[int], ...] = (CLIP - 1,)
        super().__init__(walk, start, logits)

    def _maps(self) -> Set[str]:
        frames = self._frames()
        return super()._maps() & frames

    def _frames(self) -> Set[str]:
        """Tensors of the path that hold one thing for each frame, with its positions."""
        found = {self.start}
        for op in self.walk.makers(self.path):
            for out in self.walk.outputs[op.name]:
                inputs = [name for name in self.walk.carried(op, out) if name in found]
                if out in self.path and inputs and out not in self.walk.looped and self._is_of_frames(op, inputs, out):
                    found.add(out)
        return found

    def _is_of_frames(self, op: Op, inputs: Any, out: str) -> bool:
        if op.type == "Reshape":
            return _keeps_frames(self.walk, op)
        ranks = {self.walk.rank(name) for name in inputs}
        return self.walk.rank(out) in ranks and (op.type in FORWARDING or self.walk.rank(out) in (CLIP - 1, CLIP))
