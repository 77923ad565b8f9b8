"""Nets of clips [N, T, H, W, C] whose frames pass 2-D convolutions one by one: their input and their feature maps.

Keras implements TimeDistributed as a Reshape to [N * T, H, W, C] before the layer and the inverse after it.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.layout import IMAGE_CHANNELS
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, FORWARDING, WEIGHTED
from gradcam_tf1.tf_runtime import tf

CLIP = 5  # axes
_TURN = [1, 0, 2, 3, 4]  # to [T, N, H, W, C]


def frame_order(index: GraphIndex, name: str) -> Optional[str]:
    """Return the order of a clip's frames in the batch of the first convolution.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The input.

    Returns
    -------
    {"clips", "frames"} or None
        "clips" for N * T, "frames" for T * N; None if the tensor is not a clip whose frames become one batch.
    """
    dims = index.dims(name)
    if dims is None or len(dims) != CLIP or not index.is_float(name) or dims[-1] not in IMAGE_CHANNELS:
        return None
    seen, level = {name}, [(name, False, False)]  # tensor, whether its first two axes are swapped, and whether merged
    while level:
        following = []
        for tensor, turned, merged in level:
            for op, slot in index.users[tensor]:
                if op.type in CONVOLUTIONS and slot == 0:
                    return ("frames" if turned else "clips") if merged and op.type != "Conv3D" else None
                for out in index.flows(op, slot):
                    step = _step(index, op, slot, out, turned, merged)
                    if out not in seen and step is not None:
                        seen.add(out)
                        following.append((out, *step))
        level = following
        index.spend(len(level))
    return None


def _step(
    index: GraphIndex, op: tf.Operation, slot: int, out: str, turned: bool, merged: bool
) -> Optional[Tuple[bool, bool]]:
    """Return whether the first axes are swapped and merged after an op; None if the frames are lost."""
    if op.type in WEIGHTED or out in index.looped:
        return None
    rank = index.rank(out)
    if op.type == "Reshape":
        return (turned, rank == CLIP - 1) if slot == 0 and _keeps_frames(index, op) else None
    if op.type == "Transpose":
        axes = index.constant(index.inputs[op.name][1])
        return (not turned, merged) if not merged and axes is not None and axes.tolist() == _TURN else None
    return (turned, merged) if rank == (CLIP - 1 if merged else CLIP) else None


def _keeps_frames(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a Reshape changes the first axes only, between [N, T, h, w, K] and [N * T, h, w, K]."""
    before, after = index.dims(index.inputs[op.name][0]), index.dims(index.outputs[op.name][0])
    if before is None or after is None or {len(before), len(after)} != {CLIP, CLIP - 1}:
        return False
    return all(a is None or b is None or a == b for a, b in zip(before[-3:], after[-3:])) and after[-1] is not None


def clip_facts(index: GraphIndex, name: str, order: str) -> Dict[str, Any]:
    """Return the `Binding` fields that describe an input of clips; `order` as from `frame_order`."""
    dims = index.dims(name) or ()
    return {
        "array_shape": dims,
        "channels": dims[-1],
        "dtype": index.tensors[name].dtype.name,
        "image_size": (dims[2], dims[3]),
        "frame_order": order,
    }


class ClipFeatures(Features):
    """The feature maps of the frames, [N * T, h, w, K], before the clips are restored."""

    kind = "a float map of each frame, [N * T, h, w, K], before the clips are restored"

    def __init__(self, index: GraphIndex, start: str, logits: str) -> None:
        self.nameable: Tuple[Optional[int], ...] = (CLIP - 1,)
        super().__init__(index, start, logits)

    def _maps(self) -> Set[str]:
        return super()._maps() & self._frames()

    def _frames(self) -> Set[str]:
        """Return the tensors of the path that hold each frame by itself, with its positions."""
        frames = {self.start}
        for op in self.index.makers(self.path):
            for out in self.index.outputs[op.name]:
                inputs = [name for name in self.index.carried(op, out) if name in frames]
                if out in self.path and inputs and out not in self.index.looped and self._is_of_frames(op, inputs, out):
                    frames.add(out)
        return frames

    def _is_of_frames(self, op: tf.Operation, inputs: Sequence[str], out: str) -> bool:
        if op.type == "Reshape":
            return _keeps_frames(self.index, op)
        ranks = {self.index.rank(name) for name in inputs}
        return self.index.rank(out) in ranks and (op.type in FORWARDING or self.index.rank(out) in (CLIP - 1, CLIP))
