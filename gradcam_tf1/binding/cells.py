"""Where the cells of a layer lie on the net's input, computed from what the ops on the way do. No TensorFlow here.

Each spatial axis is followed by itself. A `CellStep` makes the cells of one tensor from those of the tensors before it.
The steps of a net are held in order, so all layers are placed in one pass. SAME padding starts at a place that depends
on the size of the input, so the steps are kept and worked out for each size.

A trained kernel leans. SAME puts the odd pixel of padding behind, so that a convolution of 3 with stride 2 looks half
a stride of its own too far to the right on every even size, and training makes up for that: measured on five MobileNets
(where the gradient of inner cells by the pixels has its centre), 10 to 15 of the 15.5 pixels are gone at stride 32, on
other sizes too. So the cells of trained nets are moved by what makes them share the input evenly at a size that is a
multiple of their stride. Kernels that are their own mirror image have their centre in the middle and stay there.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.images.geometry import stretched
from gradcam_tf1.types import Cells

_SAME = 1e-6  # in cells: closer centres are equal
_MOST = 2**40
_SAMPLE = 4096
MIXED = "its cells mix the whole image"


class CellRow(NamedTuple):
    """Cells along one axis: their number, the centre of the first in pixels of the input, and the way to the next.

    apart: how far, in pixels, the ways that came together here lie from each other at the most.
    """

    number: int
    offset: float = 0.5
    stride: float = 1.0
    apart: float = 0.0


@dataclass(frozen=True)
class StepRef:
    """A number that an earlier step works out."""

    step: int


Number = Union[int, float, StepRef]


class CellStep(NamedTuple):
    """What one op does to one axis: a name from STEPS and its numbers; inputs: the steps before, by their place.

    Steps named in ARITHMETIC work out a number from others; "size" is the number of cells of a row.

    leans: whether a trained kernel is among what leads here.
    """

    kind: str
    numbers: Tuple[Any, ...] = ()
    inputs: Tuple[int, ...] = ()
    leans: bool = False


@dataclass(frozen=True, eq=False)
class CellPlaces:
    """The steps of a net. rows: tensor name -> its step for each axis of the input; lost: name -> why there is none.

    free: for each axis whether the net takes any size; a fixed one is that it was trained at.
    """

    steps: Tuple[CellStep, ...] = ()
    rows: Dict[str, Tuple[int, ...]] = field(default_factory=dict)
    lost: Dict[str, str] = field(default_factory=dict)
    free: Tuple[bool, ...] = ()

    def cells(self, name: str, size: Sequence[int], grid: Sequence[int]) -> Tuple[Optional[Cells], str]:
        """Where the cells of a map of `grid` cells lie on an input of `size` pixels, and a sentence where that matters.

        None: they share the input evenly, or it is not known where they lie, and the sentence says why.
        """
        size, grid = tuple(size), tuple(grid)
        found, said = self._found(name, size, grid)
        if found is None:
            return None, f"stretched over the input: {said}"
        even = stretched(size, grid)
        pairs = zip(found.offset + found.stride, even.offset + even.stride, even.stride * 2)
        return (None if all(abs(a - b) <= _SAME * stride for a, b, stride in pairs) else found), said

    def told(self, name: str, size: Sequence[Optional[int]]) -> str:
        """How maps of a layer are placed, for people. size: of the input, None for a free side."""
        if name not in self.rows:
            return f"stretched over the input: {self.lost.get(name, 'it is not on the way from it')}"
        whole = tuple(side for side in size if side is not None)
        if len(whole) < len(size):
            return "by strides and paddings, for each size of image"
        rows = [_rows(self, whole)[step] for step in self.rows[name]]
        grid = tuple(row.number if isinstance(row, CellRow) else 0 for row in rows)
        cells, said = self.cells(name, whole, grid)
        if said or cells is None:
            return said or "its cells share the input evenly"
        first, step = (_by(dict.fromkeys(f"{each:g}" for each in ends)) for ends in (cells.offset, cells.stride))
        return f"by strides and paddings: the first cell lies at {first}, the next {step} pixels on"

    def _found(self, name: str, size: Tuple[int, ...], grid: Tuple[int, ...]) -> Tuple[Optional[Cells], str]:
        if name not in self.rows:
            return None, self.lost.get(name, f"'{name}' is not on the way from the input")
        axes = self.rows[name]
        done = _rows(self, size)
        rows = [done[step] for step in axes]
        lost = [row for row in rows if isinstance(row, str)]
        if lost:
            return None, lost[0]
        known = [row for row in rows if isinstance(row, CellRow)]
        counts = tuple(row.number for row in known)
        if counts != grid:
            return None, f"the map has {_by(grid)} cells where strides and paddings make {_by(counts)}"
        leans = [self._lean(axis, name, row, size) for axis, row in enumerate(known)]
        apart = max(0.0 if self.steps[step].leans else row.apart for step, row in zip(axes, known))
        said = f"the ways that meet before it lie up to {apart:.3g} px apart: the middle is taken" if apart >= 1 else ""
        return Cells(tuple(r.offset + lean for r, lean in zip(known, leans)), tuple(r.stride for r in known)), said

    def _lean(self, axis: int, name: str, row: CellRow, size: Tuple[int, ...]) -> float:
        """How far trained kernels moved the cells: by what makes them even at a multiple of the stride."""
        if not self.steps[self.rows[name][axis]].leans or row.stride <= 0:
            return 0.0
        there, length = row, float(size[axis])
        if self.free[axis] and _uneven(row, length):
            length = max(round(length / row.stride), 1) * row.stride
            if abs(length - round(length)) > _SAME:
                return 0.0
            found = _rows(self, (*size[:axis], round(length), *size[axis + 1 :]))[self.rows[name][axis]]
            if isinstance(found, str) or abs(found.stride - row.stride) > _SAME * row.stride:
                return 0.0
            there = found
        lean = there.stride / 2 - there.offset
        return 0.0 if _uneven(there, length) or abs(lean) > there.stride / 2 else lean


def cells_of(
    places: Optional[CellPlaces], name: str, size: Sequence[int], grid: Sequence[int]
) -> Tuple[Optional[Cells], str]:
    """See `CellPlaces.cells`; without places every map is stretched. A clip has its frames' axis in front."""
    if places is None:
        return None, ""
    if len(size) != len(places.free) + 1:
        return places.cells(name, size, grid)
    cells, said = places.cells(name, size[1:], grid[1:])
    return None if cells is None else Cells((0.5, *cells.offset), (1.0, *cells.stride)), said


