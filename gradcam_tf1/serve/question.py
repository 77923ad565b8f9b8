"""What a client asks about its images: from the parameters of a request to checked arguments of `explain`."""

from __future__ import annotations

import difflib
import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple

from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS, choose_methods, method
from gradcam_tf1.methods.noise import KINDS, Noise
from gradcam_tf1.methods.options import Option
from gradcam_tf1.scoring.score_functions import CLASS_SCORES
from gradcam_tf1.targets import Top
from gradcam_tf1.types import Binding

# what one request may ask for: each item is a map of each image, or a run of the net
MOST = {"class": 5, "method": 4, "layer": 4}
ONCE = ("top", "score", "noise", "noise_samples", "noise_level", "aug_smooth", "eigen_smooth")
# largest values of numbers that have no bound of their own, or one for a run: each unit is a run, or memory
_LARGEST = {"samples": 200, "steps": 1000, "masks": 20_000, "channels": 4096, "rivals": 10, "cells": 64}
_LARGEST.update({"window": 10_000, "stride": 10_000, "max_sigma": 500, "sigmas": 100, "gamma": 1000, "level": 10})
_LARGEST.update({"permutations": 200, "count": 400, "groups": 4096, "sizes": 32})
_ANY_NUMBER = 1_000_000
_LONGEST = 500  # characters of a value
_SHOWN = 60  # characters of a client's text in a message

Pairs = Sequence[Tuple[str, str]]


@dataclass(frozen=True)
class Question:
    """The arguments of `GradCamGraph.explain` besides the images."""

    targets: Any
    methods: Any
    layers: Any
    score: str
    options: ExplainOptions


def largest(option: Option) -> Optional[float]:
    """Return the largest number that a client may give; None for options that are no numbers."""
    if option.kind in (bool, str, object) or isinstance(option.default, (bool, str)):
        return 255 if option.name in ("baseline", "baselines") else None
    bound = option.below if option.high is None else option.high
    if bound is not None and option.name not in _LARGEST:
        return bound
    own = max(_LARGEST.get(option.name, _ANY_NUMBER), 4 * (option.default or 0))
    return own if bound is None else min(bound, own)


def read_question(pairs: Pairs, binding: Binding) -> Question:
    """Read the parameters of a request.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Names and values, in order.
    binding : Binding
        Of the net: it knows the layers.

    Returns
    -------
    Question

    Raises
    ------
    OptionError
        For an unknown parameter, or a value that is not possible; says what is.
    """
    given = _by_name(pairs)
    return Question(
        targets=_targets(given),
        methods=_methods(given),
        layers=[_layer(text, binding) for text in given.get("layer", ())] or None,
        score=_choice("score", given, CLASS_SCORES) or "logit",
        options=ExplainOptions(
            noise=_noise(given),
            aug_smooth=_flag("aug_smooth", given),
            eigen_smooth=_flag("eigen_smooth", given),
        ),
    )


def with_progress(question: Question, progress: Any) -> Question:
    """Return the same question with a function that is told the progress."""
    return replace(question, options=replace(question.options, progress=progress))


