"""Nets of signals [N, L, C] or [N, L] and of volumes [N, D, H, W, C]: their input and their feature maps.

TensorFlow 1 computes a one-dimensional convolution as ExpandDims, Conv2D, Squeeze; a feature map is what has been
squeezed. A three-dimensional one is an op of its own.
"""

from __future__ import annotations

from typing import Any, Dict, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.clip_nets import ClipFeatures, clip_facts, frame_order
from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.input_candidates import ImageTensor, tensors_before_convolutions
from gradcam_tf1.binding.layers import Block, Features
from gradcam_tf1.binding.layout import op_layout
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, DENSE, PLACEHOLDERS, WEIGHTED
from gradcam_tf1.errors import BindingError
from gradcam_tf1.types import Shape

SIGNAL, VOLUME = 3, 5  # axes of a feature map


def array_rank(walk: GraphIndex, name: str) -> Optional[int]:
    """SIGNAL or VOLUME where the tensor is floats that go into such a convolution, else None.

    An image [H, W, C] gets its new axis in front, a gray one behind; a signal gets it between.
    Raises: BindingError for channels in front of the positions.
    """
    if walk.rank(name) not in (2, 3, 5) or not walk.is_float(name):
        return None
    found = _first_convolution(walk, name)
    if found is None:
        return None
    rank = VOLUME if found.type == "Conv3D" else SIGNAL if _is_of_signals(walk, found) else None
    if rank is None or (rank == VOLUME) != (walk.rank(name) == VOLUME):
        return None
    if op_layout(found) is False:
        raise BindingError(
            f"'{name}' has shape {walk.tensors[name].shape} with its channels first, by '{found.name}'; signals are "
            "[N, L, C] and volumes [N, D, H, W, C]. Name a tensor of that layout as input"
        )
    return rank


def _first_convolution(walk: GraphIndex, name: str) -> Optional[Op]:
    seen, level = {name}, [name]
    while level:
        users = [(op, index) for tensor in level for op, index in walk.users[tensor]]
        for op, index in users:
            if op.type in CONVOLUTIONS and index == 0:
                return op
        outputs = [out for op, index in users if op.type not in WEIGHTED for out in walk.flows(op, index)]
        level = [out for out in dict.fromkeys(outputs) if out not in seen]
        seen.update(level)
    return None


def _is_of_signals(walk: GraphIndex, op: Op) -> bool:
    before = walk.maker[walk.inputs[op.name][0]]
    if before.type != "ExpandDims" or walk.rank(walk.outputs[before.name][0]) != 4:
        return False
    axis = walk.constant(walk.inputs[before.name][1])
    return axis is not None and int(axis) % 4 in (1, 2)


def only_array(walk: GraphIndex) -> Optional[ImageTensor]:
    """The one float placeholder that reaches a convolution, where it takes signals or volumes."""
    reach = tensors_before_convolutions(walk)
    names = [walk.outputs[op.name][0] for op in walk.ops if op.type in PLACEHOLDERS]
    names = [name for name in names if name in reach and walk.is_float(name) and walk.rank(name) != 0]
    return ImageTensor(names[0]) if len(names) == 1 and array_rank(walk, names[0]) is not None else None


def is_array(walk: GraphIndex, name: str) -> bool:
    """Whether the tensor takes signals, volumes or clips."""
    return array_rank(walk, name) is not None or frame_order(walk, name) is not None


def array_facts(walk: GraphIndex, name: str) -> Dict[str, Any]:
    """What a binding says of an input of arrays."""
    order = frame_order(walk, name)
    if order is not None:
        return clip_facts(walk, name, order)
    dims = walk.dims(name) or ()
    shape: Shape = dims if len(dims) != 2 else (*dims, 1)
    return {"array_shape": shape, "channels": shape[-1], "dtype": walk.tensors[name].dtype.name}


class ArrayFeatures(Features):
    """All feature maps of a net of signals or volumes."""

    def __init__(self, walk: GraphIndex, start: str, logits: str, rank: int) -> None:
        self.ranks: Tuple[Optional[int], ...] = (rank,)
        self.nameable = self.ranks
        self.kind = "a float map [N, l, K]" if rank == SIGNAL else "a float map [N, d, h, w, K]"
        self.starts = (rank, 4) if rank == SIGNAL else (rank,)
        self.forwarding = self.forwarding | {"Squeeze"}
        super().__init__(walk, start, logits)

    def _layouts(self) -> Dict[str, bool]:
        return dict.fromkeys(self.path, True)

    def _maps(self) -> Set[str]:
        maps = {self.start}
        for op in self.walk.makers(self.path):
            for out in self.walk.outputs[op.name]:
                if out in self.path and op.type not in DENSE and self._has_positions(out):
                    maps |= {out} if any(i in maps for i in self.walk.carried(op, out)) else set()
        return maps

    def _has_positions(self, name: str) -> bool:
        dims = self.walk.dims(name)
        return dims is not None and len(dims) >= SIGNAL and set(dims[1:-1]) != {1}

    def _blocks(self) -> Any:
        return [block for block in super()._blocks() if self.walk.rank(block.end) in self.ranks]

    def _positions(self, block: Block) -> int:
        return int(np.prod([side or 0 for side in (self.walk.dims(block.end) or ())[1:-1]]))


def features_of(walk: GraphIndex, start: str, logits: str) -> Features:
    """The feature maps between an input of images, signals, volumes or clips and the logits."""
    if frame_order(walk, start) is not None:
        return ClipFeatures(walk, start, logits)
    rank = array_rank(walk, start)
    return Features(walk, start, logits) if rank is None else ArrayFeatures(walk, start, logits, rank)
