"""The steps that place the cells of every tensor between the input and the scores, in one pass over the ops."""

from __future__ import annotations

from typing import Any, Dict, Set

from gradcam_tf1.binding.cell_rules import follow
from gradcam_tf1.binding.cells import CellWalk
from gradcam_tf1.binding.walk import Walk
from gradcam_tf1.cells import MIXED, Places


def places_on(walk: Walk, path: Set[str], start: str, facts: Dict[str, Any]) -> Places:
    """The places of all cells on the way from an input. facts: what a binding says of that input."""
    shape = facts.get("array_shape")
    if shape is not None:
        first, sides = 1, shape[1:-1]
    else:
        first = facts["has_batch_axis"] + (not facts["input_channels_last"])
        sides = facts["image_size"]
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
