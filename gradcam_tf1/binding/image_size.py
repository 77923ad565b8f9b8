"""The image size that a dense head requires if the input's shape leaves it open."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layers import Features
from gradcam_tf1.binding.op_kinds import ACTIVATION_PARTS, AFFINE, CONCATS, CONVOLUTIONS, FORWARDING, POOLS, SUMS
from gradcam_tf1.binding.spatial import kernel_size
from gradcam_tf1.images.geometry import FreeSize
from gradcam_tf1.tf_runtime import tf

# usual training sizes are tried first, because several sizes can fit due to rounding
_USUAL = (224, 299, 227, 331, 256, 128, 112, 96, 64, 48, 32, 28, 160, 192, 150, 100, 50)
_SIZES: Tuple[int, ...] = (*_USUAL, *range(8, 1025))
_STEPS = 2_000_000  # ops passed in all; nets of more than 1,900 ops have the usual sizes
_SAME_SIZE = FORWARDING | ACTIVATION_PARTS | AFFINE | CONCATS | SUMS | {"LRN", "Transpose"}


def size_of_dense_head(features: Features, wanted: FreeSize) -> Tuple[Optional[FreeSize], Optional[tf.Operation]]:
    """Find the size of an image whose flattened feature map fits the first dense layer.

    Parameters
    ----------
    features : Features
        The feature maps of the net.
    wanted : tuple
        The size that the user asked for, None for an open side. It is taken if it fits, because several sizes can;
        otherwise a square is found.

    Returns
    -------
    ((int, int), tf.Operation) or (None, None)
        Height and width, and the dense layer. None if no flattened map feeds a dense layer, if an op in between is
        unknown, or if no size fits.
    """
    index = features.index
    for op in index.makers(features.path):
        if op.type == "MatMul":
            flat = _flattened_map(features, index.inputs[op.name][0])
            rows = index.source(index.inputs[op.name][1]).outputs[0].shape
            if flat is None or rows.rank != 2:
                return None, None
            size = _solve(features, flat, rows.as_list()[1 if op.get_attr("transpose_b") else 0], wanted)
            return size, op if size else None
    return None, None


def _flattened_map(features: Features, name: str) -> Optional[str]:
    """Return the map that is flattened into the input `name` of a dense layer, None if there is none."""
    index = features.index
    while name not in features.maps:
        before = [i for i in index.carried(index.maker[name], name) if i in features.path]
        if len(before) != 1 or index.maker[name].type not in _SAME_SIZE | {"Reshape"}:
            return None
        name = before[0]
    return name


def _solve(features: Features, flat: str, length: int, wanted: FreeSize) -> Optional[FreeSize]:
    """Return the size of the image that makes `length` numbers of the map `flat`; None if none does."""
    index = features.index
    dims = index.dims(flat)
    channels = None if dims is None else dims[features.layouts[flat].to_last(len(dims))[-1]]
    if not channels:
        return None
    before = index.upstream([flat]) & features.path
    chain = [op for op in index.makers(before) if index.outputs[op.name][0] != features.start]
    tried = _SIZES[: max(len(_USUAL), _STEPS // max(1, len(chain)))]
    for height, width in [wanted] * (None not in wanted) + [(side, side) for side in tried]:
        rows, columns = (_side_after(features, chain, flat, side, n) for n, side in enumerate((height, width)))
        if rows is None or columns is None:
            return None
        if rows * columns * channels == length:
            return height, width
    return None


def _side_after(
    features: Features, chain: List[tf.Operation], flat: str, side: Optional[int], number: int
) -> Optional[int]:
    """Return the height (number 0) or width (1) of the map `flat` for images of that side; None if an op is unknown."""
    sizes: Dict[str, int] = {features.start: side or 0}
    for op in chain:
        known = [sizes[i] for i in features.index.inputs[op.name] if i in sizes]
        after = _step(features, op, max(known), number) if known else None
        if after is None:
            return None
        for out in features.index.outputs[op.name]:
            sizes[out] = after
    return sizes[flat]


def _step(features: Features, op: tf.Operation, size: int, number: int) -> Optional[int]:
    index = features.index
    axis = features.layouts[index.outputs[op.name][0]].positions(4)[number]
    if op.type in _SAME_SIZE:
        return size
    if op.type in ("Pad", "PadV2", "MirrorPad"):
        paddings = index.constant(index.inputs[op.name][1])
        return None if paddings is None else size + int(paddings[axis].sum())
    window = _window(index, op, axis, number)
    if window is None or op.get_attr("padding") not in (b"SAME", b"VALID"):
        return None
    reach, stride = window
    return -(-size // stride) if op.get_attr("padding") == b"SAME" else max(-(-(size - reach + 1) // stride), 0)


def _window(index: GraphIndex, op: tf.Operation, axis: int, number: int) -> Optional[Tuple[int, int]]:
    """Return (extent, stride) of a convolution or pooling along an axis, None if unknown."""
    attr = op.node_def.attr
    if op.type in POOLS and "ksize" in attr:
        return op.get_attr("ksize")[axis], op.get_attr("strides")[axis]
    if op.type not in CONVOLUTIONS - {"Conv2DBackpropInput"}:
        return None
    kernel = kernel_size(index, op)[number]
    dilation = int(op.get_attr("dilations")[axis]) if "dilations" in attr else 1
    return None if kernel is None else ((kernel - 1) * dilation + 1, int(op.get_attr("strides")[axis]))
