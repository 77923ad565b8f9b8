"""Where the images go in: candidates among placeholders, ends of input pipelines and decoded files."""

from __future__ import annotations

from typing import AbstractSet, Any, Dict, List, Optional, Sequence, Set, Tuple

from gradcam_tf1.binding.clip_nets import frame_order
from gradcam_tf1.binding.decoded import ImageTensor, behind_branches, first_images_after, looks_like_images
from gradcam_tf1.binding.graph_index import GraphIndex, Op
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


def image_sources(walk: GraphIndex) -> List[ImageTensor]:
    """All tensors that can take images and reach a convolution, in graph order, nearest to the net only.

    Those of 1, 3 or 4 channels; of other channel counts only where there are no such.
    """
    reach = tensors_before_convolutions(walk)
    found: List[ImageTensor] = []
    followed = 0
    for op in walk.ops:
        if op.type in PLACEHOLDERS or PIPELINE_ENDS.search(op.type) or DECODERS.match(op.type):
            for name in filter(reach.__contains__, walk.outputs[op.name]):
                direct = _takes_images(walk, name)
                if (direct and not DECODERS.match(op.type)) or followed < walk.affordable:
                    followed += not direct
                    found += _source_at(walk, op, name, direct, reach)
    photographs = [source for source in found if not takes_bands(walk, source.tensor)]
    return _nearest(walk, {source.tensor: source for source in reversed(photographs or found)})


def _nearest(walk: GraphIndex, sources: Dict[str, ImageTensor]) -> List[ImageTensor]:
    """Of sources that follow each other, the placeholder wins; else the one nearest to the net."""
    plain = {name for name in sources if walk.maker[name].type in ("Placeholder", "PlaceholderV2")}
    hidden = walk.downstream(plain) & set(sources) - plain
    nearer = [name for name in sources if name not in hidden]
    hidden |= walk.upstream(i for name in nearer for i in walk.carried(walk.maker[name], name)) & set(sources)
    return sorted((s for s in sources.values() if s.tensor not in hidden), key=lambda s: _place(walk, s))


def _place(walk: GraphIndex, source: ImageTensor) -> int:
    return walk.position[walk.maker[source.tensor].name]


def tensors_before_convolutions(walk: GraphIndex) -> Set[str]:
    """All tensors whose values reach a convolution of the net."""
    data = [
        walk.inputs[op.name][2 if op.type == "Conv2DBackpropInput" else 0]
        for op in walk.ops
        if op.type in CONVOLUTIONS and not is_training_op(op.name, op.type)
    ]
    return walk.upstream(data)


def _takes_images(walk: GraphIndex, name: str) -> bool:
    return looks_like_images(walk, name) or takes_bands(walk, name) or frame_order(walk, name) is not None


def _source_at(walk: GraphIndex, op: Op, name: str, direct: bool, reach: Set[str]) -> List[ImageTensor]:
    """The source that an output of `op` is, or leads to; empty where it leads to none."""
    later = ImageTensor(name) if direct else first_images_after(walk, name, reach)
    if later is not None and walk.has_merges and (later.origin or DECODERS.match(op.type)):
        later = behind_branches(walk, later, reach)
    return [] if later is None else [later]


def takes_bands(walk: GraphIndex, name: str) -> bool:
    """Whether these are numbers [N,H,W,C] or [N,C,H,W] whose C channels, not 1, 3 or 4, a convolution takes."""
    dtype, dims = walk.tensors[name].dtype, walk.dims(name)
    if not (dtype.is_floating or dtype.is_integer) or dtype.is_quantized or name in walk.looped:
        return False
    if dims is None or len(dims) != 4 or {dims[-1], dims[-3]} & set(IMAGE_CHANNELS):
        return False
    channels = next_kernel_channels(walk, name)
    return channels is not None and channels not in IMAGE_CHANNELS and channels in (dims[-1] or channels, dims[-3])


