"""The layout of images and maps: where their channels are, and in which order their other axes.

A layout is followed from the input on. Converters leave islands of another layout between two Transposes, so the order
of the axes is composed at each Transpose.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, RESHAPING
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import op_definition, tf

IMAGE_CHANNELS = (1, 3, 4)
_IMAGES = 4  # axes


def _layout_of(order: Sequence[int]) -> MapLayout:
    """Return the layout that `order` brings to channels last."""
    rank = len(order)
    fitting = (layout for layout in (MapLayout(True), MapLayout(False)) if layout.to_last(rank) == tuple(order))
    return next(fitting, MapLayout(order[-1] == rank - 1, tuple(order)))


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


def layouts(index: GraphIndex, path: Iterable[str], start: str, rank: int = _IMAGES) -> Dict[str, MapLayout]:
    """Return the layout of every tensor of a path.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : iterable of str
        The tensors.
    start : str
        The input.
    rank : int
        Number of axes of a map.

    Returns
    -------
    dict of str to MapLayout
        By tensor name.
    """
    path = set(path)
    known = {start: MapLayout(rank != _IMAGES or input_layout(index, start))}
    for op in index.makers(path):
        declared = op_layout(op)
        inputs = [known[i] for i in index.carried(op, index.outputs[op.name][0]) if i in known]
        for output in index.outputs[op.name]:
            if output not in known:
                known[output] = MapLayout(declared) if declared is not None else _after(index, op, inputs, output, rank)
    return known


def _after(index: GraphIndex, op: tf.Operation, inputs: Sequence[MapLayout], output: str, rank: int) -> MapLayout:
    """Return the layout of an op's output without a data_format."""
    dims = index.dims(output)
    turned = next((layout for layout in inputs if dims is not None and len(layout.order) == len(dims)), None)
    before = turned or MapLayout(all(layout.channels_last for layout in inputs))
    axes = _transposes(index, op)
    if axes is not None and len(axes) == rank and inputs:
        return _layout_of([axes.index(axis) for axis in before.to_last(rank)])
    if rank == _IMAGES and (op.type in RESHAPING or axes is not None):
        return _by_channels(index, output, before)
    return before


def _transposes(index: GraphIndex, op: tf.Operation) -> Optional[List[int]]:
    """Return the axes of a Transpose, None if the graph does not fix them, and for any other op."""
    order = index.constant(index.inputs[op.name][1]) if op.type == "Transpose" else None
    axes = [] if order is None else [int(axis) for axis in order.reshape(-1)]
    return axes if axes and sorted(axes) == list(range(len(axes))) else None


def _by_channels(index: GraphIndex, output: str, before: MapLayout) -> MapLayout:
    """Return the layout by the axis of the channels where it is known, else the layout before."""
    dims, state = index.dims(output), index.axes.get(output)
    channels = None if state is None else state.channels
    if dims is None or channels is None or len(channels) != 1 or len(dims) < 3:
        return MapLayout(before.channels_last)
    return MapLayout({len(dims) - 1: True, 1: False}.get(min(channels), before.channels_last))


def input_layout(index: GraphIndex, name: str) -> bool:
    """Return whether an input is channels last, by its shape, else by the next op with a data_format; default True."""
    dims = index.dims(name)
    if dims is not None and len(dims) in (3, 4):
        last, first = dims[-1] in IMAGE_CHANNELS, dims[-3] in IMAGE_CHANNELS
        if last != first:
            return last
    seen, level = {name}, [(name, list(range(_IMAGES)))]
    while level:
        following = []
        for tensor, origin in level:  # the axis of the input that each axis of the tensor was
            for op, slot in index.users[tensor]:
                declared = op_layout(op) if slot == 0 else None
                if declared is not None:
                    return origin[-1 if declared else 1] != 1
                axes = _transposes(index, op) or []
                after = [origin[axis] for axis in axes] if len(axes) == _IMAGES else origin
                fresh = [out for out in index.flows(op, slot) if out not in seen]
                seen.update(fresh)
                following += [(out, after) for out in fresh]
        level = following
        index.spend(len(level))
    return True


def sides(
    index: GraphIndex, name: str, channels_last: bool, order: Tuple[int, ...] = ()
) -> Tuple[Optional[int], Optional[int]]:
    """Return the static (height, width) of a map with or without N, see `MapLayout`; None if unknown."""
    dims = index.dims(name)
    if dims is None or len(dims) not in (3, 4):
        return None, None
    rows, columns = MapLayout(channels_last, order).positions(len(dims))
    return dims[rows], dims[columns]


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
