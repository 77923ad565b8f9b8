"""List images that are named line by line, in a text file or on standard input."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, Iterator, Optional

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.file_names import Relatives
from gradcam_tf1.images.image_source import ImageSource, image_file, lost_image
from gradcam_tf1.images.safe_open import open_regular

_BLOCK = 1 << 16
_MOST_PATH = 1 << 15  # no system has longer paths


def listed_images(path: str) -> Iterator[ImageSource]:
    """Yield the images of a list of paths, one per line or separated by NUL characters.

    Relative paths start at the folder of the list. A path that does not exist becomes an image that cannot be read.

    Parameters
    ----------
    path : str
        The text file, UTF-8.

    Yields
    ------
    ImageSource

    Raises
    ------
    ImageFileError
        If the list cannot be read.
    """
    with open_regular(path, "a list of paths") as file:
        yield from _images(file, path, os.path.dirname(path))


def piped_images(stream: Optional[BinaryIO] = None) -> Iterator[ImageSource]:
    """Yield the images of a list on standard input; relative paths start at the working folder."""
    yield from _images(stream or sys.stdin.buffer, "-", "")


def _images(stream: BinaryIO, source: str, folder: str) -> Iterator[ImageSource]:
    relatives = Relatives()
    for number, name in enumerate(_paths(stream, source), 1):
        if name is None:
            yield lost_image(f"{source}!/{number}", relatives(str(number)), "is longer than any path")
        elif os.path.isabs(name):
            yield image_file(name, relatives(os.path.splitdrive(name)[1].replace(os.sep, "/")))
        else:
            yield image_file(os.path.join(folder, name), relatives(name.replace(os.sep, "/")))


def _paths(stream: BinaryIO, source: str) -> Iterator[Optional[str]]:
    """Yield the paths, None for one that is too long; a NUL character in the first block means that NUL separates."""
    read = getattr(stream, "read1", stream.read)  # of a pipe, the available bytes without waiting for a whole block
    block = read(_BLOCK)
    if block[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ImageFileError(f"{source!r} is a list in UTF-16; save it as UTF-8")
    end = b"\0" if b"\0" in block else b"\n"
    rest = block[3:] if block[:3] == b"\xef\xbb\xbf" else block
    too_long = False
    while block:
        *lines, rest = rest.split(end)
        for line in lines:
            yield from _path(line, end, too_long)
            too_long = False
        if len(rest) > _MOST_PATH:
            rest, too_long = b"", True
        block = read(_BLOCK)
        rest += block
    yield from _path(rest, end, too_long)


def _path(line: bytes, end: bytes, too_long: bool) -> Iterator[Optional[str]]:
    if end == b"\n" and line.endswith(b"\r"):
        line = line[:-1]
    if too_long or len(line) > _MOST_PATH:
        yield None
    elif line:
        yield os.fsdecode(line)
