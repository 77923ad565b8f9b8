"""Refuses Keras files that describe too large a net: too many layers or calls, too wide tensors, too many weights.

Keras allocates the weights that the architecture asks for before it compares them with those of the file. Nets inside
nets multiply the number of calls.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.keras_config import layers

MAX_LAYERS, MAX_INPUTS = 5000, 50_000  # Keras takes some milliseconds for each
MAX_CALLS = 10_000  # with those of nets inside nets
MAX_NUMBERS = 2**31  # of one tensor and image
_SPARE, _TIMES = 1 << 16, 1.25  # what conversions between kinds of recurrent layers may add

# Keys whose numbers, multiplied, are the size of a tensor or how many times larger one gets.
_SHAPES = ("batch_input_shape", "batch_shape", "target_shape", "size", "n", "input_length", "padding")
_PAIRS = (("height", "width"),)


def check_sizes(config: Any, path: str) -> None:
    """Raises ModelFileError for a translated configuration that no machine should build."""
    parts = list(layers(config))
    _at_most(len(parts), MAX_LAYERS, "layers", path)
    _at_most(sum(map(_count_inputs, parts)), MAX_INPUTS, "inputs of layers", path)
    _at_most(count_calls(config).made, MAX_CALLS, "calls of layers, where a recurrent one counts as 100", path)
    for part, shape in ((one, shape) for one in parts for shape in _shapes(one)):
        if _product(shape) > MAX_NUMBERS:
            raise ModelFileError(
                f"{path}: the layer {_name(part)!r} has {shape[:6]} in its configuration, more than the "
                f"{MAX_NUMBERS:,} numbers that are allowed for one tensor"
            )
    for part in parts:
        if isinstance(part.get("config"), dict) and part["config"].get("unroll"):
            part["config"]["unroll"] = False  # a loop computes the same, and how many steps there are is not known yet


def check_weights(variables: Sequence[Any], stored: int, path: str) -> None:
    """Raises ModelFileError where the layers ask for more weights than the file holds. stored: numbers in the file."""
    sizes = [_product(variable.shape.as_list()) for variable in variables]
    total = sum(sizes)
    if total > _TIMES * stored + _SPARE:
        largest = variables[int(np.argmax(sizes))]
        raise ModelFileError(
            f"{path}: its architecture does not fit its weights: it asks for {total:,.0f} numbers, the largest is "
            f"{largest.name!r} {largest.shape.as_list()}, and the file holds {stored:,}"
        )


def _at_most(count: int, limit: int, what: str, path: str) -> None:
    if count > limit:
        raise ModelFileError(f"{path}: its architecture has {count:,} {what}; {limit:,} are allowed")


def _count_inputs(part: Dict[str, Any]) -> int:
    calls = part.get("inbound_nodes")
    return sum(len(call) if isinstance(call, list) else 1 for call in calls) if isinstance(calls, list) else 0


def _shapes(part: Dict[str, Any]) -> Iterator[List[int]]:
    config = part.get("config")
    if not isinstance(config, dict):
        return
    for key in _SHAPES:
        yield _numbers(config.get(key))
    for pair in _PAIRS:
        yield _numbers([config.get(key) for key in pair])


def _numbers(value: Any) -> List[int]:
    """The whole numbers in a value, however it is nested."""
    found: List[int] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (list, tuple)):
            waiting.extend(reversed(one))
        elif isinstance(one, int) and not isinstance(one, bool):
            found.append(one)
    return found


def _product(sizes: Sequence[Any]) -> float:
    return float(np.prod([abs(size or 1) for size in sizes], dtype=np.float64))


def _name(part: Dict[str, Any]) -> str:
    config = part.get("config")
    return str(part.get("name") or (config.get("name") if isinstance(config, dict) else None) or part["class_name"])


# Layers of many ops count as several.
_RECURRENT, _OF_RECURRENT = re.compile("RNN|LSTM|GRU"), 100
_TWICE = "Bidirectional"  # makes two layers of the one that it is given


class Calls(NamedTuple):
    """Calls of layers while a part is made, and while it is called once."""

    made: int
    called: int


def count_calls(part: Dict[str, Any]) -> Calls:
    """Of a part of a configuration that has a class name, with all that lies in it."""
    name = str(part["class_name"])
    inner = Calls(0, 0)
    for child in _inside(part):
        calls = count_calls(child)
        inner = Calls(inner.made + calls.made, inner.called + _times(child) * calls.called)
    factor = 2 if name == _TWICE else 1
    own = _OF_RECURRENT if _RECURRENT.search(name) else 1
    config = part.get("config")
    at_once = inner.called if isinstance(config, dict) and "layers" in config else 0
    return Calls(factor * (inner.made + at_once), factor * (inner.called + own))


def _inside(value: Any) -> Iterator[Dict[str, Any]]:
    """The parts in a value that lie in no other part of it."""
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(one, dict) and isinstance(one.get("class_name"), str):
            yield one
        else:
            yield from _inside(one)


def _times(part: Dict[str, Any]) -> int:
    nodes = part.get("inbound_nodes")
    return max(len(nodes), 1) if isinstance(nodes, list) else 1
