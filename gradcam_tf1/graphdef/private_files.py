"""Private copies of files: the bytes that were checked are the bytes that are read, even if the original changes.

A link is not enough: its target can be replaced or written to between check and use.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from typing import IO, Iterator

from gradcam_tf1.errors import ModelFileError

_PIECE = 1 << 24  # bytes
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # do not wait for a pipe's writer


@contextmanager
def private_folder() -> Iterator[str]:
    """Make a temporary folder that only this user can enter; remove it after the block."""
    folder = tempfile.mkdtemp(prefix="gradcam_tf1_")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_file(source: str, target: str) -> None:
    """Copy a regular file; a link to one is followed.

    Parameters
    ----------
    source : str
        The file; it is opened once.
    target : str
        The copy, which must not exist yet.

    Raises
    ------
    ModelFileError
        If the source is a pipe, device or folder, or the disk is full.
    """
    try:
        number = os.open(source, _FLAGS)
    except OSError as error:
        raise ModelFileError(f"{source} cannot be read: {error.strerror}") from error
    with os.fdopen(number, "rb", buffering=0) as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError(f"{source} is not a regular file; give a copy of it in a regular file")
        try:
            with open(target, "xb", buffering=0) as copy:
                _copy(file, copy, status.st_size)
        except OSError as error:
            raise ModelFileError(
                f"{source} cannot be copied to {os.path.dirname(target)}: {error.strerror}; while it is loaded, its "
                f"{status.st_size:,} bytes need space there: set TMPDIR to a folder with enough space"
            ) from error


def _copy(file: IO[bytes], copy: IO[bytes], size: int) -> None:
    """Copy at most the bytes that the file had when it was opened: a growing file must not fill the disk."""
    while size > 0:
        piece = file.read(min(size, _PIECE))
        if not piece:
            return
        size -= copy.write(piece)