def _uneven(row: CellRow, length: float) -> bool:
    return abs(row.number * row.stride - length) > _SAME * length


def _by(sides: Iterable[Any]) -> str:
    return " x ".join(map(str, sides))


@lru_cache(maxsize=64)
def _rows(places: CellPlaces, size: Tuple[int, ...]) -> List[Union[CellRow, str]]:
    """What each step makes of an input of this size; a sentence where its cells have no place that is known."""
    done: List[Any] = []
    for step in places.steps:
        done.append(_done(step, done, size))
    return done


def _done(step: CellStep, done: List[Any], size: Tuple[int, ...]) -> Any:
    """The row or the number that a step makes of those before it; a sentence where that is lost."""
    if step.kind == "input":
        return CellRow(size[step.numbers[0]])
    rows = [done[place] for place in step.inputs]
    if step.kind == "meet":
        return _meet(rows, *step.numbers)
    given = [done[each.step] if isinstance(each, StepRef) else each for each in step.numbers]
    lost = [each for each in rows if isinstance(each, str)]
    lost += [value for value, each in zip(given, step.numbers) if isinstance(each, StepRef) and isinstance(value, str)]
    if lost:
        return lost[0]
    if step.kind in ARITHMETIC:
        return work_out(step.kind, given)
    whole = [int(value) if isinstance(each, StepRef) else value for value, each in zip(given, step.numbers)]
    try:
        row = STEPS[step.kind](*rows, *whole)
    except (ZeroDivisionError, ValueError):  # a stride of 0: a file may say anything
        return f"a {step.kind} of {whole} cannot be"
    return "the image is too small for it" if isinstance(row, CellRow) and not 1 <= row.number <= _MOST else row


def work_out(kind: str, values: Sequence[float]) -> Union[float, str]:
    """A number from others by a name of ARITHMETIC; a sentence where there is none."""
    if kind in ("div", "floordiv", "mod") and values[1] == 0:
        return "its size is divided by nothing"
    result = ARITHMETIC[kind](*values)
    return result if abs(result) <= _MOST else "its size is out of all bounds"


ARITHMETIC: Dict[str, Callable[..., float]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "max": max,
    "min": min,
    "round": round,
    "ceil": math.ceil,
    "floor": math.floor,
    "neg": operator.neg,
    "whole": int,
}


