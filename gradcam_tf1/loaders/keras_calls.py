"""How often the layers of a Keras net are called while it is built: nets in nets, each called again, multiply."""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, NamedTuple

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
