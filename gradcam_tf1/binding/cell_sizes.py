"""How many cells a resize makes: a number in the graph, or the size of another tensor, times a factor."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import numpy as np

from gradcam_tf1.binding.cells import At, CellWalk, lost
from gradcam_tf1.binding.walk import Op

_PASSED = {"Identity", "Cast", "Snapshot", "StopGradient"}
_STEPS = 16


def resized(cells: CellWalk, op: Op, at: At, kind: str, align: bool, half: bool) -> At:
    """What a resize makes of a map: `kind`, align_corners and half_pixel_centers as the op has them."""
    name, sides = cells.walk.inputs[op.name][1], cells.dims(cells.walk.outputs[op.name][0])
    fixed = cells.constant(op, 1)
    rows = []
    for number, (axis, row) in enumerate(zip(at.axes, at.rows)):
        length = int(fixed[number]) if fixed is not None else sides[axis] if sides and op.type in _SIZED else None
        if length is not None:
            rows.append(cells.step("resize", (kind, align, half, length, 1.0), (row,)))
            continue
        like = _like(cells, name, number)
        if like is None:
            return lost(op, "makes a size that depends on the picture")
        other, factor = like
        rows.append(cells.step("resize like", (kind, align, half, None, factor), (row, other)))
    return at._replace(rows=tuple(rows)) if at.axes else lost(op)


_SIZED = {"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"}


def _like(cells: CellWalk, name: str, number: int) -> Optional[Tuple[int, float]]:
    """The row whose length entry `number` of a size tensor is, and the factor it is taken times."""
    factor: float = 1.0
    walk = cells.walk
    for _ in range(_STEPS):
        op = walk.maker[name]
        if op.type in _PASSED:
            name = walk.inputs[op.name][0]
        elif op.type == "Pack":
            name, number = walk.inputs[op.name][number], 0
        elif op.type == "Mul":
            values = [walk.constant(each) for each in walk.inputs[op.name]]
            known = [n for n, value in enumerate(values) if value is not None]
            if len(known) != 1:
                return None
            times = np.ravel(values[known[0]])
            factor *= float(times[number if times.size > 1 else 0])
            name = walk.inputs[op.name][1 - known[0]]
        else:
            return _of_shape(cells, op, number, factor)
    return None


def _of_shape(cells: CellWalk, op: Any, number: int, factor: float) -> Optional[Tuple[int, float]]:
    """Entry `number` of shape(x)[begin:end]."""
    walk = cells.walk
    if op.type == "StridedSlice":
        begin = walk.constant(walk.inputs[op.name][1])
        shape = walk.source(walk.inputs[op.name][0])
        if begin is None or np.size(begin) != 1 or op.get_attr("begin_mask"):
            return None
        number, op = number + int(np.ravel(begin)[0]), shape
    if op.type != "Shape":
        return None
    at = cells.at.get(walk.inputs[op.name][0])
    if at is None or number not in at.axes:
        return None
    return at.rows[at.axes.index(number)], factor
