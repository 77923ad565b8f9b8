"""What is fed beside the images, as arrays of their tensor's dtype and shape."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.graph_index import GraphIndex
from gradcam_tf1.binding.op_kinds import FORWARDING, WEIGHTED
from gradcam_tf1.binding.tensor_names import find_tensor
from gradcam_tf1.errors import FeedError

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_SHOWN = 60  # characters of a value in a message
_SHOWN_NUMBERS = 8
# their later inputs are lengths and places, not values of images
_SHAPING = {"Reshape", "Tile", "Fill", "BroadcastTo", "Slice", "StridedSlice", "Transpose", "GatherV2", "Gather"}


def requested_feeds(walk: GraphIndex, feed: Mapping[Any, Any]) -> Dict[str, Any]:
    """What a person wants fed: tensor name -> numpy array of the tensor's dtype, or a Python number where it is one.

    A value is broadcast to its tensor's shape; an axis of unknown length in front is given length 1.
    Raises: BindingError where a name is not in the graph, or a value does not fit its tensor.
    """
    values: Dict[str, Any] = {}
    for key, value in feed.items():
        if value is not None:
            tensor = find_tensor(walk.graph, key)
            array = broadcast(tensor, typed(tensor, value))
            values[tensor.name] = array.item() if array.ndim == 0 and array.dtype.kind in "biuf" else array
    return values


def awaited(walk: GraphIndex, feed: Mapping[Any, Any], later: Sequence[Any]) -> Tuple[str, ...]:
    """Names of the tensors whose values come with each image: fed None, or named in `later`."""
    specs = [key for key, value in feed.items() if value is None] + list(later)
    return tuple(dict.fromkeys(find_tensor(walk.graph, spec).name for spec in specs))


def typed(tensor: Any, value: Any) -> np.ndarray:
    """The value as an array of the tensor's dtype. Raises: BindingError where that would change it."""
    kind = tensor.dtype.name
    try:
        given = np.asarray(_as_text(value) if kind == "string" else _bool_of_text(value, tensor))
        array = np.asarray(given, dtype=tensor.dtype.as_numpy_dtype)
    except (TypeError, ValueError, OverflowError):
        raise FeedError(f"feed {_short(value)} for '{tensor.name}' is no {kind}") from None
    if not _same(given, array):
        raise FeedError(f"feed {_short(value)} for '{tensor.name}' is no {kind}: it would become {_short(array)}")
    return array


def _bool_of_text(value: Any, tensor: Any) -> Any:
    """ "False" is False, not a non-empty string."""
    if not (isinstance(value, str) and tensor.dtype.is_bool):
        return value
    if value.strip().lower() not in _BOOLS:
        raise ValueError(value)
    return _BOOLS[value.strip().lower()]


def _as_text(value: Any) -> np.ndarray:
    given = np.asarray(value, dtype=object)
    if not all(isinstance(item, (str, bytes)) for item in given.reshape(-1)):
        raise TypeError(value)
    return given


def _same(given: np.ndarray, array: np.ndarray) -> bool:
    """Whether numbers are what they were: integers and bools exactly, floats but for rounding."""
    if given.dtype.kind not in "biuf" or array.dtype.kind not in "biuf":
        return True
    if array.dtype.kind == "f":
        return bool(np.array_equal(np.isfinite(given), np.isfinite(array)))
    return bool(np.array_equal(given, array))


def broadcast(tensor: Any, array: np.ndarray) -> np.ndarray:
    """The array in the tensor's shape, as numpy broadcasts; sides that the tensor leaves open are the array's own.

    Raises: BindingError with both shapes.
    """
    sides = None if tensor.shape.rank is None else tensor.shape.as_list()
    if sides is None or tensor.shape.is_compatible_with(array.shape):
        return array
    target = _target(sides, array.shape)
    if target is None:
        raise FeedError(
            f"feed for '{tensor.name}' has shape {array.shape}, the tensor {tensor.shape}; give {_shape_wanted(sides)}"
        )
    return np.array(np.broadcast_to(array, target))


def _target(sides: Sequence[Optional[int]], given: Sequence[int]) -> Optional[List[int]]:
    """The shape that an array of shape `given` takes, None where it does not fit."""
    padding = len(sides) - len(given)
    if padding < 0:
        return None
    target: List[int] = []
    for axis, (side, have) in enumerate(zip(sides, [1] * padding + list(given))):
        if side is None and 0 < axis < padding:
            return None  # nobody knows how long
        if side is not None and have not in (1, side):
            return None
        target.append(have if side is None else side)
    return target


def _shape_wanted(sides: Sequence[Optional[int]]) -> str:
    if not sides:
        return "one number"
    if None in sides[1:]:
        return "nested lists of that many axes"
    return f"one number, or {' x '.join(map(str, sides[1:] if sides[0] is None else sides))} of them" if (
        sides[1:] or sides[0] is not None
    ) else "one number"  # fmt: skip


def goes_to_each(walk: GraphIndex, name: str, value: Any) -> bool:
    """Whether a value is one row that each image gets: its tensor's first axis is open, and counts images."""
    dims = walk.dims(name)
    if np.ndim(value) == 0 or np.shape(value)[0] != 1:
        return False
    open_first = np.ndim(value) > 1 if dims is None else dims[0] is None
    return open_first and not _is_operand(walk, name)


def _is_operand(walk: GraphIndex, name: str) -> bool:
    """Whether the tensor is used as weights, as a table or as lengths: its first axis counts no images then."""
    seen, stack = {name}, [name]
    while stack:
        for op, index in walk.users[stack.pop()]:
            if op.type in WEIGHTED | _SHAPING and index > 0:
                return True
            if op.type in ("GatherV2", "Gather", "GatherNd", "ResourceGather"):
                return True
            if op.type in FORWARDING | {"Cast"}:
                fresh = [out for out in walk.outputs[op.name] if out not in seen]
                seen.update(fresh)
                stack.extend(fresh)
    return False


def shown_value(value: Any) -> str:
    """A fed value for people: small ones as they are, large ones by dtype and shape."""
    array = np.asarray(value)
    if array.ndim == 0:
        return str(value)
    return str(array.tolist()) if array.size <= _SHOWN_NUMBERS else f"{array.dtype} {list(array.shape)}"


def _short(value: Any) -> str:
    text = shown_value(value) if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
