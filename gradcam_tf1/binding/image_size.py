"""The image size that a dense head insists on, where the input's shape leaves it open."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import ACTIVATION_PARTS, AFFINE, CONCATS, CONVOLUTIONS, FORWARDING, POOLS, SUMS
from gradcam_tf1.binding.spatial import kernel_size

# sizes that nets are trained on are tried first, because flooring lets several sizes fit
_USUAL = (224, 299, 227, 331, 256, 128, 112, 96, 64, 48, 32, 28, 160, 192, 150, 100, 50)
_SAME_SIZE = FORWARDING | ACTIVATION_PARTS | AFFINE | CONCATS | SUMS | {"LRN"}


def size_of_dense_head(features: Features) -> Tuple[Optional[int], Optional[Op]]:
    """The side of a square image that makes as many features as the first dense layer takes, and that layer.

    (None, None) where no flattened map leads into a dense layer, or an op in between is not understood.
    """
    walk = features.walk
    for op in walk.makers(features.path):
        if op.type == "MatMul":
            flat = _flattened_map(features, walk.inputs[op.name][0])
            rows = walk.source(walk.inputs[op.name][1]).outputs[0].shape
            if flat is None or rows.rank != 2:
                return None, None
            side = _solve(features, flat, rows.as_list()[1 if op.get_attr("transpose_b") else 0])
            return side, op if side else None
    return None, None


def _flattened_map(features: Features, name: str) -> Optional[str]:
    """The map whose Reshape a dense layer takes."""
    walk = features.walk
    while name not in features.maps:
        before = [i for i in walk.carried(walk.maker[name], name) if i in features.path]
        if len(before) != 1 or walk.maker[name].type not in _SAME_SIZE | {"Reshape"}:
            return None
        name = before[0]
    return name


def _solve(features: Features, flat: str, wanted: int) -> Optional[int]:
    walk = features.walk
    dims = walk.dims(flat)
    channels = None if dims is None else dims[-1 if features.channels_last[flat] else 1]
    if not channels:
        return None
    before = walk.upstream([flat]) & features.path
    chain = [op for op in walk.makers(before) if walk.outputs[op.name][0] != features.start]
    for side in (*_USUAL, *range(8, 1025)):
        end = _side_after(features, chain, flat, side)
        if end is None:
            return None
        if end * end * channels == wanted:
            return side
    return None


def _side_after(features: Features, chain: List[Op], flat: str, side: int) -> Optional[int]:
    """The height of the map `flat` for images of that height; None where an op is not understood."""
    sizes: Dict[str, int] = {features.start: side}
    for op in chain:
        known = [sizes[i] for i in features.walk.inputs[op.name] if i in sizes]
        after = _step(features, op, max(known)) if known else None
        if after is None:
            return None
        for out in features.walk.outputs[op.name]:
            sizes[out] = after
    return sizes[flat]


def _step(features: Features, op: Op, size: int) -> Optional[int]:
    walk = features.walk
    axis = 1 if features.channels_last[walk.outputs[op.name][0]] else 2
    if op.type in _SAME_SIZE:
        return size
    if op.type in ("Pad", "PadV2", "MirrorPad"):
        paddings = walk.constant(walk.inputs[op.name][1])
        return None if paddings is None else size + int(paddings[axis].sum())
    window = _window(walk, op, axis)
    if window is None or op.get_attr("padding") not in (b"SAME", b"VALID"):
        return None
    reach, stride = window
    return -(-size // stride) if op.get_attr("padding") == b"SAME" else max(-(-(size - reach + 1) // stride), 0)


def _window(walk: GraphIndex, op: Op, axis: int) -> Optional[Tuple[int, int]]:
    """(height of the window, stride) of a convolution or pooling."""
    attr: Any = op.node_def.attr
    if op.type in POOLS and "ksize" in attr:
        return op.get_attr("ksize")[axis], op.get_attr("strides")[axis]
    if op.type not in CONVOLUTIONS - {"Conv2DBackpropInput"}:
        return None
    kernel = kernel_size(walk, op)[0]
    dilation = op.get_attr("dilations")[axis] if "dilations" in attr else 1
    return None if kernel is None else ((kernel - 1) * dilation + 1, op.get_attr("strides")[axis])
