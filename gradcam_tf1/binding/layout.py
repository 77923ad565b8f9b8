"""The channel axis of images and maps: last or first."""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, Iterable, Optional, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS
from gradcam_tf1.tf_runtime import op_definition, tf

_TO_FIRST = (0, 3, 1, 2)
_TO_LAST = (0, 2, 3, 1)
IMAGE_CHANNELS = (1, 3, 4)


def op_layout(op: tf.Operation) -> Optional[bool]:
    """Return whether the data_format of an op is channels last; None if it has none."""
    if not _may_have_format(op.type) or "data_format" not in op.node_def.attr:
        return None
    return not op.get_attr("data_format").startswith(b"NC")


@lru_cache(maxsize=None)
def _may_have_format(kind: str) -> bool:
    """Return whether ops of a type may have a data_format: reading the attributes of every op takes long."""
    definition = op_definition(kind)
    return definition is None or any(attribute.name == "data_format" for attribute in definition.attr)


def layouts(index: GraphIndex, path: Iterable[str], start: str) -> Dict[str, bool]:
    """Return whether channels are last, for every tensor of a path.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : iterable of str
        The tensors.
    start : str
        The input.

    Returns
    -------
    dict of str to bool
        By tensor name.
    """
    path = set(path)
    last = {start: input_layout(index, start)}
    for op in index.makers(path):
        declared = op_layout(op)
        inputs = [last[i] for i in index.carried(op, index.outputs[op.name][0]) if i in last]
        result = declared if declared is not None else all(inputs)
        if op.type == "Transpose" and inputs:
            result = _transposed(index, op, inputs[0])
        for output in index.outputs[op.name]:
            last.setdefault(output, result)
    return last


def _transposed(index: GraphIndex, op: tf.Operation, before: bool) -> bool:
    order = index.constant(index.inputs[op.name][1])
    if order is None:
        return before
    axes = tuple(int(axis) for axis in order)
    return False if axes == _TO_FIRST else True if axes == _TO_LAST else before


def input_layout(index: GraphIndex, name: str) -> bool:
    """Return whether an input is channels last, by its shape, else by the next op with a data_format; default True."""
    dims = index.dims(name)
    if dims is not None and len(dims) in (3, 4):
        last, first = dims[-1] in IMAGE_CHANNELS, dims[-3] in IMAGE_CHANNELS
        if last != first:
            return last
    seen, level = {name}, [(name, False)]
    while level:
        following = []
        for tensor, swapped in level:
            for op, slot in index.users[tensor]:
                declared = op_layout(op) if slot == 0 else None
                if declared is not None:
                    return declared != swapped
                swapped_after = swapped != (op.type == "Transpose" and _is_swap(index, op))
                fresh = [out for out in index.flows(op, slot) if out not in seen]
                seen.update(fresh)
                following += [(out, swapped_after) for out in fresh]
        level = following
        index.spend(len(level))
    return True


def _is_swap(index: GraphIndex, op: tf.Operation) -> bool:
    order = index.constant(index.inputs[op.name][1])
    return order is not None and tuple(int(axis) for axis in order) in (_TO_FIRST, _TO_LAST)


def sides(index: GraphIndex, name: str, channels_last: bool) -> Tuple[Optional[int], Optional[int]]:
    """Return the static (height, width) of a map [N,H,W,C] or [N,C,H,W], with or without N; None if unknown."""
    dims = index.dims(name)
    if dims is None or len(dims) not in (3, 4):
        return None, None
    return (dims[-3], dims[-2]) if channels_last else (dims[-2], dims[-1])


def channel_count(index: GraphIndex, name: str, channels_last: bool) -> Optional[int]:
    """Return the static number of channels, or else the number that the next convolution takes."""
    dims = index.dims(name)
    known = None if dims is None or len(dims) not in (3, 4) else dims[-1] if channels_last else dims[-3]
    return known if known is not None else next_kernel_channels(index, name)


def next_kernel_channels(index: GraphIndex, name: str) -> Optional[int]:
    """Return the input channels of the first convolution that the tensor reaches, None if there is none."""
    seen, level = {name}, [name]
    while level:
        following = []
        for tensor in level:
            for op, slot in index.users[tensor]:
                if op.type in CONVOLUTIONS and op.type != "Conv2DBackpropInput" and slot == 0:
                    kernel = index.source(index.inputs[op.name][1]).outputs[0].shape
                    if kernel.rank == 4:
                        channels: Optional[int] = kernel.as_list()[2]
                        return channels
                fresh = [out for out in index.flows(op, slot) if out not in seen]
                seen.update(fresh)
                following += fresh
        level = following
        index.spend(len(level))
    return None
