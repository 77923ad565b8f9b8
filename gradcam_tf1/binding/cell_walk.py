"""Walks from the input to the scores and notes where the cells of each tensor lie on the input.

For each tensor it notes which axes are spatial and by which steps their cells came about. Tokens, [N, h * w, K], keep
the steps of the map that they were. Values that are pooled over all positions, or that come from a dense layer over
them, are mixed: they have no place.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cells import CellStep
from gradcam_tf1.binding.graph_index import GraphIndex, Op


class CellOrigin(NamedTuple):
    """Where a tensor's cells come from. axes: those of the tensor that are the input's, () for tokens.

    rows: a step for each axis of the input, () where all is mixed or lost; lost: why, "" where it is not.
    """

    axes: Tuple[int, ...]
    rows: Tuple[int, ...]
    lost: str = ""

    @property
    def placed(self) -> bool:
        """Whether it has cells of its own."""
        return bool(self.rows)


NOWHERE = CellOrigin((), ())
Data = Sequence[Tuple[int, CellOrigin]]  # number of the input, and what it holds
# of the cells, the op, what its data holds and the number of the output: what that holds
Rule = Callable[["CellWalk", Op, CellOrigin, int], CellOrigin]


class CellWalk:
    """Follows the cells along a path. at: tensor name -> what is known of it so far."""

    def __init__(self, walk: GraphIndex, start: str, axes: Tuple[int, ...]) -> None:
        self.walk = walk
        self.steps: List[CellStep] = []
        self._places: Dict[CellStep, int] = {}
        self._mirrored: Tuple[str, Any] = ("", None)
        self._dims: Dict[str, Tuple[Optional[int], ...]] = {}
        self.numbers: Dict[str, Optional[np.ndarray]] = {}  # see `cell_numbers`
        self.at: Dict[str, CellOrigin] = {
            start: CellOrigin(axes, tuple(self.step("input", (n,)) for n in range(len(axes))))
        }

    def step(self, kind: str, numbers: Tuple[Any, ...] = (), inputs: Tuple[int, ...] = (), leans: bool = False) -> int:
        """The place of this step, which is kept once."""
        leans = leans or any(self.steps[place].leans for place in inputs)
        step = CellStep(kind, numbers, inputs, leans)
        if step not in self._places:
            self._places[step] = len(self.steps)
            self.steps.append(step)
        return self._places[step]

    def dims(self, name: str) -> Tuple[Optional[int], ...]:
        """The tensor's sides, () where their number is not known."""
        if name not in self._dims:  # asked for by the op that makes it and by those that take it
            self._dims[name] = self.walk.dims(name) or ()
        return self._dims[name]

    def constant(self, op: Op, number: int) -> Optional[np.ndarray]:
        """The value of an input where the graph fixes it."""
        inputs = self.walk.inputs[op.name]
        value = self.walk.constant(inputs[number]) if number < len(inputs) and inputs[number] not in self.at else None
        return None if value is None else np.asarray(value)

    def leans(self, kernel: str, axis: int) -> bool:
        """Whether a kernel is not its own mirror image along the axis, so that it must have been trained."""
        if self._mirrored[0] != kernel:
            value = self.walk.constant(kernel)
            self._mirrored = (kernel, None if value is None else np.square(np.asarray(value, np.float32)))
        weights = self._mirrored[1]
        if weights is None:
            return True
        profile = weights.sum(axis=tuple(n for n in range(weights.ndim) if n != axis), dtype=np.float64)
        return not np.allclose(profile, profile[::-1], rtol=1e-3)


def lost(op: Op, why: str = "does not tell where its cells lie") -> CellOrigin:
    """What is known behind an op that is not understood: nothing, and that this op is why."""
    return CellOrigin((), (), f"{named(op)} {why}")


def named(op: Op) -> str:
    """The op for messages."""
    return f"'{op.name}' ({op.type})"


def on_axis(
    cells: CellWalk, at: CellOrigin, axis: int, kind: str, numbers: Tuple[Any, ...], leans: bool = False
) -> CellOrigin:
    """The same with one more step along an axis of the tensor; other axes of it have no cells."""
    if axis not in at.axes:
        return at
    place = at.axes.index(axis)
    row = cells.step(kind, numbers, (at.rows[place],), leans)
    return at._replace(rows=(*at.rows[:place], row, *at.rows[place + 1 :]))


def attribute(op: Op, name: str) -> Any:
    """An attribute that not every op of the kind has, None where it is not there."""
    return op.get_attr(name) if name in op.node_def.attr else None
