"""What a protobuf file is, by its outermost records: protobuf itself parses many a wrong file without complaint."""

from __future__ import annotations

import re
from typing import Any, Container, List

from gradcam_tf1.wire import LENGTH, Record, WireError, records

_NODE_NAME = re.compile(rb"[A-Za-z0-9.][A-Za-z0-9_.\\/>\-]*\Z")
_OP_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_>]*\Z")


def _inside(data: Any, record: Record) -> List[Record]:
    return list(records(data, record.start, record.end))


def _only(found: List[Record], fields: Container[int], varints: Container[int] = ()) -> bool:
    return all((r.wire_type == LENGTH and r.field in fields) or r.field in varints for r in found)


def _is_node(data: Any, record: Record) -> bool:
    try:
        found = _inside(data, record)
    except WireError:
        return False
    texts = {r.field: bytes(data[r.start : r.end]) for r in found if r.wire_type == LENGTH and r.field in (1, 2)}
    named = _NODE_NAME.match(texts.get(1, b"")) and _OP_NAME.match(texts.get(2, b""))
    return bool(named) and _only(found, range(1, 8))


def _is_graph(data: Any, found: List[Record]) -> bool:
    nodes = [r for r in found if r.field == 1]
    return _only(found, (1, 2, 4, 5), (3,)) and all(_is_node(data, node) for node in nodes[:1] + nodes[-1:])


def _is_meta_graph(data: Any, found: List[Record]) -> bool:
    graphs = [r for r in found if r.field == 2]
    return len(graphs) == 1 and _only(found, range(1, 9)) and _is_graph(data, _inside(data, graphs[0]))


def _is_saved_model(data: Any, found: List[Record]) -> bool:
    metas = [r for r in found if r.field == 2]
    return bool(metas) and _only(found, (2,), (1,)) and _is_meta_graph(data, _inside(data, metas[0]))


def _is_onnx(_: Any, found: List[Record]) -> bool:
    fields = {r.field for r in found}
    return {1, 7} <= fields and any(r.field == 1 and r.wire_type == 0 for r in found)


_KINDS = (("graph", _is_graph), ("meta graph", _is_meta_graph), ("SavedModel", _is_saved_model), ("ONNX", _is_onnx))


def message_kind(data: Any) -> str:
    """ "graph", "meta graph", "SavedModel", "ONNX" or "unknown" for a binary protobuf file. Raises WireError."""
    found = list(records(data))
    for kind, fits in _KINDS:
        try:
            if fits(data, found):
                return kind
        except WireError:  # a payload that is no message: then it is not this kind
            continue
    return "unknown"
