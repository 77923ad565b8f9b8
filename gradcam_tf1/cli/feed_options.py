"""Options that feed further inputs of a net: one value for all images, or one value per image."""

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
    """Callback: "keep_prob=1.0" -> {"keep_prob": 1.0}; "x=@a.npy" -> its array, "x=@a.png" -> an ImagePath."""
    feed: dict[str, Any] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{value!r}: write NAME=VALUE, as in is_training=false or thresholds=[0.6,0.7]")
        if name in feed:
            raise click.BadParameter(f"{name!r} is given twice; give it one value")
        try:
            feed[name] = _file_value(text[1:]) if text.startswith("@") else value_or_text(text)
        except OptionError as error:
            raise click.BadParameter(str(error)) from error
    return feed


class ImagePath(str):
    """The path of an image that is fed with every image, or of a folder with one image for each of them."""


def _file_value(path: str) -> Any:
    """Return the array of a .npy file, or the path of any other file or folder. Raises OptionError."""
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return ImagePath(path)
    try:
        with open(path, "rb") as file:
            if file.read(len(_NPY)) != _NPY:
                return ImagePath(path)
            file.seek(0)
            _check_header(file, path)
        # mapped, because a header may claim more memory than the file has bytes
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except OSError as error:
        raise OptionError(f"{path!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, SyntaxError, OverflowError, EOFError) as error:
        raise OptionError(f"{path!r} is not an array of numbers in a .npy file: {error}") from error


def _check_header(file: BinaryIO, path: str) -> None:
    """Refuse an array over 2 GB, or of anything but numbers, bools or strings. Raises OptionError."""
    try:
        shape, _, dtype = read_header(file, path)
    except ImageFileError as error:
        raise OptionError(str(error)) from error
    if dtype.kind not in "biufcSU":
        raise OptionError(f"{path!r} is an array of {dtype}; possible: numbers, bools, strings")
    if size_of(shape, dtype) > _MOST_BYTES:
        raise OptionError(
            f"{path!r} is an array {dtype} {list(shape)}, larger than the 2 GB that can be fed; give a smaller array"
        )


def split_feeds(feed: Mapping[str, Any], feed_file: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Separate the constants of a net from the values that differ from image to image.

    Parameters
    ----------
    feed : mapping
        Values of --feed by tensor name.
    feed_file : str or None
        Path of a table with one row per image, see --feed-file.

    Returns
    -------
    feed : dict
        For the net: the constants, and None for each tensor whose value comes with each image.
    inputs : dict
        For the run: the values of these tensors.

    Raises
    ------
    OptionError
        If the table is not readable as one, or if a name is in both.
    """
    inputs = {name: str(value) for name, value in feed.items() if isinstance(value, ImagePath)}
    for name, column in as_inputs(feed_file).items():
        if name in feed:
            raise OptionError(f"--feed and --feed-file both set {name!r}; give it in one of them")
        inputs[name] = column
    return {**feed, **dict.fromkeys(inputs)}, inputs


FEED = click.option(
    "--feed",
    "feed",
    multiple=True,
    metavar="NAME=VALUE|@FILE",
    callback=feeds,
    help="Value of a further input: a bool, a number, a list, @values.npy, @image.png, or @folder of images named "
    "like those to explain. Repeatable.",
)
FEED_FILE = click.option(
    "--feed-file",
    type=click.Path(),
    metavar="FILE",
    help="CSV file with values of further inputs for each image: a column 'file', and one column named after each "
    "input.",
)
