"""Options that give values to inputs beside the images: the same for all images, or one for each."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Mapping

import click
import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.numpy_files import read_header, size_of
from gradcam_tf1.run.input_rows import as_inputs
from gradcam_tf1.run.input_tables import value_or_text

_NPY = b"\x93NUMPY"
_MOST_BYTES = 1 << 31


def feeds(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Callback: "keep_prob=1.0" -> {"keep_prob": 1.0}; "x=@a.npy" -> its array, "x=@a.png" -> the path as At."""
    found: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{value!r}: write NAME=VALUE, as in is_training=false or thresholds=[0.6,0.7]")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice; give it one value")
        try:
            found[name] = _at(text[1:]) if text.startswith("@") else value_or_text(text)
        except OptionError as error:
            raise click.BadParameter(str(error)) from error
    return found


class ImagePath(str):
    """The path of an image, or of a folder of images, that is a value of each image."""


def _at(path: str) -> Any:
    """The array of a .npy file; other files and folders by their path. Raises: OptionError."""
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return ImagePath(path)
    try:
        with open(path, "rb") as file:
            if file.read(len(_NPY)) != _NPY:
                return ImagePath(path)
            file.seek(0)
            _check_header(file, path)
        # mapped, because a header may ask for more memory than the file has bytes
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise OptionError(f"{path!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, SyntaxError, OverflowError, EOFError) as error:
        raise OptionError(f"{path!r} is not an array of numbers that numpy has written: {error}") from error


def _check_header(file: BinaryIO, path: str) -> None:
    """Raises: OptionError for an array that is none of numbers, truth values or texts, or a very large one."""
    try:
        shape, _, dtype = read_header(file, path)
    except ImageFileError as error:
        raise OptionError(str(error)) from error
    if dtype.kind not in "biufcSU":
        raise OptionError(f"{path!r} is an array of {dtype}; possible: numbers, truth values, texts")
    if size_of(shape, dtype) > _MOST_BYTES:
        raise OptionError(f"{path!r} is an array {dtype} {list(shape)}, larger than the 2 GB that can be fed")


def split_feeds(feed: Mapping[str, Any], feed_file: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the net is told: constants, and None for what comes with each image; and the latter, for a run.

    Raises: OptionError for a table that does not fit, and for a name that has both.
    """
    inputs = {name: str(value) for name, value in feed.items() if isinstance(value, ImagePath)}
    for name, column in as_inputs(feed_file).items():
        if name in feed:
            raise OptionError(f"--feed and --feed-file both give {name!r}; give it in one of them")
        inputs[name] = column
    return {**feed, **dict.fromkeys(inputs)}, inputs


FEED_OPTIONS = (
    click.option(
        "--feed",
        "feed",
        multiple=True,
        metavar="NAME=VALUE|@FILE",
        callback=feeds,
        help="Value of another input: a bool, a number, a list, @values.npy, @image.png, or @folder with images of "
        "the same names. Repeatable.",
    ),
    click.option(
        "--feed-file",
        type=click.Path(),
        metavar="FILE",
        help="CSV of values for each image: file, then a column for each input, its name above.",
    ),
)
