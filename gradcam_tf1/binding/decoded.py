"""Where file bytes, serialized examples and flat rows have become images, so that images can be fed there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Set, Tuple

from gradcam_tf1.binding.graph_index import GraphIndex, Op
from gradcam_tf1.binding.layout import IMAGE_CHANNELS, next_kernel_channels
from gradcam_tf1.binding.op_kinds import CONVOLUTIONS, FORWARDING, RESHAPING, RESIZES, WEIGHTED

# the same numbers in another shape
SHAPE_ONLY = FORWARDING | RESHAPING | {"Transpose", "Cast"}
# the same values: moved, cut, resized
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
    """A tensor that can take images. origin: the op it comes from, where that takes something else (bytes, rows).

    changed: the op between origin and tensor that changes values, which feeding the tensor leaves out.
    """

    tensor: str
    origin: str = ""
    changed: str = ""


def looks_like_images(walk: GraphIndex, name: str) -> bool:
    """Numbers [N,H,W,C], [N,C,H,W], [H,W,C] or [C,H,W] with 1, 3 or 4 channels, as far as the shape is known."""
    dtype, dims = walk.tensors[name].dtype, walk.dims(name)
    if not (dtype.is_floating or dtype.is_integer) or dtype.is_quantized or name in walk.looped:
        return False
    if dims is None:
        return _kernel_fits(walk, name) and not _becomes_images_later(walk, name)
    if len(dims) not in (3, 4):
        return False
    if dims[-1] in IMAGE_CHANNELS or dims[-3] in IMAGE_CHANNELS:
        return True
    unknown = dims[-1] is None or (len(dims) == 4 and dims[-3] is None)
    return unknown and _kernel_fits(walk, name)


def _kernel_fits(walk: GraphIndex, name: str) -> bool:
    return next_kernel_channels(walk, name) in (*IMAGE_CHANNELS, None)


def _becomes_images_later(walk: GraphIndex, name: str) -> bool:
    """Whether a tensor of unknown shape is reshaped to images first: it then holds rows of pixels."""
    return any(op.type in ("Reshape", "ExpandDims") and index == 0 for op, index in walk.users[name])


def first_images_after(walk: GraphIndex, name: str, reach: Set[str]) -> Optional[ImageTensor]:
    """The first image-like tensor that a source of another kind (file bytes, flat rows) turns into.

    reach: tensors before convolutions. What a layer with weights puts out is never taken for an image.
    """
    seen, level = {name}, [(name, "")]
    while level:
        following: List[Tuple[str, str]] = []
        for tensor, changed in level:
            for op, index in walk.users[tensor]:
                if op.type in CONVOLUTIONS and index == 0 and _nothing_but_images(walk, tensor):
                    return ImageTensor(tensor, name, changed)
                for out in walk.flows(op, index) if op.type not in WEIGHTED else ():
                    if out in seen or out not in reach:
                        continue
                    seen.add(out)
                    now = changed or _changes(walk, op, tensor)
                    if _are_images(walk, op, out):
                        return ImageTensor(out, name, now)
                    following.append((out, now))
        level = following
    return None


def _are_images(walk: GraphIndex, op: Op, out: str) -> bool:
    """By its shape; or, of unknown shape, by the axis of images that it has just got."""
    if not looks_like_images(walk, out):
        return False
    if walk.rank(out) is not None:
        return True
    axis = walk.constant(walk.inputs[op.name][1]) if op.type == "ExpandDims" else None
    stacked = op.type in ("TensorArrayGatherV3", "TensorListStack") or (axis is not None and axis.reshape(-1)[0] == 0)
    return stacked and not _gets_axes(walk, out)


def _nothing_but_images(walk: GraphIndex, name: str) -> bool:
    """Whether a tensor that a convolution takes holds images, although no shape says so."""
    return walk.rank(name) is None and name not in walk.looped and looks_like_images(walk, name)


def _changes(walk: GraphIndex, op: Op, tensor: str) -> str:
    """The name of an op that changes the values of images, "" for one that moves, cuts or resizes them."""
    if op.type in _LOOPS + _CALLS:
        return op.name if _calculates(walk, op) else ""
    if op.type in _KEEPS_VALUES or op.type.startswith(_STORES) or walk.rank(tensor) == 0:
        return ""
    return op.name if walk.is_float(tensor) else ""


def _calculates(walk: GraphIndex, op: Op) -> bool:
    """Whether a function that the op runs, or one that this one calls, calculates with floats."""
    library = {each.signature.name: each for each in walk.graph.as_graph_def().library.function}
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


def _called(node: Any) -> List[str]:
    """The functions that a node's attributes name."""
    return [value.func.name for value in node.attr.values() if value.HasField("func")]


def behind_branches(walk: GraphIndex, source: ImageTensor, reach: Set[str]) -> ImageTensor:
    """The source, or the tensor where the branches come together of which it is one (a decoder for each format)."""
    while True:
        merge = _meets(walk, source.tensor, reach)
        if merge is None:
            return source
        out = walk.outputs[merge.name][0]
        here = looks_like_images(walk, out) and (walk.rank(out) is not None or not _gets_axes(walk, out))
        later = ImageTensor(out) if here else first_images_after(walk, out, reach)
        if later is None:
            return source
        source = replace(later, origin=source.origin or source.tensor, changed=source.changed or later.changed)


def _meets(walk: GraphIndex, name: str, reach: Set[str]) -> Optional[Op]:
    """The first merge before any layer that has another live branch, which does not come from the tensor."""
    region: Dict[str, None] = {name: None}
    merges: Dict[str, Op] = {}
    stack = [name]
    while stack:
        for op, index in walk.users[stack.pop()]:
            if op.type in WEIGHTED:
                continue
            if op.type == "Merge":
                merges[op.name] = op
            fresh = [out for out in walk.flows(op, index) if out in reach and out not in region]
            region.update(dict.fromkeys(fresh))
            stack += fresh
    for op in sorted(merges.values(), key=lambda op: walk.position[op.name]):
        if any(i not in region and i not in walk.dead for i in walk.inputs[op.name]):
            return op
    return None


def _gets_axes(walk: GraphIndex, name: str) -> bool:
    """Whether a tensor of unknown shape is given its axes later, so that it has none of images yet."""
    return _last_alike(walk, name)[1] in ("Reshape", "ExpandDims")


def _last_alike(walk: GraphIndex, name: str) -> Tuple[str, str]:
    """Where values that are cast and calculated one by one get to, and the type of the one op that takes them there.

    "" where several do, or none.
    """
    while True:
        users = [op for op, index in walk.users[name] if walk.flows(op, index)]
        if len(users) != 1 or len(walk.outputs[users[0].name]) != 1:
            return name, ""
        if users[0].type not in FORWARDING | _ARITHMETIC | {"Cast"} or users[0].type == "Merge":
            return name, users[0].type
        name = walk.outputs[users[0].name][0]


def size_asked_later(walk: GraphIndex, name: str, channels: int) -> Tuple[Optional[int], Optional[int]]:
    """(height, width) that the images are reshaped to before anything looks at their size; Nones where nothing is."""
    while True:
        last, kind = _last_alike(walk, name)
        name = next((out for op, _ in walk.users[last] for out in walk.flows(op, 0)), last) if kind else last
        dims = walk.dims(name)
        if kind in ("Reshape", "EnsureShape"):
            fits = dims is not None and len(dims) in (3, 4) and dims[-1] == channels
            return (dims[-3], dims[-2]) if dims is not None and fits else (None, None)
        if kind != "ExpandDims":
            return None, None
