"""Candidates for the image input: placeholders, outputs of input pipelines, decoded files."""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.clip_nets import frame_order
from gradcam_tf1.binding.decoded import ImageTensor, behind_branches, first_images_after, looks_like_images
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import IMAGE_CHANNELS, next_kernel_channels
from gradcam_tf1.binding.op_kinds import (
    CONVOLUTIONS,
    DECODERS,
    PIPELINE_ENDS,
    PLACEHOLDERS,
    is_training_op,
)
from gradcam_tf1.binding.streams import is_part, leads_past, part_of
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import BindingError
from gradcam_tf1.gradients.graph_walk import calls_with
from gradcam_tf1.tf_runtime import tf


def image_sources(index: GraphIndex) -> List[ImageTensor]:
    """Find all tensors that can take images and reach a convolution.

    Of tensors on one path, only the nearest to the net counts. Tensors of other than 1, 3 or 4 channels count only if
    there are no others.

    Parameters
    ----------
    index : GraphIndex
        The graph.

    Returns
    -------
    list of ImageTensor
        In graph order.
    """
    reach = tensors_before_convolutions(index)
    sources: List[ImageTensor] = []
    followed = 0
    for op in index.ops:
        if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type) or DECODERS.match(op.type):
            for name in filter(reach.__contains__, index.outputs[op.name]):
                direct = _takes_images(index, name)
                if (direct and not DECODERS.match(op.type)) or followed < index.affordable:
                    followed += not direct
                    sources += _source_at(index, op, name, direct, reach)
    photographs = [source for source in sources if not takes_bands(index, source.tensor)]
    return _nearest(index, {source.tensor: source for source in reversed(photographs or sources)})


def _nearest(index: GraphIndex, sources: Dict[str, ImageTensor]) -> List[ImageTensor]:
    """Keep one source of each path: the placeholder, or else the one nearest to the net."""
    plain = {name for name in sources if index.maker[name].type in ("Placeholder", "PlaceholderV2")}
    hidden = index.downstream(plain) & set(sources) - plain
    nearer = [name for name in sources if name not in hidden]
    hidden |= index.upstream(i for name in nearer for i in index.carried(index.maker[name], name)) & set(sources)
    kept = [source for source in sources.values() if source.tensor not in hidden]
    return sorted(kept, key=lambda source: index.position[index.maker[source.tensor].name])


def tensors_before_convolutions(index: GraphIndex) -> Set[str]:
    """Return all tensors whose values reach a convolution of the net."""
    data = [
        index.inputs[op.name][2 if op.type == "Conv2DBackpropInput" else 0]
        for op in index.ops
        if op.type in CONVOLUTIONS and not is_training_op(op.name, op.type)
    ]
    return index.upstream(data)


def _takes_images(index: GraphIndex, name: str) -> bool:
    return looks_like_images(index, name) or takes_bands(index, name) or frame_order(index, name) is not None


def _source_at(index: GraphIndex, op: tf.Operation, name: str, direct: bool, reach: Set[str]) -> List[ImageTensor]:
    """Return the source that an output of an op is, or is decoded to; empty if there is none."""
    later = ImageTensor(name) if direct else first_images_after(index, name, reach)
    if later is not None and index.has_merges and (later.origin or DECODERS.match(op.type)):
        later = behind_branches(index, later, reach)
    return [] if later is None else [later]


def takes_bands(index: GraphIndex, name: str) -> bool:
    """Return whether a numeric tensor is [N,H,W,C] or [N,C,H,W] with C channels, not 1, 3 or 4, for a convolution."""
    dtype, dims = index.tensors[name].dtype, index.dims(name)
    if not (dtype.is_floating or dtype.is_integer) or dtype.is_quantized or name in index.looped:
        return False
    if dims is None or len(dims) != 4 or {dims[-1], dims[-3]} & set(IMAGE_CHANNELS):
        return False
    channels = next_kernel_channels(index, name)
    return channels is not None and channels not in IMAGE_CHANNELS and channels in (dims[-1] or channels, dims[-3])


