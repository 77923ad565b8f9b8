"""Options as older Grad-CAM tools spell them: translated before click reads the command line."""

from __future__ import annotations

import re
from typing import Iterator, List, Sequence

import click

# Their name -> ours; "" where the value is one of IMAGES. They are written with - or _, and some tools use one dash.
OLDER_NAMES = {
    "save_dir": "out",
    "images_path": "",
    "imageNet_labels": "labels",
    "last_layer": "logits",
    "layer_name": "layer",
    "select_output": "output",
    "no_pooling": "no-pooling",
    "separate_negative_positive": "separate-negative-positive",
}
_COUNT = re.compile(r"-?\d+")


class OlderNames(click.Command):
    """A command that takes the options of older tools too, and `--backcount 1 3 4` as three layers."""

    def parse_args(self, ctx: click.Context, args: List[str]) -> List[str]:
        """Translate, then parse."""
        return super().parse_args(ctx, list(translated(args)))


def translated(args: Sequence[str]) -> Iterator[str]:
    """The arguments with the names of older tools replaced; what follows "--" stays as it is."""
    rest = iter(args)
    counting = False  # whether further numbers are counts of layers
    for word in rest:
        counting = counting and _COUNT.fullmatch(word) is not None
        if word == "--":
            yield word
            yield from rest
        elif counting:
            yield from ("--backcount", word)
        elif re.match(r"--backcount(=|$)", word):
            counting = True
            yield from (word,) if "=" in word else (word, next(rest, ""))
        else:
            yield from _word(word)


def _word(word: str) -> Iterator[str]:
    name, equals, value = word.partition("=")
    ours = OLDER_NAMES.get(name.lstrip("-").replace("-", "_")) if re.match(r"--?[a-z]", name) else None
    if ours is None:
        yield word
    elif ours:
        yield f"--{ours}{equals}{value}"
    elif equals:
        yield value
