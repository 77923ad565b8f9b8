"""The options of methods: the keyword-only parameters of what computes them."""

from __future__ import annotations

import inspect
from typing import Any, Dict, Mapping, Sequence

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.families import HostMethod, IteratedMethod, Method


def method_options(method: Method) -> Dict[str, Any]:
    """Option name -> its default."""
    if not isinstance(method, (HostMethod, IteratedMethod)):
        return {}
    parameters = inspect.signature(method.compute).parameters.values()
    return {each.name: each.default for each in parameters if each.kind == each.KEYWORD_ONLY}


def check_options(options: Mapping[str, Mapping[str, Any]], methods: Sequence[Method]) -> None:
    """Raises OptionError for options of a method that was not asked for, and for names that a method does not take."""
    asked = {method.name: method for method in methods}
    for name, given in options.items():
        if name not in asked:
            raise OptionError(f"options for {name!r}, which was not asked for; asked for: {', '.join(asked)}")
        taken = method_options(asked[name])
        unknown = [option for option in given if option not in taken]
        if unknown:
            possible = ", ".join(f"{option}={default!r}" for option, default in taken.items()) or "no options"
            raise OptionError(f"{name} does not take {', '.join(map(repr, unknown))}; it takes {possible}")
