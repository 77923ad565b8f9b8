"""Refuse tensors that no machine can hold: constants, variables, and tensors that a graph makes of small constants.

TensorFlow computes such tensors while it imports a graph, to infer shapes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Dict, Iterable, Iterator, List, Optional, Sized, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.nodes import in_order, parse_edge, sources
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.tf_runtime import TensorProto, TensorShapeProto

MAX_BYTES = 2**31  # of one constant: no graph file holds more, but a short file can claim more
MAX_AXES = 254  # TensorFlow's limit
_STRING_BYTES = 32  # memory of an empty string in TensorFlow


def check_constants(node: tf.NodeDef, content: Sized = b"") -> None:
    """Raise ModelFileError if a constant of a node has no value, an impossible shape or more than 2 GB.

    `content` is that of its value, where the node is without it.
    """
    if node.op == "Const" and ("value" not in node.attr or not node.attr["value"].HasField("tensor")):
        raise ModelFileError(f"node {node.name!r} is a constant without a value")
    for name, tensor in _tensors(node):
        size = check_tensor_shape(f"node {node.name!r}: its {name}", tensor.tensor_shape, tensor.dtype)
        held = len(tensor.tensor_content) or (len(content) if name == "value" else 0)
        if held and held != size and tensor.dtype != tf.string.as_datatype_enum:
            raise ModelFileError(f"node {node.name!r}: its {name} needs {size} bytes and holds {held}")
        if tensor.dtype in (tf.resource.as_datatype_enum, tf.variant.as_datatype_enum):
            raise ModelFileError(f"node {node.name!r}: its {name} is a handle, which has no meaning in a file")


def check_tensor_shape(what: str, shape: TensorShapeProto, dtype: int) -> int:
    """Check that a tensor can exist.

    Parameters
    ----------
    what : str
        What the tensor is, for the error message.
    shape : TensorShapeProto
        Its shape.
    dtype : int
        The enum of its dtype.

    Returns
    -------
    int
        Its size in bytes.

    Raises
    ------
    ModelFileError
        If the dtype is unknown, the shape is not fully defined, or the tensor exceeds 2 GB.
    """
    sizes = [dim.size for dim in shape.dim]
    total = _item_bytes(dtype)
    if not total:
        raise ModelFileError(f"{what} has no dtype that this TensorFlow knows")
    if shape.unknown_rank or len(sizes) > MAX_AXES or any(size < 0 for size in sizes):
        raise ModelFileError(f"{what} has no definite shape ({sizes[:8]})")
    for size in sizes:
        total *= max(size, 1)  # TensorFlow ends the program if sizes multiply beyond 2^63, even if a later one is 0
    if total > MAX_BYTES:
        raise ModelFileError(f"{what} has the shape {sizes[:8]}, more than the 2 GB that a graph can hold")
    return 0 if 0 in sizes else total


def _tensors(node: tf.NodeDef) -> Iterator[Tuple[str, TensorProto]]:
    for name, value in node.attr.items():
        kind = value.WhichOneof("value")
        held: Iterable[TensorProto] = (
            [value.tensor] if kind == "tensor" else value.list.tensor if kind == "list" else ()
        )
        for tensor in held:
            yield name, tensor


def _item_bytes(dtype: int) -> int:
    """Return the bytes of one element, 0 if there is no such dtype."""
    try:
        return int(tf.as_dtype(dtype).size) or _STRING_BYTES
    except (TypeError, KeyError, ValueError):
        return 0


MAX_MADE = 2**28  # numbers of one tensor that is computed from constants
_FEW = 4096  # values of larger constants are not read
_PASSED = ("Identity", "Snapshot", "StopGradient")
# op -> the input that holds its output shape; for Tile, the multiples
_SHAPE_INPUT = {"Fill": 0, "BroadcastTo": 1, "Tile": 1}
_BACK = "NextIteration"


def check_made(graph_def: tf.GraphDef) -> None:
    """Raise ModelFileError if a graph computes a huge tensor from constants; the message names the node."""
    nodes = {node.name: node for node in graph_def.node}
    if not any(node.op in _SHAPE_INPUT or node.op in ("Range", "LinSpace") for node in graph_def.node):
        return
    made = _Made(nodes)
    for name in in_order({node.name: [] if node.op == _BACK else sources(node) for node in graph_def.node}):
        made.add(nodes[name])


class _Made:
    """The sizes of tensors that are computed from constants, for the nodes added so far."""

    def __init__(self, nodes: Dict[str, tf.NodeDef]) -> None:
        self.nodes = nodes
        self.values: Dict[str, np.ndarray] = {}
        self.sizes: Dict[str, float] = {}

    def add(self, node: tf.NodeDef) -> None:
        inputs = [parse_edge(text).node for text in node.input if not text.startswith("^")]
        if node.op == "Const":
            tensor = node.attr["value"].tensor
            self.sizes[node.name] = _product(dim.size for dim in tensor.tensor_shape.dim)
            dtype = tf.as_dtype(tensor.dtype)
            if self.sizes[node.name] <= _FEW and (dtype.is_integer or dtype.is_floating):
                with suppress(ValueError, TypeError):  # TensorFlow reports a damaged constant on import
                    self.values[node.name] = tf.make_ndarray(tensor)
        elif node.op in _PASSED and inputs:
            if inputs[0] in self.values:
                self.values[node.name] = self.values[inputs[0]]
            if inputs[0] in self.sizes:
                self.sizes[node.name] = self.sizes[inputs[0]]
        else:
            size = self._size(node.op, inputs)
            if size is not None and size > MAX_MADE:
                raise ModelFileError(
                    f"node {node.name!r} ({node.op}) would make a tensor of {size:,.0f} numbers from constants; "
                    f"{MAX_MADE:,} are allowed"
                )
            if size is not None:
                self.sizes[node.name] = size

    def _size(self, op: str, inputs: List[str]) -> Optional[float]:
        """Return how many numbers an op makes; None if no constant says so."""
        if op in _SHAPE_INPUT and len(inputs) == 2:
            shape = self.values.get(inputs[_SHAPE_INPUT[op]])
            if shape is not None:
                size = _product(np.ravel(shape).tolist())
                return size * self.sizes.get(inputs[0], 1.0) if op == "Tile" else size
        if op == "LinSpace" and len(inputs) == 3 and inputs[2] in self.values:
            return _product(np.ravel(self.values[inputs[2]]).tolist())
        if op == "Range" and len(inputs) == 3:
            values = [self.values[name] for name in inputs if name in self.values]
            if len(values) == 3 and all(value.size == 1 for value in values):
                start, end, step = (float(np.ravel(value)[0]) for value in values)
                return abs((end - start) / step) if step else None
        return None


def _product(sizes: Iterable[float]) -> float:
    return float(np.prod([max(float(size), 0.0) for size in sizes], dtype=np.float64))