def _window(row: CellRow, extent: int, stride: int, before: Optional[int], after: int) -> CellRow:
    """A convolution or pooling over `extent` cells; before None: SAME padding, the smaller half of it in front."""
    if before is None:
        count = -(-row.number // stride)
        before = max((count - 1) * stride + extent - row.number, 0) // 2
    else:
        count = (row.number + before + after - extent) // stride + 1
    return _moved(row, count, (extent - 1) / 2 - before, stride)


def _pad(row: CellRow, before: int, after: int) -> CellRow:
    return _moved(row, row.number + before + after, -before, 1)


def _cut(row: CellRow, begin: Optional[int], end: Optional[int], step: int) -> CellRow:
    """Python's slice of the cells."""
    start, stop, step = slice(begin, end, step).indices(row.number)
    return _moved(row, len(range(start, stop, step)), start, step)


def _fold(row: CellRow, block: int) -> CellRow:
    """`block` neighbours become one cell, in other channels or images: SpaceToDepth, SpaceToBatch."""
    return _moved(row, row.number // block, (block - 1) / 2, block)


def _unfold(row: CellRow, block: int) -> CellRow:
    """The other way round: DepthToSpace, BatchToSpace."""
    return _moved(row, row.number * block, 0.5 / block - 0.5, 1 / block)


def _transposed(row: CellRow, extent: int, stride: int, before: Optional[int], length: Optional[int]) -> CellRow:
    """A transposed convolution: its cells are those that a convolution would make this row of.

    before: cells of padding in front of that convolution, None: SAME. length: of the result, None: as Keras has it.
    """
    same = before is None
    if length is None:
        length = row.number * stride + (0 if same else max(extent - stride, 0))
    if before is None:
        before = max((row.number - 1) * stride + extent - length, 0) // 2
    return _moved(row, length, (before - (extent - 1) / 2) / stride, 1 / stride)


def _resize(row: CellRow, kind: str, align: bool, half: bool, length: int) -> Union[CellRow, str]:
    """kind: linear (bilinear, bicubic), nearest or area. length: of the result."""
    if row.number == 1 or length < 1:
        return MIXED
    scale = (row.number - 1) / (length - 1) if align and length > 1 else row.number / length
    if kind == "area":
        return "ResizeArea with align_corners" if align else _moved(row, length, scale / 2 - 0.5, scale)
    start = scale / 2 - 0.5 if half else 0.0
    if kind == "nearest":  # which cells are taken, and the mean of that
        at = np.arange(min(length, _SAMPLE)) * scale
        taken = np.floor(at + scale / 2) if half else np.floor(at + 0.5) if align else np.floor(at + _SAME)
        start = float((np.minimum(taken, row.number - 1) - at).mean())
    return _moved(row, length, start, scale)


def _expect(row: CellRow, count: int, where: str) -> Union[CellRow, str]:
    return row if row.number == count else f"{where} has another number of cells than strides and paddings make"


def _moved(row: CellRow, count: int, start: float, step: float) -> CellRow:
    """`count` cells of which the first lies at cell number `start` of the row, the next `step` cells on."""
    return CellRow(count, row.offset + row.stride * start, row.stride * step, row.apart)


def _meet(rows: Sequence[Union[CellRow, str]], where: str) -> Union[CellRow, str]:
    """Ways that come together: the middle of their centres; what has no place of its own has no say."""
    lost = [row for row in rows if isinstance(row, str) and row != MIXED]
    found = [row for row in rows if isinstance(row, CellRow)]
    found = [row for row in found if row.number > 1] or found
    if lost or not found:
        return lost[0] if lost else MIXED
    first, offsets = found[0], [row.offset for row in found]
    apart = max(offsets) - min(offsets)
    if any(row.number != first.number or abs(row.stride - first.stride) > _SAME * abs(first.stride) for row in found):
        return f"ways with different strides meet at {where}"
    if apart > abs(first.stride):
        return f"the ways that meet at {where} lie {apart:.3g} px apart"
    middle = first.offset if apart <= _SAME else (max(offsets) + min(offsets)) / 2
    return CellRow(first.number, middle, first.stride, max(apart, *(row.apart for row in found)))


STEPS: Dict[str, Callable[..., Union[CellRow, str]]] = {
    "window": _window,
    "pad": _pad,
    "crop": lambda row, before, after: _pad(row, -before, -after),
    "cut": _cut,
    "fold": _fold,
    "unfold": _unfold,
    "transposed": _transposed,
    "resize": _resize,
    "expect": _expect,
    "size": lambda row: row.number,
}
