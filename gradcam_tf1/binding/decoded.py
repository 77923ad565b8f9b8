"""Tensors at which file bytes, serialized examples and flat rows have become images, so that images can be fed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Optional, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import IMAGE_CHANNELS, next_kernel_channels
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, FORWARDING, RESHAPING, RESIZES, WEIGHTED
from gradcam_tf1.tf_runtime import tf

# same values, another shape
SHAPE_ONLY = FORWARDING | RESHAPING | {"Transpose", "Cast"}
# same values, moved, cut or resized
_KEEPS_VALUES = (
    SHAPE_ONLY | RESIZES
    | {"Pack", "Unpack", "Concat", "ConcatV2", "Split", "SplitV", "Slice", "StridedSlice", "Pad"}
    | {"PadV2", "CropAndResize", "GatherV2", "ReverseV2", "DecodeRaw", "DecodePaddedRaw"}
)  # fmt: skip
_STORES = ("TensorArray", "TensorList")
_LOOPS = ("While", "StatelessWhile")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf")
_ARITHMETIC = {"Add", "AddV2", "Sub", "Mul", "RealDiv", "Div", "Pow", "Square", "Sqrt", "Rsqrt", "Exp", "Log", "Neg"}
_FLOATS = (1, 2, 14, 19)  # types.proto: float, double, bfloat16, half


@dataclass(frozen=True)
class ImageTensor:
    """A tensor that can take images.

    Attributes
    ----------
    tensor : str
        Its name.
    origin : str
        The tensor it is computed from, if that takes something else (bytes, rows); "" otherwise.
    changed : str
        The op between `origin` and `tensor` that changes values, and that feeding `tensor` skips; "" if none does.
    texts : bool
        Whether it takes the embeddings of texts; their nets may have no convolution.
    """

    tensor: str
    origin: str = ""
    changed: str = ""
    texts: bool = False


def looks_like_images(index: GraphIndex, name: str) -> bool:
    """Return whether a tensor is numeric and of a shape [N,H,W,C], [N,C,H,W], [H,W,C] or [C,H,W].

    It has 1, 3 or 4 channels, as far as the shape is known.
    """
    dtype, dims = index.tensors[name].dtype, index.dims(name)
    if not (dtype.is_floating or dtype.is_integer) or dtype.is_quantized or name in index.looped:
        return False
    if dims is None:
        return _kernel_fits(index, name) and not _becomes_images_later(index, name)
    if len(dims) not in (3, 4):
        return False
    if dims[-1] in IMAGE_CHANNELS or dims[-3] in IMAGE_CHANNELS:
        return True
    unknown = dims[-1] is None or (len(dims) == 4 and dims[-3] is None)
    return unknown and _kernel_fits(index, name)


def _kernel_fits(index: GraphIndex, name: str) -> bool:
    return next_kernel_channels(index, name) in (*IMAGE_CHANNELS, None)


def _becomes_images_later(index: GraphIndex, name: str) -> bool:
    """Return whether a tensor of unknown shape is reshaped to images next, and so holds rows of pixels."""
    return any(op.type in ("Reshape", "ExpandDims") and slot == 0 for op, slot in index.users[name])


def first_images_after(index: GraphIndex, name: str, reach: Set[str]) -> Optional[ImageTensor]:
    """Find the first image-like tensor computed from a source of another kind (file bytes, flat rows).

    Outputs of layers with weights are never taken for images.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    name : str
        The source.
    reach : set of str
        Tensors that reach a convolution.

    Returns
    -------
    ImageTensor or None
        None if there is no such tensor.
    """
    seen, level = {name}, [(name, "")]
    while level:
        following: List[Tuple[str, str]] = []
        for tensor, changed in level:
            for op, slot in index.users[tensor]:
                if op.type in CONVOLUTIONS and slot == 0 and _must_be_images(index, tensor):
                    return ImageTensor(tensor, name, changed)
                for out in index.flows(op, slot) if op.type not in WEIGHTED else ():
                    if out in seen or out not in reach:
                        continue
                    seen.add(out)
                    changed_by = changed or _changes(index, op, tensor)
                    if _are_images(index, op, out):
                        return ImageTensor(out, name, changed_by)
                    following.append((out, changed_by))
        level = following
        index.spend(len(level))
    return None


def _are_images(index: GraphIndex, op: tf.Operation, out: str) -> bool:
    """Judge by the shape; if it is unknown, by whether the op has just added a batch axis."""
    if not looks_like_images(index, out):
        return False
    if index.rank(out) is not None:
        return True
    axis = index.constant(index.inputs[op.name][1]) if op.type == "ExpandDims" else None
    stacked = op.type in ("TensorArrayGatherV3", "TensorListStack") or (axis is not None and axis.reshape(-1)[0] == 0)
    return stacked and not _gets_axes(index, out)


def _must_be_images(index: GraphIndex, name: str) -> bool:
    """Return whether the data of a convolution can only be images, although its shape is unknown."""
    return index.rank(name) is None and name not in index.looped and looks_like_images(index, name)


def _changes(index: GraphIndex, op: tf.Operation, tensor: str) -> str:
    """Return the name of an op that changes the values of images, "" if it moves, cuts or resizes them."""
    if op.type in _LOOPS + _CALLS:
        return op.name if _calculates(index, op) else ""
    if op.type in _KEEPS_VALUES or op.type.startswith(_STORES) or index.rank(tensor) == 0:
        return ""
    return op.name if index.is_float(tensor) else ""


def _calculates(index: GraphIndex, op: tf.Operation) -> bool:
    """Return whether a function that the op calls, directly or not, does arithmetic on floats."""
    library = {function.signature.name: function for function in index.graph.as_graph_def().library.function}
    waiting, seen = _called(op.node_def), set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in library:
            continue
        seen.add(name)
        for node in library[name].node_def:
            if node.op in _ARITHMETIC and node.attr["T"].type in _FLOATS:
                return True
            waiting += _called(node)
    return False


def _called(node: tf.NodeDef) -> List[str]:
    """Return the functions that a node's attributes name."""
    return [value.func.name for value in node.attr.values() if value.HasField("func")]


