"""Which axis of a four-dimensional tensor holds the channels."""

from __future__ import annotations

from typing import Dict, Iterable, Optional, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS

_TO_FIRST = (0, 3, 1, 2)
_TO_LAST = (0, 2, 3, 1)
IMAGE_CHANNELS = (1, 3, 4)


def op_layout(op: Op) -> Optional[bool]:
    """Whether the op works channels last by its own data_format; None where it has none."""
    if "data_format" not in op.node_def.attr:
        return None
    return not op.get_attr("data_format").startswith(b"NC")


def layouts(walk: GraphIndex, path: Iterable[str], start: str) -> Dict[str, bool]:
    """Channels last (True) or first (False) for every tensor of a path."""
    path = set(path)
    found = {start: input_layout(walk, start)}
    for op in walk.makers(path):
        own = op_layout(op)
        inputs = [found[i] for i in walk.carried(op, walk.outputs[op.name][0]) if i in found]
        result = own if own is not None else all(inputs)
        if op.type == "Transpose" and inputs:
            result = _turned(walk, op, inputs[0])
        for output in walk.outputs[op.name]:
            found.setdefault(output, result)
    return found


def _turned(walk: GraphIndex, op: Op, before: bool) -> bool:
    order = walk.constant(walk.inputs[op.name][1])
    if order is None:
        return before
    axes = tuple(int(axis) for axis in order)
    return False if axes == _TO_FIRST else True if axes == _TO_LAST else before


def input_layout(walk: GraphIndex, name: str) -> bool:
    """Channels last, unless the shape or the first op with a data_format behind the tensor says otherwise."""
    dims = walk.dims(name)
    if dims is not None and len(dims) in (3, 4):
        last, first = dims[-1] in IMAGE_CHANNELS, dims[-3] in IMAGE_CHANNELS
        if last != first:
            return last
    seen, level = {name}, [(name, False)]
    while level:
        following = []
        for tensor, turned in level:
            for op, index in walk.users[tensor]:
                own = op_layout(op) if index == 0 else None
                if own is not None:
                    return own != turned
                swap = turned != (op.type == "Transpose" and _is_swap(walk, op))
                fresh = [out for out in walk.flows(op, index) if out not in seen]
                seen.update(fresh)
                following += [(out, swap) for out in fresh]
        level = following
    return True


def _is_swap(walk: GraphIndex, op: Op) -> bool:
    order = walk.constant(walk.inputs[op.name][1])
    return order is not None and tuple(int(axis) for axis in order) in (_TO_FIRST, _TO_LAST)


def sides(walk: GraphIndex, name: str, channels_last: bool) -> Tuple[Optional[int], Optional[int]]:
    """Static (height, width) of a map [N,H,W,C], [N,C,H,W] or the same without N; None where unknown."""
    dims = walk.dims(name)
    if dims is None or len(dims) not in (3, 4):
        return None, None
    return (dims[-3], dims[-2]) if channels_last else (dims[-2], dims[-1])


def channel_count(walk: GraphIndex, name: str, channels_last: bool) -> Optional[int]:
    """Static number of channels, or what the kernel of the next convolution takes."""
    dims = walk.dims(name)
    known = None if dims is None or len(dims) not in (3, 4) else dims[-1] if channels_last else dims[-3]
    return known if known is not None else next_kernel_channels(walk, name)


def next_kernel_channels(walk: GraphIndex, name: str) -> Optional[int]:
    """Input channels of the first convolution that the tensor reaches, None where there is none."""
    seen, level = {name}, [name]
    while level:
        following = []
        for tensor in level:
            for op, index in walk.users[tensor]:
                if op.type in CONVOLUTIONS and op.type != "Conv2DBackpropInput" and index == 0:
                    kernel = walk.source(walk.inputs[op.name][1]).outputs[0].shape
                    if kernel.rank == 4:
                        return kernel.as_list()[2]
                fresh = [out for out in walk.flows(op, index) if out not in seen]
                seen.update(fresh)
                following += fresh
        level = following
    return None
