"""The command to go on with: `gradcam-tf1 run` with the options that another command was given."""

from __future__ import annotations

import shlex
from typing import Any, Iterator, Mapping, Sequence

import click

from gradcam_tf1.cli.older_names import OlderNames, translated

_META = "gradcam_tf1.words"
_OUT = "out"
_OF_ONE_COMMAND = {"n_images", "seed", "quiet", "as_json"}


class RememberingCommand(OlderNames):
    """A command that remembers its words, so that it can name the command that comes next."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the words, then parse them."""
        ctx.meta[_META] = self.make_parser(ctx).parse_args(list(translated(args)))[0]
        return super().parse_args(ctx, args)


def next_run(images: Sequence[str], more: Sequence[str] = (), command: str = "run") -> str:
    """Return a complete command for the model of the current command.

    Parameters
    ----------
    images : sequence of str
        IMAGES.
    more : sequence of str
        Further options.
    command : str
        "run", or another one that takes no output folder.
    """
    ctx = click.get_current_context()
    next_params = ctx.find_root().command.commands[command].params  # type: ignore[attr-defined]
    known = {param.name for param in next_params} & {param.name for param in ctx.command.params}
    given = {name: value for name, value in ctx.meta[_META].items() if name in known - _OF_ONE_COMMAND}
    out = ["--out", _OUT] if command == "run" else []
    words = ["gradcam-tf1", command, str(given.pop("model")), *images, *out]
    given.pop("images", None)
    return " ".join(map(shlex.quote, [*words, *_option_words(ctx.command, given, more), *more]))


def next_text() -> str:
    """Return a complete command that explains texts with the model of the current command."""
    model = click.get_current_context().meta[_META]["model"]
    return f"gradcam-tf1 text {shlex.quote(str(model))} TEXTS --vocab FILE --out {_OUT}"


def _option_words(command: click.Command, given: Mapping[str, Any], more: Sequence[str]) -> Iterator[str]:
    """Yield the options as they were given, without those that `more` sets."""
    for param in command.params:
        if param.name not in given or param.opts[0] in more:
            continue
        value = given[str(param.name)]
        for each in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(each, str):
                yield from (param.opts[0], each)
            elif each is True:
                yield param.opts[0]
