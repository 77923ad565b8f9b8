"""The steps that place the cells of every tensor between the input and the scores, in one pass over the ops."""

from __future__ import annotations

from typing import Any, Dict, Optional, Set, Tuple

from gradcam_tf1.binding.cell_rules import follow
from gradcam_tf1.binding.cells import At, CellWalk
from gradcam_tf1.binding.walk import Walk
from gradcam_tf1.cells import MIXED, Places


def spatial_sides(facts: Dict[str, Any]) -> Tuple[Optional[int], ...]:
    """The sides of the input, None for each that is free. facts: what a binding says of it."""
    of_pictures = "array_shape" not in facts or "frame_order" in facts
    return facts["image_size"] if of_pictures else facts["array_shape"][1:-1]


def places_on(walk: Walk, path: Set[str], start: str, facts: Dict[str, Any]) -> Places:
    """The places of all cells on the way from an input. facts: what a binding says of that input."""
    sides = spatial_sides(facts)
    first = _first_axis(walk, start, facts, len(sides))
    cells = CellWalk(walk, start, tuple(range(first, first + len(sides))))
    for op in walk.makers(path):
        follow(cells, op, path)
    rows = {name: at.rows for name, at in cells.at.items() if at.placed and at.axes == tuple(sorted(at.axes))}
    lost = {name: _why(at) for name, at in cells.at.items() if name not in rows}
    return Places(tuple(cells.steps), rows, lost, tuple(side is None for side in sides))


def _first_axis(walk: Walk, start: str, facts: Dict[str, Any], axes: int) -> int:
    """The first spatial axis of the input: of pictures counted from the end, since clips have one more in front."""
    if "frame_order" in facts:
        return 2
    if "array_shape" in facts:
        return 1
    channels_last = facts["input_channels_last"]
    return (walk.rank(start) or 3 + facts["has_batch_axis"]) - axes - channels_last


def _why(at: At) -> str:
    return at.lost or ("rows and columns have changed places" if at.placed else MIXED)
