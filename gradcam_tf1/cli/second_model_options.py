"""Options of a command that opens two models: each applies to both, and its form with --b- to the second one alone."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import click

from gradcam_tf1.cli.shared_options import Command, Decorator

PREFIX = "b_"
_VALUES = ("preset", "mean", "std", "scale", "bgr")  # of pixels: one of them for B replaces all of them


def second_model_options(options: Sequence[Decorator]) -> Decorator:
    """Return a decorator that adds these options, and the form of each for the second model; `for_second` reads them.

    The forms for the second model are not listed one by one in the help text, which names the scheme.
    """

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
            params: list[click.Parameter] = vars(command)["__click_params__"]  # where click's decorators put them
            if isinstance(params[-1], click.Option):
                params.insert(-1, _for_b(params[-1]))
        return command

    return add


def for_second(options: dict[str, Any]) -> dict[str, Any]:
    """Take the forms for the second model out of `options`, and return all options as the second model has them."""
    given = {name[len(PREFIX) :]: options.pop(name) for name in list(options) if name.startswith(PREFIX)}
    merged = dict(options)
    if any(given.get(name) is not None for name in _VALUES):
        merged.update({name: False if name == "bgr" else None for name in _VALUES})
    merged.update({name: value[0] for name, value in given.items() if value is not None})
    return merged


def _for_b(option: click.Option) -> click.Option:
    """Return the option for B: its value comes in a tuple of one, None if it is not given, and "" leaves it out."""
    flag, name = option.opts[0][2:], f"{PREFIX}{option.name}"
    if option.is_flag:
        return click.Option([f"--b-{flag}/--no-b-{flag}", name], default=None, hidden=True, callback=_boxed(None))
    return click.Option(
        [f"--b-{flag}", name],
        type=option.type,
        multiple=option.multiple,
        default=None,
        hidden=True,
        callback=_boxed(option.callback),
    )


def _boxed(convert: Callable[..., Any] | None) -> Callable[..., Any]:
    def callback(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if value is None or value == ():
            return None
        if value in ("", ("",)):
            value = None if value == "" else ()
        return (value if convert is None else convert(ctx, param, value),)

    return callback