def choose_input(
    walk: GraphIndex,
    sources: Sequence[ImageTensor],
    declared: Sequence[str],
    logits: str,
    fed: AbstractSet[str] = frozenset(),
) -> Tuple[ImageTensor, str]:
    """The source that reaches the logits through the most convolutions, declared ones first, and why.

    fed: tensors that a person feeds; of several sources another one is explained.
    """
    before = walk.upstream([logits])
    reaching = [source for source in sources if source.tensor in before]
    if not reaching:
        raise BindingError(_nothing_reaches(walk, sources, logits))
    open_ones = [s for s in reaching if not fed & {s.tensor, s.origin}] or reaching
    preferred = [s for s in open_ones if s.tensor in declared or s.origin in declared]
    serious = (preferred or open_ones)[: walk.affordable]
    counts = {source.tensor: convolutions_between(walk, source.tensor, before) for source in serious}
    best = max(serious, key=lambda source: counts[source.tensor])
    return best, _why(walk, best, bool(preferred), reaching, counts[best.tensor])


def convolutions_between(walk: GraphIndex, start: str, before: Set[str]) -> int:
    """Number of convolutions on the ways from `start` into the set `before`."""
    if start not in walk.convolutions_after:
        makers = walk.makers(walk.downstream([start]))
        walk.convolutions_after[start] = [walk.outputs[op.name][0] for op in makers if op.type in CONVOLUTIONS]
    return sum(name in before for name in walk.convolutions_after[start])


def _why(walk: GraphIndex, best: ImageTensor, declared: bool, reaching: Sequence[ImageTensor], count: int) -> str:
    op = walk.maker[best.tensor]
    said = "the file declares it as input" if declared else f"{op.type} with the shape of images"
    text = f"{said}; it reaches the logits through {count} convolutions"
    if best.origin:
        text += f"; images can be fed here although '{best.origin}' takes something else"
    others = [source.tensor for source in reaching if source.tensor != best.tensor]
    if others:
        text += f"; others that would do: {', '.join(others[:5])}"
    return text


def _nothing_reaches(walk: GraphIndex, sources: Sequence[ImageTensor], logits: str) -> str:
    found = ", ".join(f"'{source.tensor}'" for source in sources[:5])
    return (
        f"no image input leads to the logits '{logits}'; image inputs found: {found}; "
        f"placeholders: {_placeholders(walk)}. Name input and logits that belong together"
    )


def nothing_takes_images(walk: GraphIndex) -> str:
    """The message where no source of images was found."""
    calling = calls_with(walk.graph, walk.ops, lambda node: node.op in CONVOLUTIONS)
    if calling:
        return (
            f"no image input found: the convolutions lie inside the function of '{calling[0].name}' "
            f"({calling[0].type}), where nothing can be read; in a loop, export the net so that it takes all images "
            "or frames at once, by reshaping them to one batch; elsewhere freeze it with its functions inlined"
        )
    return (
        "no image input found: nothing that can be fed is [N, H, W, channels] and reaches a convolution; "
        f"placeholders: {_placeholders(walk)}. Name the input"
    )


def _placeholders(walk: GraphIndex) -> str:
    tensors = [op.outputs[0] for op in walk.ops if op.type in PLACEHOLDERS][:8]
    return ", ".join(f"'{t.name}' {t.dtype.name} {t.shape}" for t in tensors) or "none"


def requested_input(walk: GraphIndex, spec: Any) -> ImageTensor:
    """The tensor a person named, checked: numbers of rank 3, 4 or unknown."""
    tensor = find_tensor(walk.graph, spec)
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        later = first_images_after(walk, tensor.name, tensors_before_convolutions(walk))
        hint = f"; its decoded images are '{later.tensor}'" if later else ""
        raise BindingError(f"'{tensor.name}' takes {tensor.dtype.name}, not images{hint}")
    if tensor.shape.rank not in (3, 4, None):
        later = first_images_after(walk, tensor.name, tensors_before_convolutions(walk))
        said = f"'{tensor.name}' has shape {tensor.shape}, images need [N, H, W, C] or [H, W, C]"
        raise BindingError(said + _where_it_is_images(walk, tensor.name, later))
    return ImageTensor(tensor.name)


def _where_it_is_images(walk: GraphIndex, name: str, later: Optional[ImageTensor]) -> str:
    """What to name instead, where there is something."""
    if later is None:
        return ""
    if is_part(walk, name, later.tensor) and leads_past(walk, name, later.tensor, walk.downstream([later.tensor])):
        return f"; {part_of(walk, name, later.tensor)}"
    return f"; name '{later.tensor}', where it has become images"
