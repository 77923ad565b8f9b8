"""The steps that place the cells of every tensor between the input and the scores, in one pass over the ops."""

from __future__ import annotations

from typing import Any, Dict, Optional, Set, Tuple

from gradcam_tf1.binding.cell_rules import follow
from gradcam_tf1.binding.cells import CellWalk
from gradcam_tf1.binding.walk import Walk
from gradcam_tf1.cells import MIXED, Places


def spatial_sides(facts: Dict[str, Any]) -> Tuple[Optional[int], ...]:
    """The sides of the input, None for each that is free. facts: what a binding says of it."""
    return facts["array_shape"][1:-1] if "array_shape" in facts else facts["image_size"]


def places_on(walk: Walk, path: Set[str], start: str, facts: Dict[str, Any]) -> Places:
    """The places of all cells on the way from an input. facts: what a binding says of that input."""
    arrays, sides = "array_shape" in facts, spatial_sides(facts)
    first = 1 if arrays else facts["has_batch_axis"] + (not facts["input_channels_last"])
    cells = CellWalk(walk, start, tuple(range(first, first + len(sides))))
    for op in walk.makers(path):
        outputs = walk.outputs[op.name]
        inputs = range(len(walk.inputs[op.name]))
        data = cells.data(op, inputs)
        for number, output in enumerate(outputs):
            if output in path and output != start:
                own = cells.data(op, inputs[number : number + 1]) if op.type == "IdentityN" else data
                cells.at[output] = follow(cells, op, number, own)
    rows = {name: at.rows for name, at in cells.at.items() if at.placed}
    lost = {name: at.lost or MIXED for name, at in cells.at.items() if not at.placed}
    return Places(tuple(cells.steps), rows, lost, tuple(side is None for side in sides))
