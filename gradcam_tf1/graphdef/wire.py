"""The outermost records of a protobuf message, read without knowing what message it is.

Source of the encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Any, Iterator, NamedTuple, Tuple

LENGTH = 2  # wire type of strings, bytes and messages
_FIXED = {1: 8, 5: 4}


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


class WireField(NamedTuple):
    """One outermost field: its number, its wire type and where its payload lies."""

    field: int
    wire_type: int
    start: int
    end: int


def read_varint(data: Any, at: int, end: int) -> Tuple[int, int]:
    """The number at byte `at` of `data`, and the byte after it. Raises WireError."""
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


def records(data: Any, start: int = 0, end: int = -1) -> Iterator[WireField]:
    """The outermost fields of data[start:end] (bytes, memoryview or mmap), one at a time, nothing copied.

    Raises: WireError at the first field that is none.
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
            raise WireError(f"the record at byte {first} wants {at - first} bytes and {end - first} are left")
        yield WireField(field, wire_type, first, at)
