"""Positions of the cells of a layer on the net's input, computed from the ops in between. No TensorFlow here.

Each spatial axis is followed on its own. A `CellStep` computes the cells of one tensor from those of the tensors before
it. The steps of a net are kept in order, so one pass places all layers. The offset of SAME padding depends on the size
of the input, so the steps are stored and run for each size.

A trained kernel leans. SAME puts the odd pixel of padding at the end, so a convolution of 3 with stride 2 looks half a
stride of its own too far to the right on every even size, and training compensates for that. Measured on five
MobileNets (centre of the gradient of inner cells with respect to the pixels), 10 to 15 of the 15.5 pixels are gone at
stride 32, on other sizes too. So the cells of trained nets are shifted such that they share the input evenly at a size
that is a multiple of their stride. Kernels that equal their own mirror image keep their centre in the middle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from gradcam_tf1.binding.cell_steps import SAME, CellRow, CellStep, Outcome, run_steps
from gradcam_tf1.images.geometry import stretched
from gradcam_tf1.types import Cells


@dataclass(frozen=True, eq=False)
class CellPlaces:
    """The steps of a net, and the tensors that they place.

    Attributes
    ----------
    steps : tuple of CellStep
        In the order in which they run.
    rows : dict of str to tuple of int
        Tensor name to the number of its step for each axis of the input.
    lost : dict of str to str
        Tensor name to the reason why its cells have no known position.
    free : tuple of bool
        For each axis, whether the net takes any size; a fixed size is the one it was trained at.
    """

    steps: Tuple[CellStep, ...] = ()
    rows: Dict[str, Tuple[int, ...]] = field(default_factory=dict)
    lost: Dict[str, str] = field(default_factory=dict)
    free: Tuple[bool, ...] = ()

    def cells(self, name: str, size: Sequence[int], grid: Sequence[int]) -> Tuple[Optional[Cells], str]:
        """Place the cells of a map on the input.

        Parameters
        ----------
        name : str
            The tensor of the map.
        size : sequence of int
            Sides of the input, in pixels.
        grid : sequence of int
            Sides of the map, in cells.

        Returns
        -------
        Cells or None
            None if the cells share the input evenly, or if their position is unknown.
        str
            Why the position is unknown or approximate; "" otherwise.
        """
        return _cells(self, name, tuple(size), tuple(grid))

    def description(self, name: str, size: Sequence[Optional[int]]) -> str:
        """Describe how maps of a layer are placed.

        Parameters
        ----------
        name : str
            The tensor of the map.
        size : sequence of int or None
            Sides of the input; None for a free side.

        Returns
        -------
        str
            A phrase for the user.
        """
        if name not in self.rows:
            return f"stretched over the input: {self.lost.get(name, 'the input does not reach it')}"
        fixed = tuple(side for side in size if side is not None)
        if len(fixed) < len(size):
            return "by strides and paddings, for each image size"
        rows = [_outcomes(self, fixed)[step] for step in self.rows[name]]
        grid = tuple(row.number if isinstance(row, CellRow) else 0 for row in rows)
        cells, remark = self.cells(name, fixed, grid)
        if remark or cells is None:
            return remark or "its cells share the input evenly"
        first, step = (_by(dict.fromkeys(f"{value:g}" for value in values)) for values in (cells.offset, cells.stride))
        return f"by strides and paddings: the first cell lies at {first}, the next {step} pixels on"

    def placed(self, name: str, size: Tuple[int, ...], grid: Tuple[int, ...]) -> Tuple[Optional[Cells], str]:
        """Return the same as `cells`, also where the cells share the input evenly."""
        if name not in self.rows:
            return None, self.lost.get(name, f"the input does not reach '{name}'")
        steps = self.rows[name]
        outcomes = [_outcomes(self, size)[step] for step in steps]
        lost = [outcome for outcome in outcomes if isinstance(outcome, str)]
        if lost:
            return None, lost[0]
        rows = [outcome for outcome in outcomes if isinstance(outcome, CellRow)]
        counts = tuple(row.number for row in rows)
        if counts != grid:
            return None, f"the map has {_by(grid)} cells where strides and paddings make {_by(counts)}"
        offsets = tuple(row.offset + self._lean(axis, name, row, size) for axis, row in enumerate(rows))
        apart = max(0.0 if self.steps[step].leans else row.apart for step, row in zip(steps, rows))
        remark = f"branches that merge before it lie up to {apart:.3g} px apart: the middle is taken"
        return Cells(offsets, tuple(row.stride for row in rows)), remark if apart >= 1 else ""

    def _lean(self, axis: int, name: str, row: CellRow, size: Tuple[int, ...]) -> float:
        """Return the shift by trained kernels: the one that makes the cells even at a multiple of the stride."""
        step = self.rows[name][axis]
        if not self.steps[step].leans or row.stride <= 0:
            return 0.0
        length = float(size[axis])
        if self.free[axis] and _uneven(row, length):
            length = max(round(length / row.stride), 1) * row.stride
            if abs(length - round(length)) > SAME:
                return 0.0
            other = _outcomes(self, (*size[:axis], round(length), *size[axis + 1 :]))[step]
            if not isinstance(other, CellRow) or abs(other.stride - row.stride) > SAME * row.stride:
                return 0.0
            row = other
        lean = row.stride / 2 - row.offset
        return 0.0 if _uneven(row, length) or abs(lean) > row.stride / 2 else lean


def cells_of(
    places: Optional[CellPlaces], name: str, size: Sequence[int], grid: Sequence[int]
) -> Tuple[Optional[Cells], str]:
    """Place the cells of a map as `CellPlaces.cells` does; without places every map is stretched.

    The size and the grid of a clip have its time axis in front.
    """
    if places is None:
        return None, ""
    if len(size) != len(places.free) + 1:
        return places.cells(name, size, grid)
    cells, remark = places.cells(name, size[1:], grid[1:])
    return None if cells is None else Cells((0.5, *cells.offset), (1.0, *cells.stride)), remark


def _uneven(row: CellRow, length: float) -> bool:
    return abs(row.number * row.stride - length) > SAME * length


def _by(sides: Iterable[object]) -> str:
    return " x ".join(map(str, sides))


@lru_cache(maxsize=256)
def _cells(places: CellPlaces, name: str, size: Tuple[int, ...], grid: Tuple[int, ...]) -> Tuple[Optional[Cells], str]:
    placed, remark = places.placed(name, size, grid)
    if placed is None:
        return None, f"stretched over the input: {remark}"
    even = stretched(size, grid)
    pairs = zip(placed.offset + placed.stride, even.offset + even.stride, even.stride * 2)
    return (None if all(abs(a - b) <= SAME * stride for a, b, stride in pairs) else placed), remark


@lru_cache(maxsize=64)
def _outcomes(places: CellPlaces, size: Tuple[int, ...]) -> List[Outcome]:
    return run_steps(places.steps, size)