def _by_name(pairs: Pairs) -> Dict[str, List[str]]:
    given: Dict[str, List[str]] = {}
    for name, value in pairs:
        if name not in MOST and name not in ONCE and not _is_method_option(name):
            known = [*MOST, *ONCE]
            near = difflib.get_close_matches(name[:_SHOWN], known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise OptionError(
                f"no parameter {_short(name)}{hint}; possible: {', '.join(known)}, and METHOD.OPTION such as rise.masks"
            )
        if len(value) > _LONGEST:
            raise OptionError(f"the value of {name} has {len(value)} characters; at most {_LONGEST}")
        given.setdefault(name, []).append(value)
    for name, values in given.items():
        if len(values) > MOST.get(name, 1):
            raise OptionError(f"{name} is given {len(values)} times; at most {MOST.get(name, 1)}")
    return given


def _is_method_option(name: str) -> bool:
    method_name, dot, option = name.partition(".")
    return bool(dot and option) and method_name in METHODS


def _targets(given: Dict[str, List[str]]) -> Any:
    classes = [int(text) if re.fullmatch(r"\d{1,9}", text) else text for text in given.get("class", ())]
    if "top" not in given:
        return classes or None
    if classes:
        raise OptionError("class and top are both given; give one of them")
    return Top(int(_number("top", given["top"][0], 1, MOST["class"], whole=True)))


def _methods(given: Dict[str, List[str]]) -> Any:
    names = given.get("method") or ["gradcam"]
    chosen: Dict[str, Dict[str, Any]] = {name: {} for name in choose_methods(names)}
    if len(chosen) > MOST["method"]:
        raise OptionError(f"{len(chosen)} methods are asked for; at most {MOST['method']}")
    for name, values in given.items():
        if _is_method_option(name):
            method_name, _, option = name.partition(".")
            if method_name not in chosen:
                raise OptionError(f"{name} is given, but not the method; add method={method_name}")
            chosen[method_name][option] = _option_value(method_name, option, values[0])
    return [method(name, **options) for name, options in chosen.items()]


def _allowed(option: Option, most: Optional[float]) -> str:
    """What values a client may give, in words."""
    if most is None or option.below is not None:
        return option.possible()
    return f"{option.possible()}, at most {most}" if option.choices else replace(option, high=most).possible()


def _option_value(method_name: str, name: str, text: str) -> Any:
    """Return the value of a method's option: JSON, or else a word."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    option = next((option for option in METHODS[method_name].options if option.name == name), None)
    if isinstance(value, (list, dict)):
        raise OptionError(f"{method_name}.{name} is one number or name here, not a list")
    if option is not None and option.reads_file(value):
        raise OptionError(f"{method_name}.{name} is {_short(text)}; here it is {option.possible()}, not a path")
    if option is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
        most = largest(option)
        if most is None or not -most <= value <= most:  # also NaN
            raise OptionError(f"{method_name}.{name} is {_short(text)}; here it is {_allowed(option, most)}")
    return value


def _layer(text: str, binding: Binding) -> Any:
    """Return a layer of the list, by its name or number. Sums of layers would let the graph grow without end."""
    names = [layer.name for layer in binding.layers]
    if text == "auto" or text in names or f"{text}:0" in names or text == binding.layer:
        return text
    counted = sum(layer.counted for layer in binding.layers)
    if re.fullmatch(r"-\d{1,5}", text) and int(text) >= -counted:
        return int(text)
    raise OptionError(
        f"no layer {_short(text)}; layers are -1 (the last) to -{counted}, and the names that GET /model lists, such "
        f"as {binding.layer!r}"
    )


def _noise(given: Dict[str, List[str]]) -> Optional[Noise]:
    kind = _choice("noise", given, KINDS)
    values: Dict[str, Any] = {}
    if "noise_samples" in given:
        values["samples"] = int(_number("noise_samples", given["noise_samples"][0], 1, _LARGEST["samples"], whole=True))
    if "noise_level" in given:
        values["level"] = _number("noise_level", given["noise_level"][0], 0, _LARGEST["level"])
    if kind is None and values:
        raise OptionError(f"noise_samples and noise_level need noise, one of {', '.join(KINDS)}")
    return None if kind is None else Noise(kind, **values)


def _choice(name: str, given: Dict[str, List[str]], possible: Sequence[str]) -> Optional[str]:
    value = given.get(name, [""])[0]
    if value and value not in possible:
        raise OptionError(f"{name} is {_short(value)}; possible: {', '.join(possible)}")
    return value or None


def _flag(name: str, given: Dict[str, List[str]]) -> bool:
    value = given.get(name, ["false"])[0].lower()
    if value not in ("true", "false", "1", "0"):
        raise OptionError(f"{name} is true or false, not {_short(value)}")
    return value in ("true", "1")


def _number(name: str, text: str, low: float, high: float, whole: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high or (whole and value != int(value)):
        kind = "whole number" if whole else "number"
        raise OptionError(f"{name} is a {kind} from {low:g} to {high:g}, not {_short(text)}")
    return value


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
