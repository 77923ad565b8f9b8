"""Open untrusted files safely: regular files only, without blocking; check sizes before memory is allocated."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from gradcam_tf1.errors import ImageFileError

# of an image that is kept in memory as a whole: 4 bytes for each of the 100 million pixels allowed by default
MAX_BYTES = 400_000_000
MOST_BYTES = 8  # of a pixel: four channels of 16 bits

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Raise ImageFileError where an image has more pixels than are allowed."""
    if width * height > max_pixels:
        raise ImageFileError(f"{name!r} has {width}x{height} pixels, more than the {max_pixels:,} that are allowed")


def check_bytes(name: str, size: int, max_pixels: int) -> None:
    """Raise ImageFileError where the numbers of an image take more memory than those of the largest photograph."""
    most = max(MAX_BYTES, 4 * max_pixels)
    if size > most:
        raise ImageFileError(f"{name!r} holds {size:,} bytes of numbers, more than the {most:,} that are read")


def open_regular(path: str, what: str = "an image file") -> BinaryIO:
    """Open a regular file of at least one byte for reading.

    Parameters
    ----------
    path : str
        The file.
    what : str
        What the file should be, for messages.

    Returns
    -------
    binary file

    Raises
    ------
    ImageFileError
        If it is empty, cannot be opened, or is a folder, named pipe, socket or device; says why.
    """
    # O_NONBLOCK keeps a named pipe from blocking when it is opened
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        kind = os.stat(path).st_mode
        if not stat.S_ISREG(kind):
            actual = next((name for test, name in _KINDS if test(kind)), "something else")
            raise ImageFileError(f"{path!r} is {actual}, not {what}")
        file = os.fdopen(os.open(path, flags), "rb")
    except OSError as error:
        reason = "a link that leads nowhere" if os.path.islink(path) and not os.path.exists(path) else error.strerror
        raise ImageFileError(f"{path!r} cannot be opened: {reason}") from error
    except ValueError as error:  # a NUL character in the path
        raise ImageFileError(f"{path!r} cannot be opened: {error}") from error
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
        file.close()
        raise ImageFileError(f"{path!r} is empty (0 bytes)")
    return file
