"""Constants and shapes in files: those that no machine can hold are refused by name."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Tuple

from gradcam_tf1.errors import ModelFileError
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
