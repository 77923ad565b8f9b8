"""Options that say which methods make the maps, and how."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Callable, Iterator, Sequence

import click

from gradcam_tf1.cli.shared_options import with_options
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHOD_GROUPS, METHODS, choose_methods, method
from gradcam_tf1.methods.noise import KINDS, Noise
from gradcam_tf1.run.plan import DEFAULT_METHODS

_NOISE = Noise()


def set_values(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Callback: "rise.masks=500" -> {"rise": {"masks": 500}}; numbers, true, false, null and lists, else a word."""
    found: dict[str, dict[str, Any]] = {}
    for value in values:
        name, equals, text = value.partition("=")
        method, dot, option = name.partition(".")
        if not (equals and dot and method and option):
            raise click.BadParameter(f"{value!r}: write METHOD.OPTION=VALUE, as in integrated_gradients.steps=100")
        found.setdefault(method, {})[option] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_OPTIONS = (
    click.option(
        "--method",
        "methods",
        multiple=True,
        metavar="NAME",
        type=click.Choice([*METHODS, *METHOD_GROUPS]),
        help=f"Repeatable; default: gradcam and guided_gradcam. One of {', '.join([*METHODS, *METHOD_GROUPS])}.",
    ),
    click.option("--no-pooling", is_flag=True, help="HiResCAM instead of Grad-CAM."),
    click.option("--guided", is_flag=True, help="Guided backpropagation and Guided Grad-CAM too."),
    click.option("--separate-negative-positive", is_flag=True, help="The methods positive and negative too."),
    click.option(
        "--set",
        "options",
        multiple=True,
        metavar="METHOD.OPTION=VALUE",
        callback=set_values,
        help="Option of a method, as in integrated_gradients.steps=100. Repeatable.",
    ),
    click.option(
        "--noise-samples", type=click.IntRange(min=1), default=_NOISE.samples, show_default=True, help="Noisy copies."
    ),
    click.option(
        "--noise-level",
        type=click.FloatRange(min=0),
        default=_NOISE.level,
        show_default=True,
        help="Their deviation as a share of the image's range.",
    ),
)


def _explain_options() -> Iterator[Callable]:
    """The fields of ExplainOptions that have a help text, as options."""
    for item in fields(ExplainOptions):
        if "help" in item.metadata:
            flag, summary = "--" + item.name.replace("_", "-"), item.metadata["help"]
            kind: dict[str, Any] = {"type": click.Choice(item.metadata["choices"])}
            yield click.option(flag, help=summary, **(kind if item.metadata["choices"] else {"is_flag": True}))


def method_options(command: Callable) -> Callable:
    """Which methods, and how; `make_methods` reads them."""
    return with_options((*_OPTIONS, *_explain_options()))(command)


def make_methods(options: dict[str, Any]) -> list[Any] | None:
    """Return the methods with their options; None if none was named. Their options are taken out of `options`."""
    names = list(options.pop("methods")) or None
    further = {"guided": ("guided_backprop", "guided_gradcam"), "separate_negative_positive": ("positive_negative",)}
    added = [name for option, members in further.items() if options.pop(option) for name in members]
    if added:
        names = list(dict.fromkeys([*(names or DEFAULT_METHODS), *added]))
    if options.pop("no_pooling"):
        names = ["hirescam" if name == "gradcam" else name for name in names or DEFAULT_METHODS]
    given = options.pop("options")
    for name in given:
        if name not in choose_methods(names or DEFAULT_METHODS):
            raise OptionError(f"--set {name}: {name!r} is not among the methods; add --method {name}")
    if names is None and not given:
        return None
    return [method(name, **given[name]) if name in given else name for name in names or DEFAULT_METHODS]


def make_explain_options(options: dict[str, Any], **more: Any) -> ExplainOptions:
    """Return the ExplainOptions of these command-line options, which are taken out of `options`."""
    kind, samples, level = (options.pop(name) for name in ("noise", "noise_samples", "noise_level"))
    if kind is None and (samples, level) != (_NOISE.samples, _NOISE.level):
        raise OptionError(f"--noise-samples and --noise-level need --noise, one of {', '.join(KINDS)}")
    flags = {name: options.pop(name) for name in ("fuse", "aug_smooth", "eigen_smooth")}
    return ExplainOptions(noise=None if kind is None else Noise(kind, samples, level), **flags, **more)
