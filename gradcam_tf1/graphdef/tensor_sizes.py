"""Refuses tensors that no machine can hold: constants, shapes, and what a graph makes of a few numbers.

TensorFlow computes what depends on constants alone while it imports a graph, to find shapes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Dict, Iterable, Iterator, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import in_order, parse_edge, sources
from gradcam_tf1.tf_runtime import tf

MAX_BYTES = 2**31  # of one constant: no graph file can hold more, but a short one can ask for more
MAX_AXES = 254  # of TensorFlow
_STRING_BYTES = 32  # an empty string in TensorFlow's memory


def check_constants(node: Any) -> None:
    """Refuse a node whose constants ask for more memory than a graph can hold. Raises ModelFileError."""
    if node.op == "Const" and ("value" not in node.attr or not node.attr["value"].HasField("tensor")):
        raise ModelFileError(f"node {node.name!r} is a constant without a value")
    for name, tensor in _tensors(node):
        bytes_wanted = check_tensor_shape(f"node {node.name!r}: its {name}", tensor.tensor_shape, tensor.dtype)
        held = len(tensor.tensor_content)
        if held and held != bytes_wanted and tensor.dtype != tf.string.as_datatype_enum:
            raise ModelFileError(f"node {node.name!r}: its {name} wants {bytes_wanted} bytes and holds {held}")
        if tensor.dtype in (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum):
            raise ModelFileError(f"node {node.name!r}: its {name} is a handle, which means nothing in a file")


def check_tensor_shape(what: str, shape: Any, dtype: int) -> int:
    """The bytes of a tensor of a TensorShapeProto and dtype number. Raises ModelFileError for none or too many."""
    sizes = [dim.size for dim in shape.dim]
    total = _item_bytes(dtype)
    if not total:
        raise ModelFileError(f"{what} has no type that this TensorFlow knows")
    if shape.unknown_rank or len(sizes) > MAX_AXES or any(size < 0 for size in sizes):
        raise ModelFileError(f"{what} has no definite shape ({sizes[:8]})")
    for size in sizes:
        total *= max(size, 1)  # TensorFlow ends the program where sizes multiply beyond 2^63, also with a 0 after them
    if total > MAX_BYTES:
        raise ModelFileError(f"{what} has the shape {sizes[:8]}, more than the 2 GB that a graph can hold")
    return 0 if 0 in sizes else total


def _tensors(node: Any) -> Iterator[Tuple[str, Any]]:
    for name, value in node.attr.items():
        kind = value.WhichOneof("value")
        held: Iterable[Any] = [value.tensor] if kind == "tensor" else value.list.tensor if kind == "list" else ()
        for tensor in held:
            yield name, tensor


def _item_bytes(dtype: int) -> int:
    """Bytes of one element, 0 where there is no such type."""
    try:
        return int(tf.as_dtype(dtype).size) or _STRING_BYTES
    except (TypeError, KeyError, ValueError):
        return 0


MAX_MADE = 2**28  # numbers of one tensor that is made of constants
_FEW = 4096  # numbers of a constant that are looked at
_PASSED = ("Identity", "Snapshot", "StopGradient")
# op -> the input that says its shape; how often, for Tile
_SHAPE_INPUT = {"Fill": 0, "BroadcastTo": 1, "Tile": 1}
_BACK = "NextIteration"


def check_made(graph_def: Any) -> None:
    """Raises ModelFileError for a tensor that constants make larger than any net needs, by name."""
    nodes = {node.name: node for node in graph_def.node}
    if not any(node.op in _SHAPE_INPUT or node.op in ("Range", "LinSpace") for node in graph_def.node):
        return
    made = _Made(nodes)
    for name in in_order({node.name: [] if node.op == _BACK else sources(node) for node in graph_def.node}):
        made.add(nodes[name])


class _Made:
    """How many numbers the tensors have that are made of constants, by the nodes seen so far."""

    def __init__(self, nodes: Dict[str, Any]) -> None:
        self.nodes = nodes
        self.values: Dict[str, np.ndarray] = {}
        self.sizes: Dict[str, float] = {}

    def add(self, node: Any) -> None:
        given = [parse_edge(text).node for text in node.input if not text.startswith("^")]
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            self.sizes[node.name] = _product(dim.size for dim in tensor.tensor_shape.dim)
            dtype = tf.as_dtype(tensor.dtype)
            if self.sizes[node.name] <= _FEW and (dtype.is_integer or dtype.is_floating):
                with suppress(ValueError, TypeError):  # TensorFlow says what is wrong with it
                    self.values[node.name] = tf.make_ndarray(tensor)
        elif node.op in _PASSED and given:
            for known in (self.values, self.sizes):
                if given[0] in known:
                    known[node.name] = known[given[0]]
        else:
            size = self._size(node.op, given)
            if size is not None and size > MAX_MADE:
                raise ModelFileError(
                    f"'{node.name}' ({node.op}) would make a tensor of {size:,.0f} numbers out of constants; "
                    f"{MAX_MADE:,} are allowed"
                )
            if size is not None:
                self.sizes[node.name] = size

    def _size(self, op: str, given: Iterable[str]) -> Optional[float]:
        names = list(given)
        values = [self.values.get(name) for name in names]
        if op in _SHAPE_INPUT and len(values) == 2 and values[_SHAPE_INPUT[op]] is not None:
            size = _product(np.ravel(values[_SHAPE_INPUT[op]]).tolist())
            return size * self.sizes.get(names[0], 1.0) if op == "Tile" else size
        if op == "LinSpace" and len(values) == 3 and values[2] is not None:
            return _product(np.ravel(values[2]).tolist())
        if op == "Range" and len(values) == 3 and not any(value is None or value.size != 1 for value in values):
            start, end, step = (float(np.ravel(value)[0]) for value in values)
            return abs((end - start) / step) if step else None
        return None


def _product(sizes: Iterable[Any]) -> float:
    return float(np.prod([max(float(size), 0.0) for size in sizes], dtype=np.float64))
