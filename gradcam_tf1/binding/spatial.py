"""Maps: the tensors of a path with more than one position."""

from __future__ import annotations

from typing import Dict, Optional, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
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
from gradcam_tf1.scoring.map_layout import MapLayout
from gradcam_tf1.tf_runtime import tf

_FC_KERNEL = 4
_IMAGES = 4  # axes


def maps_on(index: GraphIndex, path: Set[str], start: str, layouts: Dict[str, MapLayout]) -> Set[str]:
    """Find the tensors of a path that have positions: neither globally pooled, nor flattened, nor 1x1.

    An op on a map and a pooled tensor (squeeze-and-excitation) makes a map.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    path : set of str
        The tensors between input and logits.
    start : str
        The input.
    layouts : dict of str to MapLayout
        By tensor name.

    Returns
    -------
    set of str
        The maps.
    """
    maps = {start}
    for op in index.makers(path):
        for output in index.outputs[op.name]:
            if output in path and output != start and _is_map(index, op, output, path, maps, layouts):
                maps.add(output)
    return maps


def _is_map(
    index: GraphIndex, op: tf.Operation, output: str, path: Set[str], maps: Set[str], layouts: Dict[str, MapLayout]
) -> bool:
    dims = index.dims(output)
    if dims is not None and len(dims) not in (4, 5) and not (len(dims) == 3 and _images(index, op, maps)):
        return False
    height, width = sides(index, output, *layouts.get(output, MapLayout()))
    if height == width == 1:
        return False
    if dims is not None and len(dims) == 4 and height not in (None, 1) and op.type in ("Reshape", "ResizeBilinear"):
        return True
    if op.type in COLLECTIONS:  # a loop over maps makes maps
        return dims is None or len(dims) == 4
    if not any(i in maps for i in index.carried(op, output)) or op.type in DENSE:
        return False
    if op.type in REDUCTIONS and reduces_positions(index, op, layouts.get(index.inputs[op.name][0], MapLayout())):
        return False
    return not (op.type in CONVOLUTIONS and is_dense_convolution(index, op, path))


def _images(index: GraphIndex, op: tf.Operation, maps: Set[str]) -> bool:
    """Return whether the output of an op can be [H, W, C], before the batch axis is added."""
    return op.type not in ("Reshape", "Mean", "Max", "Sum") and any(i in maps for i in index.inputs[op.name])


def reduces_positions(index: GraphIndex, op: tf.Operation, layout: MapLayout) -> bool:
    """Return whether a reduction (Mean, Max, ...) runs over height and width."""
    axes = index.constant(index.inputs[op.name][1]) if len(index.inputs[op.name]) > 1 else None
    rank = index.rank(index.inputs[op.name][0]) or 4
    if axes is None:
        return (index.rank(index.outputs[op.name][0]) or 2) < rank
    return set(layout.positions(_IMAGES)) <= {int(axis) % rank for axis in axes.reshape(-1)}


def pools_everything(index: GraphIndex, op: tf.Operation, maps: Set[str]) -> bool:
    """Return whether an op is a global pooling, which makes a single position of a map without weights."""
    gone = index.outputs[op.name][0] not in maps
    return gone and op.type in POOLS | REDUCTIONS and index.inputs[op.name][0] in maps


def kernel_size(index: GraphIndex, op: tf.Operation) -> Tuple[Optional[int], Optional[int]]:
    """Return (height, width) of a convolution's kernel, (None, None) if unknown."""
    shape = index.source(index.inputs[op.name][1]).outputs[0].shape
    if shape.rank != 4:
        return None, None
    height, width = shape.as_list()[:2]
    return height, width


def made_by_classifiers(index: GraphIndex, path: Set[str]) -> Set[str]:
    """Return the maps made by 1x1 convolutions without batch norm, joined or not, which may hold class scores."""
    classified: Set[str] = set()
    for op in index.makers(path):
        out = index.outputs[op.name][0]
        data = [name for name in index.carried(op, out) if name in path]
        made = op.type in CONVOLUTIONS and kernel_size(index, op) == (1, 1)
        kept = op.type in CONCATS or (len(data) == 1 and op.type in FORWARDING | ACTIVATIONS | BIASES | {"Transpose"})
        if made or (kept and data and classified.issuperset(data)):
            classified.add(out)
    return classified


def is_dense_convolution(index: GraphIndex, op: tf.Operation, path: Set[str]) -> bool:
    """Return whether a convolution is a fully connected layer (fc6 of VGG).

    It has a large kernel without padding, follows a pooling, and only 1x1 convolutions follow it. On larger images its
    output has positions, but it still belongs to the head.
    """
    sizes = kernel_size(index, op)
    if None in sizes or min(s or 0 for s in sizes) < _FC_KERNEL or op.get_attr("padding") != b"VALID":
        return False
    before = index.maker[index.inputs[op.name][0]]
    while before.type in FORWARDING | {"Transpose"}:
        index.walk()
        before = index.maker[index.inputs[before.name][0]]
    later = [o for o in index.makers(index.downstream(index.outputs[op.name]) & path) if o.type in CONVOLUTIONS | DENSE]
    later = [o for o in later if o.name != op.name]
    return before.type in POOLS and bool(later) and all(
        o.type in CONVOLUTIONS and kernel_size(index, o) == (1, 1) for o in later
    )  # fmt: skip
