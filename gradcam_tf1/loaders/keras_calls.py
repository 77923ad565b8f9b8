"""Number the calls of layers as Keras 2 does, and refuse calls that wait for each other: Keras would wait for ever."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.loaders.keras_config import Json, Part, layers, name_of

_MODELS = ("Functional", "Model")
_ATTENTION = "MultiHeadAttention"
_TENSORS = ("query", "value", "key")  # of attention, in their order
Reference = Tuple[str, int]  # a layer, and which of its calls


def number_calls(config: Json) -> None:
    """Change the calls in a configuration of Keras 3 to those of Keras 2, in place, before it is translated.

    A model as a layer: Keras 2 counts the call that made it, Keras 3 does not. Attention: Keras 2 has all tensors but
    the first as named arguments, and needs their shapes.
    """
    for parts, inside in _models(config):
        if not any(isinstance(call, dict) for part in parts for call in _calls_of(part)):
            continue
        counted = {name_of(part) for part in parts if _counts_itself(part)}
        for part in parts:
            for call in _calls_of(part):
                for tensor in layers(call):
                    _count(tensor["config"].get("keras_history"), counted)
                if part.get("class_name") == _ATTENTION:
                    _name_tensors(part, call)
        ends = inside.get("output_layers")
        for end in [ends] if isinstance(ends, list) and ends and isinstance(ends[0], str) else ends or ():
            _count(end, counted)


def _models(config: Json) -> Iterator[Tuple[List[Part], Part]]:
    """Yield the layers of each model, and its configuration."""
    for part in layers(config):
        inside = part.get("config")
        parts = inside.get("layers") if isinstance(inside, dict) else None
        if isinstance(inside, dict) and isinstance(parts, list):
            yield [layer for layer in parts if isinstance(layer, dict)], inside


def _calls_of(part: Part) -> List[Json]:
    calls = part.get("inbound_nodes")
    return calls if isinstance(calls, list) else []


def _counts_itself(part: Part) -> bool:
    """Whether a layer is a model whose first call, in Keras 2, is the one that made it."""
    if part.get("class_name") in _MODELS:
        return True
    inside = part.get("config")
    parts = inside.get("layers") if part.get("class_name") == "Sequential" and isinstance(inside, dict) else None
    return (
        isinstance(parts, list)
        and bool(parts)
        and isinstance(parts[0], dict)
        and parts[0].get("class_name") == "InputLayer"
    )


def _count(reference: Json, counted: Any) -> None:
    if isinstance(reference, list) and len(reference) == 3 and reference[0] in counted:
        reference[1] += 1


def _name_tensors(part: Part, call: Dict[str, Json]) -> None:
    named = dict(zip(_TENSORS, call["args"]))
    named.update((name, call["kwargs"][name]) for name in _TENSORS if call.get("kwargs", {}).get(name))
    for name in _TENSORS:
        part["config"].setdefault(f"{name}_shape", named.get(name, named["value"])["config"]["shape"])
    query = named.pop("query")
    call.update(args=[query], kwargs={**call.get("kwargs", {}), **named})


def check_calls(config: Json, path: str) -> None:
    """Raise ModelFileError if a layer of a translated configuration takes a tensor that no layer ever makes."""
    for parts, _ in _models(config):
        stuck = _first_stuck(parts)
        if stuck is not None:
            raise ModelFileError(
                f"{path}: its architecture is damaged: the layer {stuck!r} takes a tensor that no layer makes; save "
                "the model again"
            )


def _first_stuck(parts: List[Part]) -> Optional[str]:
    """Make the calls of a model as Keras does, each when its tensors exist; return a layer that is never called."""
    always = {name_of(part) for part in parts if part.get("class_name") == "InputLayer"}
    first = {name_of(part): int(_counts_itself(part)) for part in parts}
    waiting = {name_of(part): [list(_references(call)) for call in _calls_of(part)] for part in parts}
    made = dict(first)

    def is_made(reference: Reference) -> bool:
        name, call = reference
        return name in always or name not in made or first[name] <= call < made[name]

    moved = True
    while moved:
        moved = False
        for name, calls in waiting.items():
            while calls and all(map(is_made, calls[0])):
                del calls[0]
                made[name] += 1
                moved = True
    return next((name for name, calls in waiting.items() if calls), None)


def _references(call: Json) -> Iterator[Reference]:
    """Yield the tensors that a call takes, [layer, call, output] at any depth, also in its named arguments."""
    waiting = [call]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
                yield value[0], value[1]
            waiting.extend(value)
