"""Read a large constant of a GraphDef file without its value in the message: the value goes straight into an array.

Only where the bytes are laid out as protobuf writes them. Whatever is odd (a field that comes twice, a length that is
spelt otherwise) is left to the parser, whose reading counts.
"""

from __future__ import annotations

import os
from typing import BinaryIO, List, NamedTuple, Optional

import numpy as np

from gradcam_tf1.graphdef.large_constants import MIN_BYTES, aligned
from gradcam_tf1.graphdef.wire import LENGTH, WireError, WireField, records

_HEAD = 1 << 16  # bytes of a node before its value, and after it, at the most
_ENTRY, _KEY, _TENSOR, _CONTENT = 5, 1, 8, 4
_WAY = (1, _ENTRY, 2, _TENSOR, _CONTENT)  # graph -> node -> entry of attr -> value of the entry -> tensor -> content


class InFile(NamedTuple):
    """A node of a file.

    Attributes
    ----------
    field : bytes
        A GraphDef with this node alone, which has no `tensor_content` in its attribute "value".
    content : np.ndarray
        That `tensor_content`, uint8 [n], aligned.
    """

    field: bytes
    content: np.ndarray


def read_constant(file: BinaryIO, at: int) -> Optional[InFile]:
    """Read the field of a GraphDef at byte `at` if it is a node with a large value; None if it is anything else."""
    size = file.seek(0, os.SEEK_END)
    file.seek(at)
    head = file.read(_HEAD)
    way = _way_to_content(head, size - at)
    if not way:
        return None
    end, start, stop = way[0].end, way[-1].start, way[-1].end
    if stop - start < MIN_BYTES or end - stop > _HEAD:
        return None
    content = aligned(stop - start)
    file.seek(at + start)
    if file.readinto(content.data) != len(content):  # type: ignore[attr-defined]
        return None
    tail = file.read(end - stop)
    bodies = _without_content(head, way, tail)
    return InFile(bodies[-1], content) if bodies and _is_plain(*bodies[:-1]) else None


def _way_to_content(head: bytes, end: int) -> List[WireField]:
    """Return the fields from the node to the content, each of which ends behind `head`; [] if they are others."""
    way: List[WireField] = []
    start = 0
    for number in _WAY:
        try:
            field = next(field for field in records(head, start, end) if field.end > len(head))
        except (WireError, IndexError, StopIteration):
            return []
        if (field.field, field.wire_type) != (number, LENGTH):
            return []
        way.append(field)
        start, end = field.start, field.end
    return way


def _without_content(head: bytes, way: List[WireField], tail: bytes) -> List[bytes]:
    """Return tensor, value, entry, node and graph without the content; [] if a length is not spelt as usual."""
    outside = [*way[-2::-1], WireField(0, LENGTH, 0, way[0].end)]  # from the tensor to the graph
    stop, inner = way[-1].end, way[-1]
    bodies: List[bytes] = []
    for message in outside:
        prefix = _prefix(inner.field, inner.end - inner.start)
        begin = inner.start - len(prefix)
        if head[begin : inner.start] != prefix:
            return []
        kept = _prefix(inner.field, len(bodies[-1])) + bodies[-1] if bodies else b""
        bodies.append(head[message.start : begin] + kept + tail[inner.end - stop : message.end - stop])
        inner = message
    return bodies


def _prefix(field: int, size: int) -> bytes:
    """Return the first bytes of a field of below 16, as protobuf writes them: its number and its length."""
    spelt = [field << 3 | LENGTH]
    while size > 0x7F:
        spelt.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*spelt, size])


def _is_plain(tensor: bytes, value: bytes, entry: bytes, node: bytes) -> bool:
    """Whether the content that was left out is the one content of the one value of the one attribute "value"."""
    try:
        if any(field.field == _CONTENT for field in records(tensor)) or len(list(records(value))) != 1:
            return False
        keys = [_key(node[field.start : field.end]) for field in records(node) if field.field == _ENTRY]
        return _key(entry) == b"value" and keys.count(b"value") == 1 and None not in keys
    except WireError:
        return False


def _key(entry: bytes) -> Optional[bytes]:
    """Return the key of an entry of a map; None if it has not one key and one value."""
    fields = list(records(entry))
    if [(field.field, field.wire_type) for field in fields] != [(_KEY, LENGTH), (2, LENGTH)]:
        return None
    return entry[fields[0].start : fields[0].end]