def behind_branches(index: GraphIndex, source: ImageTensor, reach: Set[str]) -> ImageTensor:
    """Move a source behind the merge of the branches it is one of (one decoder per file format).

    Parameters
    ----------
    index : GraphIndex
        The graph.
    source : ImageTensor
        The source.
    reach : set of str
        Tensors that reach a convolution.

    Returns
    -------
    ImageTensor
        The images after the last such merge; `source` if there is none.
    """
    while True:
        index.walk()
        merge = _next_merge(index, source.tensor, reach)
        if merge is None:
            return source
        out = index.outputs[merge.name][0]
        is_image = looks_like_images(index, out) and (index.rank(out) is not None or not _gets_axes(index, out))
        later = ImageTensor(out) if is_image else first_images_after(index, out, reach)
        if later is None:
            return source
        source = replace(later, origin=source.origin or source.tensor, changed=source.changed or later.changed)


def _next_merge(index: GraphIndex, name: str, reach: Set[str]) -> Optional[tf.Operation]:
    """Return the first merge before any layer that has a live branch not computed from the tensor."""
    region: Dict[str, None] = {name: None}
    merges: Dict[str, tf.Operation] = {}
    stack = [name]
    while stack:
        for op, slot in index.users[stack.pop()]:
            if op.type in WEIGHTED:
                continue
            if op.type == "Merge":
                merges[op.name] = op
            fresh = [out for out in index.flows(op, slot) if out in reach and out not in region]
            region.update(dict.fromkeys(fresh))
            stack += fresh
    index.spend(len(region))
    for op in sorted(merges.values(), key=lambda op: index.position[op.name]):
        if any(i not in region and i not in index.dead for i in index.inputs[op.name]):
            return op
    return None


def _gets_axes(index: GraphIndex, name: str) -> bool:
    """Return whether a tensor of unknown shape gets its axes later, and so does not have those of images yet."""
    return _end_of_elementwise(index, name)[1] in ("Reshape", "ExpandDims")


def _end_of_elementwise(index: GraphIndex, name: str) -> Tuple[str, str]:
    """Follow casts and arithmetic; return the last tensor and the type of the only op that uses it.

    The type is "" if several ops use it, or none.
    """
    while True:
        index.walk()
        users = [op for op, slot in index.users[name] if index.flows(op, slot)]
        if len(users) != 1 or len(index.outputs[users[0].name]) != 1:
            return name, ""
        if users[0].type not in FORWARDING | _ARITHMETIC | {"Cast"} or users[0].type == "Merge":
            return name, users[0].type
        name = index.outputs[users[0].name][0]


def size_of_later_reshape(index: GraphIndex, name: str, channels: int) -> Tuple[Optional[int], Optional[int]]:
    """Return the (height, width) that images are reshaped to before any other use; (None, None) if they are not."""
    while True:
        index.walk()
        last, kind = _end_of_elementwise(index, name)
        name = next((out for op, _ in index.users[last] for out in index.flows(op, 0)), last) if kind else last
        dims = index.dims(name)
        if kind in ("Reshape", "EnsureShape"):
            fits = dims is not None and len(dims) in (3, 4) and dims[-1] == channels
            return (dims[-3], dims[-2]) if dims is not None and fits else (None, None)
        if kind != "ExpandDims":
            return None, None
