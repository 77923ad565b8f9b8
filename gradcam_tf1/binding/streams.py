"""Nets that cut their images into parts (two streams of bands, the frames of a clip), more than one of them used."""

from __future__ import annotations

from typing import Iterable

from gradcam_tf1.binding.decoded import ImageTensor
from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.layout import input_layout
from gradcam_tf1.errors import BindingError

_IMAGES = 4  # axes


def whole_image(walk: GraphIndex, source: ImageTensor, scores: str) -> ImageTensor:
    """The source; where it is but a part of its origin, whose other parts reach the scores too, the origin.

    Flat rows and strings that hold more than images stay as they are: what else they hold is fed beside them.
    Raises: BindingError where the origin is no image itself.
    """
    origin = source.origin
    if not origin or not is_part(walk, origin, source.tensor) or not leads_past(walk, origin, source.tensor, [scores]):
        return source
    if not _is_cut_by_channels(walk, origin, source.tensor):
        raise BindingError(part_of(walk, origin, source.tensor))
    return ImageTensor(origin)


def is_part(walk: GraphIndex, origin: str, part: str) -> bool:
    """Whether `part` is made of numbers that have as many axes as images, or more."""
    dtype, rank = walk.tensors[origin].dtype, walk.rank(origin)
    numbers = dtype.is_floating or dtype.is_integer
    return numbers and rank is not None and rank >= _IMAGES and bool(walk.path(origin, part)) and origin != part


def leads_past(walk: GraphIndex, start: str, part: str, ends: Iterable[str]) -> bool:
    """Whether values of `start` reach one of `ends` without being in `part`."""
    stack = list(ends)
    seen = {part, *stack}
    while stack:
        name = stack.pop()
        if name == part:
            continue
        fresh = [i for i in walk.carried(walk.maker[name], name) if i not in seen and i not in walk.dead]
        seen.update(fresh)
        stack += fresh
    return start in seen and start != part


def part_of(walk: GraphIndex, origin: str, part: str) -> str:
    """The sentence that says why the part is no input, and what is."""
    said = f"'{part}' is only a part of '{origin}' {walk.tensors[origin].shape}, whose other parts reach the scores too"
    if _is_cut_by_channels(walk, origin, part):
        return f"{said}; name the whole, '{origin}', as the input"
    return (
        f"{said}, and the whole is no image [N, H, W, C]; to explain clips, build the net so that it reshapes its "
        "frames into one batch [N * T, H, W, C] before the first convolution"
    )


def _is_cut_by_channels(walk: GraphIndex, origin: str, part: str) -> bool:
    """Whether the first op that takes a part of the origin does so along its channels."""
    if walk.rank(origin) != _IMAGES:
        return False
    axis = 3 if input_layout(walk, origin) else 1
    for op in walk.makers(walk.path(origin, part) - {origin}):
        before = next((walk.dims(i) for i in walk.inputs[op.name] if walk.rank(i) == _IMAGES), None)
        after = walk.dims(walk.outputs[op.name][0])
        if before is None or after is None:
            return False
        if after[axis : axis + 1] == before[axis : axis + 1] and len(after) == _IMAGES:
            continue
        return before[:axis] == after[:axis] and before[axis + 1 :] in (after[axis + 1 :], after[axis:])
    return False
