"""What ops do to the cells along one spatial axis: one function per kind of step. No TensorFlow here."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

SAME = 1e-6  # in cells: closer centres are equal
MIXED = "its cells mix the whole image"
_MOST = 2**40
_SAMPLE = 4096


class CellRow(NamedTuple):
    """Cells along one axis.

    Attributes
    ----------
    number : int
        How many there are.
    offset : float
        Centre of the first cell, in pixels of the input.
    stride : float
        Distance to the next cell, in pixels.
    apart : float
        Largest distance, in pixels, between the centres of branches that merge into these cells.
    """

    number: int
    offset: float = 0.5
    stride: float = 1.0
    apart: float = 0.0


@dataclass(frozen=True)
class StepRef:
    """A number that an earlier step computes; `step` is the number of that step."""

    step: int


Number = Union[int, float, StepRef]
Outcome = Union[CellRow, int, float, str]  # of a step: a row, a number, or why its cells have no known position


class CellStep(NamedTuple):
    """What one op does to one axis.

    Attributes
    ----------
    kind : str
        A name from STEPS; a name from ARITHMETIC for a step that computes a number; "size" for the number of cells of
        a row; "input" for the pixels of an axis; "meet" for branches that merge.
    numbers : tuple
        The arguments of the step.
    inputs : tuple of int
        The steps before it, by number.
    leans : bool
        Whether a trained kernel is among the steps that lead here.
    """

    kind: str
    numbers: Tuple[Any, ...] = ()
    inputs: Tuple[int, ...] = ()
    leans: bool = False


def run_steps(steps: Sequence[CellStep], size: Tuple[int, ...]) -> List[Outcome]:
    """Return the outcome of each step for an input of `size` pixels."""
    done: List[Outcome] = []
    for step in steps:
        done.append(_outcome(step, done, size))
    return done


def _outcome(step: CellStep, done: Sequence[Outcome], size: Tuple[int, ...]) -> Outcome:
    if step.kind == "input":
        return CellRow(size[step.numbers[0]])
    rows = [done[number] for number in step.inputs]
    if step.kind == "meet":
        return _meet(rows, *step.numbers)
    values: List[Any] = [done[number.step] if isinstance(number, StepRef) else number for number in step.numbers]
    computed = [isinstance(number, StepRef) for number in step.numbers]
    lost = [row for row in rows if isinstance(row, str)]
    lost += [value for value, is_computed in zip(values, computed) if is_computed and isinstance(value, str)]
    if lost:
        return lost[0]
    if step.kind in ARITHMETIC:
        return work_out(step.kind, values)
    arguments = [int(value) if is_computed else value for value, is_computed in zip(values, computed)]
    try:
        row = STEPS[step.kind](*rows, *arguments)
    except (ZeroDivisionError, ValueError):  # a stride of 0: a damaged file can hold any numbers
        return f"a {step.kind} of {arguments} is impossible"
    return "the image is too small for it" if isinstance(row, CellRow) and not 1 <= row.number <= _MOST else row


def work_out(kind: str, values: Sequence[float]) -> Union[int, float, str]:
    """Compute a number.

    Parameters
    ----------
    kind : str
        A name from ARITHMETIC.
    values : sequence of float
        The operands.

    Returns
    -------
    int, float or str
        The number, or a phrase on why there is none.
    """
    if kind in ("div", "floordiv", "mod") and values[1] == 0:
        return "its size is divided by 0"
    result = ARITHMETIC[kind](*values)
    return result if abs(result) <= _MOST else "its size is out of bounds"


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
    "single": lambda value: float(np.float32(value)),
}


def _window(row: CellRow, extent: int, stride: int, before: Optional[int], after: int) -> CellRow:
    """A convolution or pooling over `extent` cells; `before` None is SAME padding, its smaller half in front."""
    if before is None:
        count = -(-row.number // stride)
        before = max((count - 1) * stride + extent - row.number, 0) // 2
    else:
        count = (row.number + before + after - extent) // stride + 1
    return _moved(row, count, (extent - 1) / 2 - before, stride)


def _pad(row: CellRow, before: int, after: int) -> CellRow:
    return _moved(row, row.number + before + after, -before, 1)


def _cut(row: CellRow, begin: Optional[int], end: Optional[int], step: int) -> CellRow:
    """A Python slice of the cells."""
    start, stop, step = slice(begin, end, step).indices(row.number)
    return _moved(row, len(range(start, stop, step)), start, step)


def _fold(row: CellRow, block: int) -> CellRow:
    """SpaceToDepth, SpaceToBatch: `block` neighbours become one cell, in other channels or images."""
    return _moved(row, row.number // block, (block - 1) / 2, block)


def _unfold(row: CellRow, block: int) -> CellRow:
    """DepthToSpace, BatchToSpace: the inverse of `_fold`."""
    return _moved(row, row.number * block, 0.5 / block - 0.5, 1 / block)


def _transposed(row: CellRow, extent: int, stride: int, before: Optional[int], length: Optional[int]) -> CellRow:
    """A transposed convolution, whose output cells are the input cells of a convolution that makes this row.

    before: padding in front of that convolution, None for SAME. length: of the output, None for that of Keras.
    """
    same = before is None
    if length is None:
        length = row.number * stride + (0 if same else max(extent - stride, 0))
    if before is None:
        before = max((row.number - 1) * stride + extent - length, 0) // 2
    return _moved(row, length, (before - (extent - 1) / 2) / stride, 1 / stride)


def _resize(row: CellRow, kind: str, align: bool, half: bool, length: int) -> Union[CellRow, str]:
    """A resize to `length` cells; kind: linear (bilinear, bicubic), nearest or area."""
    if row.number == 1 or length < 1:
        return MIXED
    scale = (row.number - 1) / (length - 1) if align and length > 1 else row.number / length
    if kind == "area":
        return "ResizeArea with align_corners" if align else _moved(row, length, scale / 2 - 0.5, scale)
    start = scale / 2 - 0.5 if half else 0.0
    if kind == "nearest":  # the mean distance between the cells taken and the exact positions
        sampled = np.arange(min(length, _SAMPLE)) * scale
        taken = (
            np.floor(sampled + scale / 2) if half else np.floor(sampled + 0.5) if align else np.floor(sampled + SAME)
        )
        start = float((np.minimum(taken, row.number - 1) - sampled).mean())
    return _moved(row, length, start, scale)


def _expect(row: CellRow, count: int, where: str) -> Union[CellRow, str]:
    return row if row.number == count else f"{where} has a different number of cells than strides and paddings make"


def _moved(row: CellRow, count: int, start: float, step: float) -> CellRow:
    """Return `count` cells: the first at cell number `start` of the row, each next one `step` cells further."""
    return CellRow(count, row.offset + row.stride * start, row.stride * step, row.apart)


def _meet(outcomes: Sequence[Outcome], where: str) -> Union[CellRow, str]:
    """Merge branches: take the middle of their centres, and ignore branches whose cells are mixed."""
    lost = [outcome for outcome in outcomes if isinstance(outcome, str) and outcome != MIXED]
    rows = [outcome for outcome in outcomes if isinstance(outcome, CellRow)]
    rows = [row for row in rows if row.number > 1] or rows
    if lost or not rows:
        return lost[0] if lost else MIXED
    first, offsets = rows[0], [row.offset for row in rows]
    apart = max(offsets) - min(offsets)
    if any(row.number != first.number or abs(row.stride - first.stride) > SAME * abs(first.stride) for row in rows):
        return f"branches with different strides merge at {where}"
    if apart > abs(first.stride):
        return f"the branches that merge at {where} lie {apart:.3g} px apart"
    middle = first.offset if apart <= SAME else (max(offsets) + min(offsets)) / 2
    return CellRow(first.number, middle, first.stride, max(apart, *(row.apart for row in rows)))


STEPS: Dict[str, Callable[..., Outcome]] = {
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
