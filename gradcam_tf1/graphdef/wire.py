"""What a protobuf file is, read from its outermost records: protobuf itself parses many a wrong file without complaint.

Source of the encoding: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import re
from typing import Any, List, NamedTuple, Tuple

LENGTH = 2  # wire type of strings, bytes and messages
_FIXED = {1: 8, 5: 4}
_NODE_NAME = re.compile(rb"[A-Za-z0-9.][A-Za-z0-9_.\\/>\-]*\Z")
_OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>]*\Z")


class WireError(ValueError):
    """The bytes are not a protobuf message, or end too early."""


class Record(NamedTuple):
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


def records(data: Any, start: int = 0, end: int = -1) -> List[Record]:
    """The outermost fields of data[start:end] (bytes or mmap), nothing copied. Raises WireError."""
    end = len(data) if end < 0 else end
    found, at = [], start
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
        found.append(Record(field, wire_type, first, at))
    return found


def _only(found: List[Record], fields: str, varints: str = "") -> bool:
    return all((r.wire_type == LENGTH and str(r.field) in fields) or str(r.field) in varints for r in found)


def _is_node(data: Any, record: Record) -> bool:
    try:
        found = records(data, record.start, record.end)
    except WireError:
        return False
    texts = {r.field: bytes(data[r.start : r.end]) for r in found if r.wire_type == LENGTH and r.field in (1, 2)}
    named = _NODE_NAME.match(texts.get(1, b"")) and _OP_NAME.match(texts.get(2, b""))
    return bool(named) and _only(found, "1234567")


def _is_graph(data: Any, found: List[Record]) -> bool:
    nodes = [r for r in found if r.field == 1]
    return _only(found, "1245", "3") and all(_is_node(data, node) for node in nodes[:1] + nodes[-1:])


def _is_meta_graph(data: Any, found: List[Record]) -> bool:
    graphs = [r for r in found if r.field == 2]
    return (
        len(graphs) == 1 and _only(found, "12345678") and _is_graph(data, records(data, graphs[0].start, graphs[0].end))
    )


def _is_saved_model(data: Any, found: List[Record]) -> bool:
    metas = [r for r in found if r.field == 2]
    return bool(metas) and _only(found, "2", "1") and _is_meta_graph(data, records(data, metas[0].start, metas[0].end))


def _is_onnx(_: Any, found: List[Record]) -> bool:
    fields = {r.field for r in found}
    return {1, 7} <= fields and any(r.field == 1 and r.wire_type == 0 for r in found)


_KINDS = (("graph", _is_graph), ("meta graph", _is_meta_graph), ("SavedModel", _is_saved_model), ("ONNX", _is_onnx))


def message_kind(data: Any) -> str:
    """ "graph", "meta graph", "SavedModel", "ONNX" or "unknown" for a binary protobuf file. Raises WireError."""
    found = records(data)
    for kind, fits in _KINDS:
        try:
            if fits(data, found):
                return kind
        except WireError:  # a payload that is no message: then it is not this kind
            continue
    return "unknown"
