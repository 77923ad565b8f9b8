"""The axes of images and channels after a Reshape, as far as the static sides show."""

from __future__ import annotations

from typing import FrozenSet, Optional, Sequence, Tuple

Sides = Sequence[Optional[int]]
Channels = Optional[FrozenSet[int]]


def size(sides: Sides) -> Optional[int]:
    """Return the product of the sides, None if one is unknown."""
    total = 1
    for side in sides:
        if side is None:
            return None
        total *= side
    return total


def merges_rows(before: Sides, after: Sides) -> bool:
    """Return whether axis 0 counts images before a Reshape, and several rows per image after it.

    If unknown sides leave this open, the product of the known sides decides: fewer numbers in a row after the Reshape
    mean several rows per image, more mean a flattened map.
    """
    if before[0] is not None and after[0] is not None:
        return before[0] != after[0]
    row, fresh = size(before[1:]), size(after[1:])
    if fresh is None:
        return False
    if row is not None:
        return row != fresh
    return fresh <= (size([side for side in before[1:] if side is not None]) or 1)


def merges_channels(channels: FrozenSet[int], before: Sides, after: Sides, product: bool) -> bool:
    """Return whether a Reshape leaves the last axis alone and merges all others, channels too: [N, C, K] to [N C, K].

    product: whether the first side is known to be a product of several sides.
    """
    last = len(before) - 1
    if len(after) != 2 or last < 2 or last in channels:
        return False
    return product or (before[-1] is not None and before[-1] == after[1] and merges_rows(before, after))


def splits_rows(before: Sides, after: Sides) -> bool:
    """Return whether rows of all images become one row per image again: [N T, C] to [N, T, C], or to [1, -1]."""
    if after[0] == 1:
        return True
    return len(after) > len(before) and list(after[len(after) - len(before) + 1 :]) == list(before[1:])


def channels_after(channels: Channels, before: Sides, after: Sides) -> Tuple[Channels, bool]:
    """Return the axes of channels after a Reshape.

    Parameters
    ----------
    channels : frozenset of int or None
        The axes of channels before it.
    before, after : sequence of int or None
        The static sides.

    Returns
    -------
    frozenset of int or None
        The axes after it. Empty if channels are mixed with positions. None if unknown, as for a flattened map of
        unknown sides, which may have a single position.
    bool
        Whether the channels were split over several axes (anchors and classes).
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
    end, count, fresh = len(after) - 1, before[-1], after[-1]
    if count is None:
        return None, False
    if fresh is None:
        return _flattened(before[1:-1], count, end), False
    if fresh == count:
        return frozenset({end}), False
    if fresh == 0 or count % fresh:
        return frozenset(), False
    axes, product, axis = {end}, fresh, end - 1
    while product < count and axis >= 1 and after[axis] is not None and count % (product * (after[axis] or 1)) == 0:
        product *= after[axis] or 1
        axes.add(axis)
        axis -= 1
    return frozenset(axes), True


def _from_the_left(before: Sides, after: Sides) -> Tuple[Channels, bool]:
    count, end = before[1], len(after) - 1
    if count is None or end < 1:
        return None, False
    if after[1] == count:
        return frozenset({1}), False
    if after[end] is None or all(side == 1 for side in before[2:]):
        return (_flattened(before[2:], count, end) if after[end] in (count, None) else frozenset()), False
    axes, product, axis = set(), 1, 1
    while product < count and axis <= end and after[axis] and count % (product * (after[axis] or 1)) == 0:
        product *= after[axis] or 1
        axes.add(axis)
        axis += 1
    return (frozenset(axes), True) if axes and product == count else (frozenset(), False)


def _flattened(positions: Sides, channels: int, end: int) -> Channels:
    """Return the axes of channels of a flattened map, whose last axis is `end`."""
    if all(side == 1 for side in positions):
        return frozenset({end})
    return None if None in positions and channels > 1 else frozenset()
