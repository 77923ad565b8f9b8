"""Nets that cut their input into parts (two streams of bands, the frames of a clip) and use more than one of them."""

from __future__ import annotations

from typing import Iterable

from gradcam_tf1.binding.decoded import ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import input_layout
from gradcam_tf1.errors import BindingError

_IMAGES = 4  # axes


def whole_image(index: GraphIndex, source: ImageTensor, scores: str) -> ImageTensor:
    """Return the whole image if other parts of it than the source reach the scores too.

    A source cut from flat rows or strings is kept: the rest of them is fed separately.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    source : ImageTensor
        The chosen input.
    scores : str
        The class scores.

    Returns
    -------
    ImageTensor
        `source`, or its origin.

    Raises
    ------
    BindingError
        If the origin is not an image.
    """
    origin = source.origin
    if (
        not origin
        or not is_part(index, origin, source.tensor)
        or not leads_past(index, origin, source.tensor, [scores])
    ):
        return source
    if not _is_cut_by_channels(index, origin, source.tensor):
        raise BindingError(part_of(index, origin, source.tensor))
    return ImageTensor(origin)


def is_part(index: GraphIndex, origin: str, part: str) -> bool:
    """Return whether `part` is computed from a numeric tensor `origin` with at least the rank of images."""
    dtype, rank = index.tensors[origin].dtype, index.rank(origin)
    numbers = dtype.is_floating or dtype.is_integer
    return numbers and rank is not None and rank >= _IMAGES and bool(index.path(origin, part)) and origin != part


def leads_past(index: GraphIndex, start: str, part: str, ends: Iterable[str]) -> bool:
    """Return whether values of `start` reach one of `ends` on a path that does not pass `part`."""
    stack = list(ends)
    seen = {part, *stack}
    while stack:
        name = stack.pop()
        if name == part:
            continue
        fresh = [i for i in index.carried(index.maker[name], name) if i not in seen and i not in index.dead]
        seen.update(fresh)
        stack += fresh
    index.spend(len(seen))
    return start in seen and start != part


def part_of(index: GraphIndex, origin: str, part: str) -> str:
    """Return a sentence on why the part is not the input, and what to name or do instead."""
    problem = (
        f"'{part}' is only a part of '{origin}' {index.tensors[origin].shape}, whose other parts reach the scores too"
    )
    if _is_cut_by_channels(index, origin, part):
        return f"{problem}; name the whole, '{origin}', as the input"
    return (
        f"{problem}, and the whole is not an image [N, H, W, C]; to explain clips, build the net so that it reshapes "
        "its frames into one batch [N * T, H, W, C] before the first convolution"
    )


def _is_cut_by_channels(index: GraphIndex, origin: str, part: str) -> bool:
    """Return whether the first op that cuts the origin does so along its channels."""
    if index.rank(origin) != _IMAGES:
        return False
    axis = 3 if input_layout(index, origin) else 1
    for op in index.makers(index.path(origin, part) - {origin}):
        before = next((index.dims(i) for i in index.inputs[op.name] if index.rank(i) == _IMAGES), None)
        after = index.dims(index.outputs[op.name][0])
        if before is None or after is None:
            return False
        if after[axis : axis + 1] == before[axis : axis + 1] and len(after) == _IMAGES:
            continue
        return before[:axis] == after[:axis] and before[axis + 1 :] in (after[axis + 1 :], after[axis:])
    return False
