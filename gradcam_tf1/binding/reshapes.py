"""Where the axes of images and of channels lie behind a Reshape, as far as the static sides tell."""

from __future__ import annotations

from typing import FrozenSet, Optional, Sequence, Tuple

Sides = Sequence[Optional[int]]
Channels = Optional[FrozenSet[int]]


def size(sides: Sides) -> Optional[int]:
    """The product, None where a side is unknown."""
    total = 1
    for side in sides:
        if side is None:
            return None
        total *= side
    return total


def merges_rows(before: Sides, after: Sides) -> bool:
    """Whether axis 0, the images before, has several rows of each image afterwards.

    Where unknown sides leave it open, fewer numbers in a row than the known sides make mean several rows, and more mean
    a flattened map.
    """
    if before[0] is not None and after[0] is not None:
        return before[0] != after[0]
    row, fresh = size(before[1:]), size(after[1:])
    if fresh is None:
        return False
    if row is not None:
        return row != fresh
    return fresh <= (size([side for side in before[1:] if side is not None]) or 1)


def splits_rows(before: Sides, after: Sides) -> bool:
    """Whether rows of all images become one row of each image again: [N T, C] to [N, T, C], or to [1, -1]."""
    if after[0] == 1:
        return True
    return len(after) > len(before) and list(after[len(after) - len(before) + 1 :]) == list(before[1:])


def channels_after(channels: Channels, before: Sides, after: Sides) -> Tuple[Channels, bool]:
    """The axes of channels behind the Reshape, and whether it split them over several (anchors and classes).

    Empty: they are mixed with positions. None: not known, as where a map of unknown sides is flattened, which may have
    one position only.
    """
    if channels is None or not channels:
        return None, False
    last = len(before) - 1
    if channels == {last}:
        return _from_the_right(before, after)
    if last in channels:
        same = before[-1] is not None and before[-1] == after[-1]
        return (frozenset({len(after) - 1}) if same else None), same
    return _from_the_left(before, after) if channels == {1} else (None, False)


def _from_the_right(before: Sides, after: Sides) -> Tuple[Channels, bool]:
    end, own, fresh = len(after) - 1, before[-1], after[-1]
    if own is None:
        return None, False
    if fresh is None:
        return _flattened(before[1:-1], own, end), False
    if fresh == own:
        return frozenset({end}), False
    if fresh == 0 or own % fresh:
        return frozenset(), False
    axes, product, axis = {end}, fresh, end - 1
    while product < own and axis >= 1 and after[axis] is not None and own % (product * (after[axis] or 1)) == 0:
        product *= after[axis] or 1
        axes.add(axis)
        axis -= 1
    return frozenset(axes), True


def _from_the_left(before: Sides, after: Sides) -> Tuple[Channels, bool]:
    own, end = before[1], len(after) - 1
    if own is None or end < 1:
        return None, False
    if after[1] == own:
        return frozenset({1}), False
    if after[end] is None or all(side == 1 for side in before[2:]):
        return (_flattened(before[2:], own, end) if after[end] in (own, None) else frozenset()), False
    axes, product, axis = set(), 1, 1
    while product < own and axis <= end and after[axis] and own % (product * (after[axis] or 1)) == 0:
        product *= after[axis] or 1
        axes.add(axis)
        axis += 1
    return (frozenset(axes), True) if axes and product == own else (frozenset(), False)


def _flattened(positions: Sides, channels: int, end: int) -> Channels:
    """The axis `end` of a flattened map: its channels where it has one position."""
    if all(side == 1 for side in positions):
        return frozenset({end})
    return None if None in positions and channels > 1 else frozenset()
