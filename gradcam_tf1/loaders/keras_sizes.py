"""Refuse Keras files that describe too large a net: too many layers or calls, too large tensors, too many weights.

Keras allocates the weights of the architecture before it compares them with those in the file. Nets inside nets
multiply the number of calls.
"""

from __future__ import annotations

import re
from typing import Iterator, List, NamedTuple, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.keras_config import Json, Part, layers, name_of
from gradcam_tf1.tf_runtime import tf

MAX_LAYERS, MAX_INPUTS = 5000, 50_000  # Keras needs some milliseconds for each
MAX_IN_A_ROW = 500  # layers of one Sequential: with each, Keras goes along all layers before it
MAX_CALLS = 10_000  # calls inside nested nets included
MAX_NUMBERS = 2**31  # in one tensor, for one image
_SPARE, _TIMES = 1 << 16, 1.25  # weights that conversions between kinds of recurrent layers may add

# Keys whose numbers, multiplied, are the size of a tensor or the factor by which one grows.
_SHAPES = ("batch_input_shape", "batch_shape", "target_shape", "size", "n", "input_length", "padding")
_PAIRS = (("height", "width"),)


def check_sizes(config: Json, path: str) -> None:
    """Raise ModelFileError if a translated configuration is too large; switch unrolled loops to loops, in place."""
    parts = list(layers(config))
    _at_most(len(parts), MAX_LAYERS, "layers", path)
    _at_most(max(map(_count_in_a_row, parts), default=0), MAX_IN_A_ROW, "layers in one Sequential", path)
    _at_most(sum(map(_count_inputs, parts)), MAX_INPUTS, "inputs of layers", path)
    _at_most(count_calls(config).made, MAX_CALLS, "calls of layers, where a recurrent one counts as 100", path)
    for part in parts:
        for shape in _shapes(part):
            if _product(shape) > MAX_NUMBERS:
                raise ModelFileError(
                    f"{path}: the layer {name_of(part)!r} has {shape[:6]} in its configuration, more than the "
                    f"{MAX_NUMBERS:,} numbers that are allowed for one tensor"
                )
        if isinstance(part.get("config"), dict) and part["config"].get("unroll"):
            part["config"]["unroll"] = False  # a loop computes the same, and the number of steps is unknown here


def check_weights(variables: Sequence[tf.Variable], stored: int, path: str) -> None:
    """Refuse a net whose layers need more weights than the file holds.

    Parameters
    ----------
    variables : sequence of tf.Variable
        The weights of the built net.
    stored : int
        How many weight values the file holds.
    path : str
        The file, for messages.

    Raises
    ------
    ModelFileError
        If the net needs more; the message names the largest variable.
    """
    sizes = [_product(variable.shape.as_list()) for variable in variables]
    total = sum(sizes)
    if total > _TIMES * stored + _SPARE:
        largest = variables[int(np.argmax(sizes))]
        raise ModelFileError(
            f"{path}: its architecture does not fit its weights: it needs {total:,.0f} numbers, the largest is "
            f"{largest.name!r} {largest.shape.as_list()}, and the file holds {stored:,}"
        )


def _at_most(count: int, limit: int, what: str, path: str) -> None:
    if count > limit:
        raise ModelFileError(f"{path}: its architecture has {count:,} {what}; {limit:,} are allowed")


def _count_inputs(part: Part) -> int:
    calls = part.get("inbound_nodes")
    return sum(len(call) if isinstance(call, list) else 1 for call in calls) if isinstance(calls, list) else 0


def _count_in_a_row(part: Part) -> int:
    inside = part.get("config") if part["class_name"] == "Sequential" else None
    inside = inside.get("layers") if isinstance(inside, dict) else inside  # older files have the list itself
    return len(inside) if isinstance(inside, list) else 0


def _shapes(part: Part) -> Iterator[List[int]]:
    config = part.get("config")
    if not isinstance(config, dict):
        return
    for key in _SHAPES:
        yield _numbers(config.get(key))
    for pair in _PAIRS:
        yield _numbers([config.get(key) for key in pair])


def _numbers(value: Json) -> List[int]:
    """Return the integers in a value, at any depth of nesting."""
    found: List[int] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting.extend(reversed(item))
        elif isinstance(item, int) and not isinstance(item, bool):
            found.append(item)
    return found


def _product(sizes: Sequence[Optional[int]]) -> float:
    return float(np.prod([abs(size or 1) for size in sizes], dtype=np.float64))


# A recurrent layer has many ops and counts as several.
_RECURRENT, _OF_RECURRENT = re.compile("RNN|LSTM|GRU"), 100
_TWICE = "Bidirectional"  # makes two layers of the layer inside it


class Calls(NamedTuple):
    """How many calls of layers a part costs.

    Attributes
    ----------
    made : int
        Calls while the part is built.
    called : int
        Calls while it is called once.
    """

    made: int
    called: int


def count_calls(part: Part) -> Calls:
    """Count the calls of a part of a configuration that has a class name, nested parts included."""
    name = str(part["class_name"])
    inner = Calls(0, 0)
    for child in _inside(part):
        calls = count_calls(child)
        inner = Calls(inner.made + calls.made, inner.called + _times(child) * calls.called)
    factor = 2 if name == _TWICE else 1
    weight = _OF_RECURRENT if _RECURRENT.search(name) else 1
    config = part.get("config")
    while_built = inner.called if isinstance(config, dict) and "layers" in config else 0
    return Calls(factor * (inner.made + while_built), factor * (inner.called + weight))


def _inside(value: Json) -> Iterator[Part]:
    """Yield the outermost parts in a value."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("class_name"), str):
            yield item
        else:
            yield from _inside(item)


def _times(part: Part) -> int:
    nodes = part.get("inbound_nodes")
    return max(len(nodes), 1) if isinstance(nodes, list) else 1
