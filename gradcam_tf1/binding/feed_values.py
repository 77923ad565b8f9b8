"""Values fed besides the images, as arrays of their tensor's dtype and shape."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import FORWARDING, WEIGHTED
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import FeedError
from gradcam_tf1.tf_runtime import tf

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN = 60  # characters of a value in a message
_SHOWN_NUMBERS = 8
# the later inputs of these ops are lengths and positions, not values of images
_SHAPING = {"Reshape", "Tile", "Fill", "BroadcastTo", "Slice", "StridedSlice", "Transpose", "GatherV2", "Gather"}


FeedValue = Union[np.ndarray, bool, int, float]


def requested_feeds(index: GraphIndex, feed: Mapping[Any, Any]) -> Dict[str, FeedValue]:
    """Convert the values that the user feeds.

    Parameters
    ----------
    index : GraphIndex
        The graph.
    feed : mapping
        Tensor or name to value; None for a tensor whose values come with each image. A value is broadcast to its
        tensor's shape; a first axis of unknown length gets length 1.

    Returns
    -------
    dict of str to FeedValue
        Tensor name to an array of the tensor's dtype, or to a Python number for a scalar.

    Raises
    ------
    BindingError
        If a name is not in the graph.
    FeedError
        If a value does not fit its tensor.
    """
    values: Dict[str, FeedValue] = {}
    for key, value in feed.items():
        if value is not None:
            tensor = find_tensor(index.graph, key)
            array = broadcast(tensor, typed(tensor, value))
            values[tensor.name] = array.item() if array.ndim == 0 and array.dtype.kind in "biuf" else array
    return values


def awaited(index: GraphIndex, feed: Mapping[Any, Any], later: Sequence[Any]) -> Tuple[str, ...]:
    """Return the names of the tensors whose values come with each image: those fed None, and those in `later`."""
    specs = [key for key, value in feed.items() if value is None] + list(later)
    return tuple(dict.fromkeys(find_tensor(index.graph, spec).name for spec in specs))


def typed(tensor: tf.Tensor, value: Any) -> np.ndarray:
    """Convert a value to an array of a tensor's dtype.

    Parameters
    ----------
    tensor : tf.Tensor
        The tensor to feed.
    value : object
        What the user gives: a number, a string, nested lists or an array.

    Returns
    -------
    np.ndarray
        In the tensor's dtype.

    Raises
    ------
    FeedError
        If the conversion fails or would change the value.
    """
    kind = tensor.dtype.name
    try:
        original = np.asarray(_as_text(value) if kind == "string" else _bool_of_text(value, tensor))
        array = np.asarray(original, dtype=tensor.dtype.as_numpy_dtype)
    except (TypeError, ValueError, OverflowError):
        raise FeedError(f"feed {_short(value)} for '{tensor.name}' is not {kind}; give a {kind} value") from None
    if not _same(original, array):
        raise FeedError(
            f"feed {_short(value)} for '{tensor.name}' is not {kind} and would become {_short(array)}; give a {kind} "
            "value"
        )
    return array


def _bool_of_text(value: Any, tensor: tf.Tensor) -> Any:
    """Convert the text of a bool: "False" is False, not a non-empty string."""
    if not (isinstance(value, str) and tensor.dtype.is_bool):
        return value
    if value.strip().lower() not in _BOOLS:
        raise ValueError(value)
    return _BOOLS[value.strip().lower()]


def _as_text(value: Any) -> np.ndarray:
    text = np.asarray(value, dtype=object)
    if not all(isinstance(item, (str, bytes)) for item in text.reshape(-1)):
        raise TypeError(value)
    return text


def _same(original: np.ndarray, array: np.ndarray) -> bool:
    """Return whether numbers are unchanged: integers and bools exactly, floats up to rounding."""
    if original.dtype.kind not in "biuf" or array.dtype.kind not in "biuf":
        return True
    if array.dtype.kind == "f":
        return bool(np.array_equal(np.isfinite(original), np.isfinite(array)))
    return bool(np.array_equal(original, array))


def broadcast(tensor: tf.Tensor, array: np.ndarray) -> np.ndarray:
    """Broadcast an array to a tensor's shape.

    Parameters
    ----------
    tensor : tf.Tensor
        The tensor to feed; its open sides take those of the array.
    array : np.ndarray
        The value.

    Returns
    -------
    np.ndarray
        In the tensor's shape.

    Raises
    ------
    FeedError
        If the shapes do not fit.
    """
    sides = None if tensor.shape.rank is None else tensor.shape.as_list()
    if sides is None or tensor.shape.is_compatible_with(array.shape):
        return array
    target = _target(sides, array.shape)
    if target is None:
        raise FeedError(
            f"feed for '{tensor.name}' has shape {array.shape}, the tensor {tensor.shape}; give {_fitting_shape(sides)}"
        )
    return np.array(np.broadcast_to(array, target))


def _target(sides: Sequence[Optional[int]], shape: Sequence[int]) -> Optional[List[int]]:
    """Return the shape that an array of this shape is broadcast to, None if it does not fit."""
    padding = len(sides) - len(shape)
    if padding < 0:
        return None
    target: List[int] = []
    for axis, (side, length) in enumerate(zip(sides, [1] * padding + list(shape))):
        if side is None and 0 < axis < padding:
            return None  # the length is unknown
        if side is not None and length not in (1, side):
            return None
        target.append(length if side is None else side)
    return target


def _fitting_shape(sides: Sequence[Optional[int]]) -> str:
    if None in sides[1:]:
        return "nested lists with that many axes"
    fixed = sides[1:] if sides and sides[0] is None else sides
    return f"one number, or {' x '.join(map(str, fixed))} of them" if fixed else "one number"


def goes_to_each(index: GraphIndex, name: str, value: FeedValue) -> bool:
    """Return whether a value is one row that every image gets: the first axis of its tensor counts images."""
    dims = index.dims(name)
    if np.ndim(value) == 0 or np.shape(value)[0] != 1:
        return False
    open_first = np.ndim(value) > 1 if dims is None else dims[0] is None
    return open_first and not _is_operand(index, name)


def _is_operand(index: GraphIndex, name: str) -> bool:
    """Return whether the tensor is used as weights, a table or lengths, so that its first axis counts no images."""
    seen, stack = {name}, [name]
    while stack:
        for op, slot in index.users[stack.pop()]:
            if op.type in WEIGHTED | _SHAPING and slot > 0:
                return True
            if op.type in ("GatherV2", "Gather", "GatherNd", "ResourceGather"):
                return True
            if op.type in FORWARDING | {"Cast"}:
                fresh = [out for out in index.outputs[op.name] if out not in seen]
                seen.update(fresh)
                stack.extend(fresh)
    return False


def shown_value(value: Any) -> str:
    """Format a fed value: small ones in full, large ones by dtype and shape."""
    array = np.asarray(value)
    if array.ndim == 0:
        return str(value)
    return str(array.tolist()) if array.size <= _SHOWN_NUMBERS else f"{array.dtype} {list(array.shape)}"


def _short(value: Any) -> str:
    text = shown_value(value) if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
