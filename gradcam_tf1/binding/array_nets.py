"""Nets of signals [N, L, C] or [N, L] and of volumes [N, D, H, W, C]: their input and their feature maps.

TensorFlow 1 computes a 1-D convolution as ExpandDims, Conv2D, Squeeze; the output of the Squeeze is the feature map.
Nets of texts often spell it out, as a Conv2D of [N, T, E, 1] with kernels over all of E: [N, l, 1, K] is a map then.
A 3-D convolution is a single op.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from gradcam_tf1.binding.clip_nets import ClipFeatures, clip_facts, frame_order
from gradcam_tf1.binding.decoded import ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.input_candidates import tensors_before_convolutions
from gradcam_tf1.binding.layers import Block, Features
from gradcam_tf1.binding.layout import layouts, op_layout
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, DENSE, PLACEHOLDERS, WEIGHTED
from gradcam_tf1.binding.token_nets import embedded_in
from gradcam_tf1.errors import BindingError
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Shape

SIGNAL, VOLUME = 3, 5  # axes of a feature map
_SPELT_OUT = 4  # axes of a map of a signal that is spelt in 2-D


def array_rank(index: GraphIndex, name: str) -> Optional[int]:
    """Return SIGNAL or VOLUME if a float tensor feeds a 1-D or 3-D convolution, else None; embeddings are a SIGNAL.

    ExpandDims gives an image [H, W, C] its new axis in front, a gray image its new axis at the end. A signal gets it
    between the others.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        Name of the tensor.

    Returns
    -------
    int or None
        SIGNAL, VOLUME or None.

    Raises
    ------
    BindingError
        If the channels come before the positions.
    """
    if index.rank(name) not in (2, 3, 5) or not index.is_float(name):
        return None
    if _embeds(index, name):
        return SIGNAL
    convolution = _first_convolution(index, name)
    if convolution is None:
        return None
    rank = VOLUME if convolution.type == "Conv3D" else SIGNAL if _is_of_signals(index, convolution) else None
    if rank is None or (rank == VOLUME) != (index.rank(name) == VOLUME):
        return None
    if op_layout(convolution) is False:
        raise BindingError(
            f"'{name}' has shape {index.tensors[name].shape} with channels first, as its convolution "
            f"'{convolution.name}' shows; signals are [N, L, C] and volumes [N, D, H, W, C]; name a tensor of that "
            "layout as the input"
        )
    return rank


def _embeds(index: GraphIndex, name: str) -> bool:
    tokens = embedded_in(index, name)
    return tokens is not None and tokens.embedded == name


def _first_convolution(index: GraphIndex, name: str) -> Optional[tf.Operation]:
    seen, level = {name}, [name]
    while level:
        users = [(op, slot) for tensor in level for op, slot in index.users[tensor]]
        for op, slot in users:
            if op.type in CONVOLUTIONS and slot == 0:
                return op
        outputs = [out for op, slot in users if op.type not in WEIGHTED for out in index.flows(op, slot)]
        level = [out for out in dict.fromkeys(outputs) if out not in seen]
        seen.update(level)
        index.spend(len(level))
    return None


def _is_of_signals(index: GraphIndex, op: tf.Operation) -> bool:
    before = index.maker[index.inputs[op.name][0]]
    if before.type != "ExpandDims" or index.rank(index.outputs[before.name][0]) != 4:
        return False
    axis = index.constant(index.inputs[before.name][1])
    return axis is not None and int(axis) % 4 in (1, 2)


def only_array(index: GraphIndex) -> Optional[ImageTensor]:
    """Return the only float placeholder that reaches a convolution if it takes signals or volumes, else None."""
    reach = tensors_before_convolutions(index)
    names = [index.outputs[op.name][0] for op in index.ops if op.type in PLACEHOLDERS]
    names = [name for name in names if name in reach and index.is_float(name) and index.rank(name) != 0]
    return ImageTensor(names[0]) if len(names) == 1 and array_rank(index, names[0]) is not None else None


def is_array(index: GraphIndex, name: str) -> bool:
    """Return whether the tensor takes signals, volumes or clips."""
    return array_rank(index, name) is not None or frame_order(index, name) is not None


def array_facts(index: GraphIndex, name: str) -> Dict[str, Any]:
    """Return the `Binding` fields that describe an input of signals, volumes or clips."""
    order = frame_order(index, name)
    if order is not None:
        return clip_facts(index, name, order)
    dims = index.dims(name) or ()
    shape: Shape = dims if len(dims) != 2 else (*dims, 1)
    tokens = embedded_in(index, name)
    texts = {} if tokens is None else {"token_ids": tokens.ids, "vocabulary": tokens.vocabulary}
    return {"array_shape": shape, "channels": shape[-1], "dtype": index.tensors[name].dtype.name, **texts}


class ArrayFeatures(Features):
    """The feature maps of a net of signals or volumes; `rank` is SIGNAL or VOLUME."""

    def __init__(self, index: GraphIndex, start: str, logits: str, rank: int) -> None:
        self.ranks: Tuple[Optional[int], ...] = (rank,)
        self.nameable = self.ranks
        self.kind = "a float map [N, l, K]" if rank == SIGNAL else "a float map [N, d, h, w, K]"
        self.starts = (rank, 4) if rank == SIGNAL else (rank,)
        self.forwarding = self.forwarding | {"Squeeze"}
        super().__init__(index, start, logits)

    def _layouts(self) -> Dict[str, MapLayout]:
        found = layouts(self.index, self.path, self.start, self.ranks[0] or VOLUME)
        if self.ranks != (SIGNAL,):
            return found
        spelt = self._spelt_out()
        return {name: _on_a_line(self.index.dims(name), at) if name in spelt else at for name, at in found.items()}

    def _spelt_out(self) -> Set[str]:
        """Return the tensors whose axes an op with a data_format gives; those after a Transpose may be others."""
        given: Set[str] = set()
        for op in self.index.makers(self.path):
            outputs = [out for out in self.index.outputs[op.name] if out in self.path]
            kept = op.type != "Transpose" and any(i in given for out in outputs for i in self.index.carried(op, out))
            given.update(outputs if kept or op_layout(op) is not None else ())
        return given

    def _maps(self) -> Set[str]:
        maps = {self.start}
        for op in self.index.makers(self.path):
            for out in self.index.outputs[op.name]:
                if out in self.path and op.type not in DENSE and self._has_positions(out):
                    maps |= {out} if any(i in maps for i in self.index.carried(op, out)) else set()
        return maps

    def _has_positions(self, name: str) -> bool:
        dims = self._map_sides(name)
        return len(dims) >= SIGNAL and set(dims[1:-1]) != {1}

    def _blocks(self) -> List[Block]:
        """Return the feature maps; of texts without any, the embeddings are the one feature map."""
        blocks = [block for block in super()._blocks() if self.has_map_axes(block.end)]
        return blocks if blocks or not _embeds(self.index, self.start) else [self._embeddings()]

    def has_map_axes(self, name: str) -> bool:
        """Return whether the tensor has images, the positions of the input, and channels."""
        return len(self._map_sides(name)) in self.ranks

    can_be_named = has_map_axes

    def _embeddings(self) -> Block:
        return Block(self.index.maker[self.start], self.start, False, False)

    def _positions(self, block: Block) -> int:
        return int(np.prod([side or 0 for side in self._map_sides(block.end)[1:-1]]))

    def _map_sides(self, name: str) -> Shape:
        """Return the static sides of a tensor with the channels last, () if its rank is unknown."""
        dims = self.index.dims(name) or ()
        return tuple(dims[axis] for axis in self.layouts.get(name, MapLayout()).to_last(len(dims)))


def _on_a_line(dims: Optional[Shape], layout: MapLayout) -> MapLayout:
    """Return the layout without the spatial axis of length 1 of a 2-D map, which is a map of a signal."""
    if dims is None or len(dims) != _SPELT_OUT:
        return layout
    images, rows, columns, channels = layout.to_last(_SPELT_OUT)
    lone = [axis for axis in (rows, columns) if dims[axis] == 1]
    if len(lone) != 1:
        return layout
    return MapLayout(layout.channels_last, (images, columns if lone == [rows] else rows, channels))


def features_of(index: GraphIndex, start: str, logits: str) -> Features:
    """Return the feature maps between the input `start` (images, signals, volumes or clips) and the logits."""
    if frame_order(index, start) is not None:
        return ClipFeatures(index, start, logits)
    rank = array_rank(index, start)
    return Features(index, start, logits) if rank is None else ArrayFeatures(index, start, logits, rank)
