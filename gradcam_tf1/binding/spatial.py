"""Which tensors of a path are maps with more than one position."""

from __future__ import annotations

from typing import Dict, Optional, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layout import sides
from gradcam_tf1.binding.op_kinds import (
    ACTIVATIONS,
    BIASES,
    COLLECTIONS,
    CONCATS,
    CONVOLUTIONS,
    DENSE,
    FORWARDING,
    POOLS,
    REDUCTIONS,
)

_FC_KERNEL = 4


def maps_on(walk: GraphIndex, path: Set[str], start: str, channels_last: Dict[str, bool]) -> Set[str]:
    """The tensors of a path that still have positions: neither pooled over the whole map, nor flattened, nor 1x1.

    What mixes a map with something pooled (squeeze-and-excitation) is a map again.
    """
    maps = {start}
    for op in walk.makers(path):
        for output in walk.outputs[op.name]:
            if output in path and output != start and _is_map(walk, op, output, path, maps, channels_last):
                maps.add(output)
    return maps


def _is_map(
    walk: GraphIndex, op: Op, output: str, path: Set[str], maps: Set[str], channels_last: Dict[str, bool]
) -> bool:
    dims = walk.dims(output)
    if dims is not None and len(dims) not in (4, 5) and not (len(dims) == 3 and _images(walk, op, maps)):
        return False
    height, width = sides(walk, output, channels_last.get(output, True))
    if height == width == 1:
        return False
    if dims is not None and len(dims) == 4 and height not in (None, 1) and op.type in ("Reshape", "ResizeBilinear"):
        return True
    if op.type in COLLECTIONS:  # maps went into a loop, and maps come out
        return dims is None or len(dims) == 4
    if not any(i in maps for i in walk.carried(op, output)) or op.type in DENSE:
        return False
    if op.type in REDUCTIONS and reduces_positions(walk, op, channels_last.get(walk.inputs[op.name][0], True)):
        return False
    return not (op.type in CONVOLUTIONS and is_dense_convolution(walk, op, path))


def _images(walk: GraphIndex, op: Op, maps: Set[str]) -> bool:
    """[H, W, C] before the batch axis is added."""
    return op.type not in ("Reshape", "Mean", "Max", "Sum") and any(i in maps for i in walk.inputs[op.name])


def reduces_positions(walk: GraphIndex, op: Op, channels_last: bool) -> bool:
    """Whether a Mean, Max, ... goes over height and width."""
    axes = walk.constant(walk.inputs[op.name][1]) if len(walk.inputs[op.name]) > 1 else None
    rank = walk.rank(walk.inputs[op.name][0]) or 4
    if axes is None:
        return (walk.rank(walk.outputs[op.name][0]) or 2) < rank
    wanted = {1, 2} if channels_last else {2, 3}
    return wanted <= {int(axis) % rank for axis in axes.reshape(-1)}


def pools_everything(walk: GraphIndex, op: Op, maps: Set[str]) -> bool:
    """Whether a map goes in and one position comes out without weights: global pooling."""
    gone = walk.outputs[op.name][0] not in maps
    return gone and op.type in POOLS | REDUCTIONS and walk.inputs[op.name][0] in maps


def kernel_size(walk: GraphIndex, op: Op) -> Tuple[Optional[int], Optional[int]]:
    """(height, width) of a convolution's kernel."""
    shape = walk.source(walk.inputs[op.name][1]).outputs[0].shape
    if shape.rank != 4:
        return None, None
    height, width = shape.as_list()[:2]
    return height, width


def made_by_classifiers(walk: GraphIndex, path: Set[str]) -> Set[str]:
    """The maps that 1x1 convolutions without batch norm made, joined or not: they may hold class scores."""
    found: Set[str] = set()
    for op in walk.makers(path):
        out = walk.outputs[op.name][0]
        data = [name for name in walk.carried(op, out) if name in path]
        made = op.type in CONVOLUTIONS and kernel_size(walk, op) == (1, 1)
        kept = op.type in CONCATS or (len(data) == 1 and op.type in FORWARDING | ACTIVATIONS | BIASES | {"Transpose"})
        if made or (kept and data and found.issuperset(data)):
            found.add(out)
    return found


def is_dense_convolution(walk: GraphIndex, op: Op, path: Set[str]) -> bool:
    """A fully connected layer written as a convolution (fc6 of VGG): large, without padding, behind a pooling, and only
    1x1 convolutions follow. On images larger than usual its output has positions, but it is the head all the same.
    """
    sizes = kernel_size(walk, op)
    if None in sizes or min(s or 0 for s in sizes) < _FC_KERNEL or op.get_attr("padding") != b"VALID":
        return False
    before = walk.maker[walk.inputs[op.name][0]]
    while before.type in FORWARDING:
        before = walk.maker[walk.inputs[before.name][0]]
    later = [o for o in walk.makers(walk.downstream(walk.outputs[op.name]) & path) if o.type in CONVOLUTIONS | DENSE]
    later = [o for o in later if o.name != op.name]
    return before.type in POOLS and bool(later) and all(
        o.type in CONVOLUTIONS and kernel_size(walk, o) == (1, 1) for o in later
    )  # fmt: skip
