"""Translate the option names of older Grad-CAM tools before click parses the command line."""

from __future__ import annotations

import re
from typing import Iterator, List, Sequence

import click

# Older name -> present name; "" for a value that is one of IMAGES. Older tools use - or _, and one or two dashes.
OLDER_NAMES = {
    "save_dir": "out",
    "model_args_path": "config",
    "images_path": "",
    "imageNet_labels": "labels",
    "last_layer": "logits",
    "layer_name": "layer-containing",
    "select_output": "output",
    "no_pooling": "no-pooling",
    "separate_negative_positive": "separate-negative-positive",
}
_COUNT = re.compile(r"-?\d+")


class OlderNames(click.Command):
    """A command that also takes the options of older tools, and `--backcount 1 3 4` as three layers."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        """Translate the arguments, then parse them."""
        return super().parse_args(ctx, list(translated(args)))


def translated(args: Sequence[str]) -> Iterator[str]:
    """Yield the arguments with present option names; those after "--" are unchanged."""
    rest = iter(args)
    counting = False  # whether the next numbers are further values of --backcount
    for word in rest:
        counting = counting and _COUNT.fullmatch(word) is not None
        if word == "--":
            yield word
            yield from rest
        elif counting:
            yield from ("--backcount", word)
        elif re.match(r"--?backcount(=|$)", word):
            counting = True
            first = f"--{word.lstrip('-')}"
            yield from (first,) if "=" in word else (first, next(rest, ""))
        else:
            yield from _word(word)


def _word(word: str) -> Iterator[str]:
    name, equals, value = word.partition("=")
    present = OLDER_NAMES.get(name.lstrip("-").replace("-", "_")) if re.match(r"--?[a-z]", name) else None
    if present is None:
        yield word
    elif present:
        yield f"--{present}{equals}{value}"
    elif equals:
        yield value
