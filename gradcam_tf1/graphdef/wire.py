"""Read the outermost fields of a protobuf message without knowing its type.

Encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import mmap
import os
from typing import BinaryIO, Iterator, NamedTuple, Tuple, Union

Buffer = Union[bytes, memoryview, mmap.mmap]
LENGTH = 2  # wire type of strings, bytes and messages
PART = 1 << 20  # bytes of a message that are read at a time
_FIXED = {1: 8, 5: 4}


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


class WireField(NamedTuple):
    """One outermost field of a message.

    Attributes
    ----------
    field : int
        Its number in the message type.
    wire_type : int
        0 for a number, 2 (`LENGTH`) for a string or message, 1 and 5 for fixed sizes.
    start, end : int
        The bytes of its payload: data[start:end].
    """

    field: int
    wire_type: int
    start: int
    end: int


def read_varint(data: Buffer, at: int, end: int) -> Tuple[int, int]:
    """Return the number at byte `at` of `data`, and the position after it. Raises WireError if there is none."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise WireError(f"no protobuf number at byte {at}")
    raise WireError(f"the data ends at byte {end} inside a number")


def records(data: Buffer, start: int = 0, end: int = -1) -> Iterator[WireField]:
    """Read the outermost fields of a message, without a copy.

    Parameters
    ----------
    data : bytes, memoryview or mmap
        Contains the message.
    start, end : int
        The message is data[start:end]; end -1 is the end of `data`.

    Yields
    ------
    WireField
        One field after the other.

    Raises
    ------
    WireError
        At the first position where no valid field begins.
    """
    end = len(data) if end < 0 else end
    at = start
    while at < end:
        tag, at = read_varint(data, at, end)
        field, wire_type = tag >> 3, tag & 7
        if field == 0:
            raise WireError(f"no protobuf field at byte {at}")
        if wire_type == 0:
            first = at
            _, at = read_varint(data, at, end)
        elif wire_type == LENGTH:
            size, first = read_varint(data, at, end)
            at = first + size
        elif wire_type in _FIXED:
            first, at = at, at + _FIXED[wire_type]
        else:
            raise WireError(f"no protobuf field at byte {at}")
        if at > end:
            raise WireError(f"the field at byte {first} needs {at - first} bytes and {end - first} are left")
        yield WireField(field, wire_type, first, at)


def spans(file: BinaryIO) -> Iterator[Tuple[int, int]]:
    """Divide a message into parts that can be merged one after the other; together they are the file.

    A part has whole outermost fields: those of the next `PART` bytes, or one that is longer. So no second copy of a
    large message is in memory while it is parsed. From the first byte on that begins no valid field, the rest of the
    file is one part, for the parser to refuse.

    Parameters
    ----------
    file : BinaryIO
        A file that can seek, at the start of the message.

    Yields
    ------
    tuple of int
        The bytes of a part: from the first number to before the second.
    """
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    while at < size:
        file.seek(at)
        end = at + _whole_fields(file.read(PART), size - at)
        yield at, end
        at = end


def _whole_fields(data: bytes, left: int) -> int:
    """Return where the last whole field of `data` ends; the end of the first one if none is whole.

    `left` is the number of bytes up to the end of the file, which is the answer where no field begins.
    """
    end = 0
    try:
        for field in records(data, 0, left):
            if field.end > len(data):
                return end or field.end
            end = field.end
    except (WireError, IndexError):  # IndexError: the head of the next field lies behind `data`
        return end or left
    return end
