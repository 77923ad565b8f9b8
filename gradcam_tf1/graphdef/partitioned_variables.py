"""Variables that a checkpoint holds in parts: TensorFlow takes on trust that the parts fit, and ends the program else.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/framework/tensor_slice.proto
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError

MAX_PARTS = 4096  # of one variable; TensorFlow compares all pairs
MAX_ALL_PARTS = 1 << 16  # of all variables together
PART_MARK = b"\x00"  # keys of parts begin with it
_WHOLE = -1  # the length of a part that goes all along an axis

Part = Tuple[List[int], List[int]]  # where it starts and how long it is, by axis


def check_parts(partitioned: Dict[bytes, Any], stored: Dict[bytes, Any]) -> None:
    """Raises ModelFileError where parts do not make up their variable, each once, or a part is not as it is said to be.

    Args: partitioned: key -> entry with slices. stored: key -> entry with numbers, of whole variables and of parts.
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
                raise ModelFileError(f"{what} has a part of the shape {lengths[:8]}, whose numbers are of another kind")


def _part(what: str, part: Any, sizes: List[int]) -> Part:
    if not sizes or len(part.extent) != len(sizes):
        raise ModelFileError(f"{what} has {len(sizes)} axes, a part of it {len(part.extent)}")
    starts = [extent.start for extent in part.extent]
    lengths = [extent.length if extent.HasField("length") else _WHOLE for extent in part.extent]
    for axis, size in enumerate(sizes):
        if lengths[axis] == _WHOLE and starts[axis] == 0:
            lengths[axis] = size
        if starts[axis] < 0 or lengths[axis] < 1 or starts[axis] + lengths[axis] > size:
            said = f"a part of it is said to have {lengths[axis]} numbers from {starts[axis]}"
            raise ModelFileError(f"{what} has {size} numbers along axis {axis}, and {said}")
    return starts, lengths


def _check_cover(what: str, parts: List[Part], sizes: List[int]) -> None:
    """Parts that do not overlap and have as many numbers as the whole cover it."""
    starts, lengths = (np.array(column, np.int64) for column in zip(*parts))
    ends = starts + lengths
    for i in range(len(parts) - 1):
        if np.any(np.all((starts[i] < ends[i + 1 :]) & (starts[i + 1 :] < ends[i]), axis=1)):
            raise ModelFileError(f"{what} has parts that overlap")
    if np.prod(lengths, axis=1).sum() != np.prod(sizes, dtype=np.int64):
        raise ModelFileError(f"{what} has parts that leave some of it out")


def part_key(name: bytes, part: Any) -> bytes:
    """The key of the numbers of a part: 0, the variable's name, how many axes, and for each its start and length.

    Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/lib/strings/ordered_code.h
    """
    escaped = name.replace(b"\xff", b"\xff\x00").replace(b"\x00", b"\x00\xff") + b"\x00\x01"
    axes = len(part.extent)
    key = PART_MARK + escaped + (bytes([1, axes]) if axes else b"\x00")
    for extent in part.extent:
        key += _ordered(extent.start) + _ordered(extent.length if extent.HasField("length") else _WHOLE)
    return key


def _ordered(number: int) -> bytes:
    """A number whose bytes sort as numbers do: as many leading ones as bytes follow, turned round below 0."""
    length = (number if number >= 0 else ~number).bit_length() // 7 + 1
    ones = ((1 << length) - 1) << (7 * length)
    return ((number % (1 << (8 * length))) ^ ones).to_bytes(length, "big")
