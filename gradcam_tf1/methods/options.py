"""The options of methods: the keyword-only parameters of what computes them."""

from __future__ import annotations

import inspect
from typing import Any, Dict, Mapping, Sequence

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.families import HostMethod, IteratedMethod, Method


def method_options(method: Method) -> Dict[str, Any]:
    """Option name -> its default."""
    if not isinstance(method, (HostMethod, IteratedMethod)):
        return {}
    parameters = inspect.signature(method.compute).parameters.values()
    return {each.name: each.default for each in parameters if each.kind == each.KEYWORD_ONLY}


def check_options(options: Any, methods: Sequence[Method]) -> None:
    """options: method -> its options by name. Raises: OptionError for anything else that is given."""
    asked = {method.name: method for method in methods}
    parts: Any = [options, *options.values()] if isinstance(options, Mapping) else [None]
    if not all(isinstance(each, Mapping) for each in parts):
        raise OptionError(
            f"options are {options!r}; give method -> its options: {{'integrated_gradients': {{'steps': 100}}}}"
        )
    for name, given in options.items():
        if name not in asked:
            raise OptionError(f"options for {name!r}, which was not asked for; asked for: {', '.join(asked)}")
        taken = method_options(asked[name])
        unknown = [option for option in given if option not in taken]
        if unknown:
            possible = ", ".join(f"{option}={default!r}" for option, default in taken.items()) or "no options"
            raise OptionError(f"{name} does not take {', '.join(map(repr, unknown))}; it takes {possible}")
        for option, value in given.items():
            _check_kind(f"{name}.{option}", value, taken[option])


def _check_kind(name: str, value: Any, default: Any) -> None:
    """Raises: OptionError where a number takes another kind of value than its default has."""
    kind, is_bool = type(default), isinstance(value, (bool, np.bool_))
    if kind is bool and not is_bool:
        raise OptionError(f"{name} is true or false, not {value!r}; its default is {default!r}")
    if kind in (int, float) and (is_bool or not isinstance(value, _NUMBERS[kind])):
        raise OptionError(f"{name} is a {_WORDS[kind]}, not {value!r}; its default is {default!r}")


_NUMBERS = {int: (int, np.integer), float: (int, float, np.integer, np.floating)}
_WORDS = {int: "whole number", float: "number"}
