"""Check variables that a checkpoint stores in parts: TensorFlow does not check them and ends the program on errors.

Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor_slice.proto
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import BundleEntryProto, TensorSliceProto

MAX_PARTS = 4096  # of one variable; TensorFlow compares all pairs
MAX_ALL_PARTS = 1 << 16  # of all variables together
PART_MARK = b"\x00"  # keys of parts begin with it
_FULL = -1  # length of a part that covers a whole axis

Part = Tuple[List[int], List[int]]  # start and length on each axis


def check_parts(partitioned: Dict[bytes, BundleEntryProto], stored: Dict[bytes, BundleEntryProto]) -> None:
    """Check that the parts of each variable cover it exactly once, and that their numbers are stored.

    Parameters
    ----------
    partitioned : dict
        Key -> entry of a variable in parts.
    stored : dict
        Key -> entry with numbers, of parts.

    Raises
    ------
    ModelFileError
        If parts overlap, leave a gap, are missing or differ from their description; the message names the variable.
    """
    total = sum(len(entry.slices) for entry in partitioned.values())
    if total > MAX_ALL_PARTS:
        raise ModelFileError(f"its variables are stored in {total:,} parts; {MAX_ALL_PARTS:,} are allowed")
    for key, entry in partitioned.items():
        what = f"the variable {key.decode('utf-8', 'replace')!r}"
        sizes = [dim.size for dim in entry.shape.dim]
        if len(entry.slices) > MAX_PARTS:
            raise ModelFileError(f"{what} is stored in {len(entry.slices):,} parts; {MAX_PARTS:,} are allowed")
        parts = [_part(what, part, sizes) for part in entry.slices]
        _check_cover(what, parts, sizes)
        for part, (_, lengths) in zip(entry.slices, parts):
            numbers = stored.get(part_key(key, part))
            if numbers is None:
                raise ModelFileError(f"the numbers of a part of {what} are missing")
            if [dim.size for dim in numbers.shape.dim] != lengths or numbers.dtype != entry.dtype:
                raise ModelFileError(
                    f"{what} has a part of shape {lengths[:8]}, whose numbers have another shape or dtype"
                )


def _part(what: str, part: TensorSliceProto, sizes: List[int]) -> Part:
    if not sizes or len(part.extent) != len(sizes):
        raise ModelFileError(f"{what} has {len(sizes)} axes, a part of it has {len(part.extent)}")
    starts = [extent.start for extent in part.extent]
    lengths = [extent.length if extent.HasField("length") else _FULL for extent in part.extent]
    for axis, size in enumerate(sizes):
        if lengths[axis] == _FULL and starts[axis] == 0:
            lengths[axis] = size
        if starts[axis] < 0 or lengths[axis] < 1 or starts[axis] + lengths[axis] > size:
            part_range = f"a part of it has {lengths[axis]} numbers from {starts[axis]} on"
            raise ModelFileError(f"{what} has {size} numbers along axis {axis}, and {part_range}")
    return starts, lengths


def _check_cover(what: str, parts: List[Part], sizes: List[int]) -> None:
    """Check that parts cover a variable: they must not overlap, and have as many numbers as the variable."""
    starts, lengths = (np.array(column, np.int64) for column in zip(*parts))
    ends = starts + lengths
    for i in range(len(parts) - 1):
        if np.any(np.all((starts[i] < ends[i + 1 :]) & (starts[i + 1 :] < ends[i]), axis=1)):
            raise ModelFileError(f"{what} has parts that overlap")
    if np.prod(lengths, axis=1).sum() != np.prod(sizes, dtype=np.int64):
        raise ModelFileError(f"{what} has parts that do not cover it completely")


def part_key(name: bytes, part: TensorSliceProto) -> bytes:
    """Return the key of the numbers of a part: 0, the variable's name, the number of axes, start and length of each.

    Format: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/strings/ordered_code.h
    """
    escaped = name.replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff") + b"\x00\x01"
    axes = len(part.extent)
    key = PART_MARK + escaped + (bytes([1, axes]) if axes else b"\x00")
    for extent in part.extent:
        key += _ordered(extent.start) + _ordered(extent.length if extent.HasField("length") else _FULL)
    return key


def _ordered(number: int) -> bytes:
    """Encode a number so that the bytes sort like the numbers: leading ones count the bytes, inverted below 0."""
    length = (number if number >= 0 else ~number).bit_length() // 7 + 1
    ones = ((1 << length) - 1) << (7 * length)
    return ((number % (1 << (8 * length))) ^ ones).to_bytes(length, "big")
