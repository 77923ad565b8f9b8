"""Command-line options that choose the methods and set their options."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Iterator, Sequence

import click

from gradcam_tf1.cli.shared_options import Command, Decorator, with_options
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHOD_GROUPS, METHODS, MethodChoice, choose_methods, method
from gradcam_tf1.methods.noise import KINDS, Noise
from gradcam_tf1.run.plan import DEFAULT_METHODS

_NOISE = Noise()


def set_values(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Callback: "rise.masks=500" -> {"rise": {"masks": 500}}; JSON, or else a word."""
    options: dict[str, dict[str, Any]] = {}
    for value in values:
        name, equals, text = value.partition("=")
        method, dot, option = name.partition(".")
        if not (equals and dot and method and option):
            raise click.BadParameter(f"{value!r}: write METHOD.OPTION=VALUE, as in integrated_gradients.steps=100")
        options.setdefault(method, {})[option] = _value(text)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="METHOD.OPTION=VALUE",
    callback=set_values,
    help="Set an option of a method, as in integrated_gradients.steps=100. Repeatable.",
)


def methods_with_options(
    names: Sequence[str], settings: dict[str, dict[str, Any]], default: Sequence[str]
) -> list[MethodChoice]:
    """Return the methods that --method names, with the values of --set. Raises OptionError for options of others."""
    chosen = choose_methods(list(names) or list(default))
    for name in settings:
        if name not in chosen:
            raise OptionError(f"--set {name}: {name!r} is not among the methods; add --method {name}")
    return [method(name, **settings.get(name, {})) for name in chosen]


def method_name(value: str) -> str:
    """Check the name of a method; those that a program has registered since the import are possible too."""
    return str(click.Choice([*METHODS, *METHOD_GROUPS]).convert(value, None, None))


def split_names(values: Sequence[str]) -> list[str]:
    """Return each name once: ("gradcam,rise", "gradcam") -> gradcam, rise."""
    return list(dict.fromkeys(name.strip() for value in values for name in value.split(",") if name.strip()))


def _names(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> list[str]:
    """Return the names of --method, which stand between commas or in options of their own."""
    for value in values:
        if not split_names([value]):
            method_name(value)  # which refuses it
    return [method_name(name) for name in split_names(values)]


def several_methods(purpose: str, default: Sequence[str]) -> Decorator:
    """Return the option --method of a command that compares methods: names with commas, or repeated."""
    return click.option(
        "--method",
        "methods",
        multiple=True,
        metavar="NAME[,NAME]",
        callback=_names,
        help=f"Methods to {purpose}: {', '.join([*METHODS, *METHOD_GROUPS])}. Default: {', '.join(default)}. "
        "Repeatable.",
    )


_OPTIONS = (
    click.option(
        "--method",
        "methods",
        multiple=True,
        metavar="NAME[,NAME]",
        callback=_names,
        help=f"Methods that make the maps: {', '.join([*METHODS, *METHOD_GROUPS])}. Default: gradcam and "
        "guided_gradcam. Repeatable.",
    ),
    click.option("--no-pooling", is_flag=True, help="Use HiResCAM instead of Grad-CAM."),
    click.option("--guided", is_flag=True, help="Add the methods guided_backprop and guided_gradcam."),
    click.option("--separate-negative-positive", is_flag=True, help="Add the methods positive and negative."),
    click.option(
        "--set",
        "options",
        multiple=True,
        metavar="METHOD.OPTION=VALUE",
        callback=set_values,
        help="Set an option of a method, as in integrated_gradients.steps=100. Repeatable.",
    ),
    click.option(
        "--noise-samples",
        type=click.IntRange(min=1),
        default=_NOISE.samples,
        show_default=True,
        help="Number of noisy copies for --noise.",
    ),
    click.option(
        "--noise-level",
        type=click.FloatRange(min=0),
        default=_NOISE.level,
        show_default=True,
        help="Standard deviation of --noise, as a share of the range of the pixel values.",
    ),
)


def _explain_options() -> Iterator[Decorator]:
    """Yield an option for each field of ExplainOptions that has a help text."""
    for item in fields(ExplainOptions):
        if "help" in item.metadata:
            flag, summary = "--" + item.name.replace("_", "-"), item.metadata["help"]
            kind: dict[str, Any] = {"type": click.Choice(item.metadata["choices"])}
            yield click.option(flag, help=summary, **(kind if item.metadata["choices"] else {"is_flag": True}))


def method_options(command: Command) -> Command:
    """Add the options of methods; `make_methods` and `make_explain_options` read them."""
    return with_options((*_OPTIONS, *_explain_options()))(command)


def make_methods(options: dict[str, Any]) -> list[Any] | None:
    """Take the options of methods out of `options`.

    Returns
    -------
    list or None
        Method names, and methods with options of their own; None for the default methods.

    Raises
    ------
    OptionError
        If --set names a method that does not run, or an unknown option.
    """
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
    """Take the options of `explain` out of `options`.

    Parameters
    ----------
    options : dict
        Command-line options by name.
    **more
        Further fields of ExplainOptions.

    Raises
    ------
    OptionError
        If --noise-samples or --noise-level is given without --noise.
    """
    kind, samples, level = (options.pop(name) for name in ("noise", "noise_samples", "noise_level"))
    if kind is None and (samples, level) != (_NOISE.samples, _NOISE.level):
        raise OptionError(f"--noise-samples and --noise-level need --noise, one of {', '.join(KINDS)}")
    flags = {name: options.pop(name) for name in ("fuse", "aug_smooth", "eigen_smooth")}
    return ExplainOptions(noise=None if kind is None else Noise(kind, samples, level), **flags, **more)
