"""The words of a text on the terminal: in colours, or with a number behind them where there are none."""

from __future__ import annotations

import os
import sys
from typing import Sequence

import click

from gradcam_tf1.cli.terminal import shown

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_LAST_ON_BLUE = 8  # the strongest shade of blue on which black can be read
_CUBE = (0, 95, 135, 175, 215, 255)  # levels of the 256 colours, see "Indexed colour" of ECMA-48 terminals


def in_colors() -> bool:
    """Return whether words are printed in colours: on a terminal, unless NO_COLOR is set."""
    asked = click.get_current_context().color
    return sys.stdout.isatty() if asked is None else asked


def colored_words(words: Sequence[str], shades: Sequence[int], colors: bool) -> str:
    """Return the words of a text as one line.

    Parameters
    ----------
    words : sequence of str
        The words; none of their control characters reaches the terminal.
    shades : sequence of int
        From -10, against the class, to 10, for it.
    colors : bool
        Whether red and blue say so; otherwise the shade stands behind the word.

    Returns
    -------
    str
    """
    return " ".join((_colored if colors else _numbered)(word, shade) for word, shade in zip(words, shades))


def _numbered(word: str, shade: int) -> str:
    return f"{shown(word)}({shade:+d})" if shade else shown(word)


def _colored(word: str, shade: int) -> str:
    """Return a word on red where it speaks for the class, on blue where against it."""
    if not shade:
        return shown(word)
    text, ground = colors_of(shade)
    if os.environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return click.style(shown(word), fg=text, bg=ground)
    return click.style(shown(word), fg=_indexed(text), bg=_indexed(ground))


def colors_of(shade: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the colours, red, green and blue, of the letters of a word and of what is behind them."""
    faint = 255 - 20 * abs(shade)
    if shade > 0:
        return _BLACK, (255, faint, faint)
    return (_WHITE if -shade > _LAST_ON_BLUE else _BLACK), (faint, faint, 255)


def _indexed(color: tuple[int, int, int]) -> int:
    """Return the nearest of 256 colours, for terminals that do not say that they have all."""
    red, green, blue = (min(range(6), key=lambda n: abs(_CUBE[n] - level)) for level in color)
    return 16 + 36 * red + 6 * green + blue