def choose_input(
    index: GraphIndex,
    sources: Sequence[ImageTensor],
    declared: Sequence[str],
    logits: str,
    fed: AbstractSet[str] = frozenset(),
) -> Tuple[ImageTensor, str]:
    """Choose the source that reaches the logits through the most convolutions; declared ones come first.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    sources : sequence of ImageTensor
        From `image_sources`.
    declared : sequence of str
        Inputs that the model file declares.
    logits : str
        The class scores.
    fed : set of str
        Tensors that the user feeds; they are chosen only if there is no other.

    Returns
    -------
    (ImageTensor, str)
        The input, and the reason.

    Raises
    ------
    BindingError
        If no source reaches the logits.
    """
    before = index.upstream([logits])
    reaching = [source for source in sources if source.tensor in before]
    if not reaching:
        raise BindingError(_nothing_reaches(index, sources, logits))
    open_ones = [s for s in reaching if not fed & {s.tensor, s.origin}] or reaching
    preferred = [s for s in open_ones if s.tensor in declared or s.origin in declared]
    serious = (preferred or open_ones)[: index.affordable]
    counts = {source.tensor: convolutions_between(index, source.tensor, before) for source in serious}
    best = max(serious, key=lambda source: counts[source.tensor])
    return best, _why(index, best, bool(preferred), reaching, counts[best.tensor])


def convolutions_between(index: GraphIndex, start: str, before: Set[str]) -> int:
    """Return the number of convolutions after `start` whose output is in `before`."""
    if start not in index.convolutions_after:
        makers = index.makers(index.downstream([start]))
        index.convolutions_after[start] = [index.outputs[op.name][0] for op in makers if op.type in CONVOLUTIONS]
    return sum(name in before for name in index.convolutions_after[start])


def _why(index: GraphIndex, best: ImageTensor, declared: bool, reaching: Sequence[ImageTensor], count: int) -> str:
    op = index.maker[best.tensor]
    kind = "the file declares it as input" if declared else f"{op.type} with the shape of images"
    text = f"{kind}; it reaches the logits through {count} convolutions"
    if best.origin:
        text += f"; images can be fed here although '{best.origin}' takes something else"
    others = [source.tensor for source in reaching if source.tensor != best.tensor]
    if others:
        text += f"; other possible inputs: {', '.join(others[:5])}"
    return text


def _nothing_reaches(index: GraphIndex, sources: Sequence[ImageTensor], logits: str) -> str:
    listed = ", ".join(f"'{source.tensor}'" for source in sources[:5])
    return (
        f"no image input leads to the logits '{logits}'; image inputs found: {listed}; "
        f"placeholders: {_placeholders(index)}; name an input and logits that belong together"
    )


def nothing_takes_images(index: GraphIndex) -> str:
    """Return the message for a graph without an image input."""
    calling = calls_with(index.graph, index.ops, lambda node: node.op in CONVOLUTIONS)
    if calling:
        return (
            f"no image input found: the convolutions lie inside the function of '{calling[0].name}' "
            f"({calling[0].type}), where nothing can be fetched; if it is a loop, export the net so that it takes all "
            "images or frames at once, by reshaping them to one batch; otherwise freeze it with its functions inlined"
        )
    return (
        "no image input found: no tensor that can be fed is [N, H, W, channels] and reaches a convolution; "
        f"placeholders: {_placeholders(index)}; name the input"
    )


def _placeholders(index: GraphIndex) -> str:
    tensors = [op.outputs[0] for op in index.ops if op.type in PLACEHOLDERS][:8]
    return ", ".join(f"'{t.name}' {t.dtype.name} {t.shape}" for t in tensors) or "none"


def requested_input(index: GraphIndex, spec: Any) -> ImageTensor:
    """Check the tensor that the user names as input.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    spec : object
        What `find_tensor` takes.

    Returns
    -------
    ImageTensor
        The tensor.

    Raises
    ------
    BindingError
        If it is not numeric, or not of rank 3, 4 or unknown; the message names the images to use instead.
    """
    tensor = find_tensor(index.graph, spec)
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        later = first_images_after(index, tensor.name, tensors_before_convolutions(index))
        hint = f"its decoded images, '{later.tensor}'" if later else "the tensor that takes the images"
        raise BindingError(f"'{tensor.name}' takes {tensor.dtype.name}, not images; name {hint}")
    if tensor.shape.rank not in (3, 4, None):
        later = first_images_after(index, tensor.name, tensors_before_convolutions(index))
        problem = f"'{tensor.name}' has shape {tensor.shape}, images need [N, H, W, C] or [H, W, C]"
        raise BindingError(problem + _better_input(index, tensor.name, later))
    return ImageTensor(tensor.name)


def _better_input(index: GraphIndex, name: str, later: Optional[ImageTensor]) -> str:
    """Say what to name instead; "" if there is nothing."""
    if later is None:
        return ""
    if is_part(index, name, later.tensor) and leads_past(index, name, later.tensor, index.downstream([later.tensor])):
        return f"; {part_of(index, name, later.tensor)}"
    return f"; name '{later.tensor}', where it holds images"
