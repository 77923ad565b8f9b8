"""Private copies of files: what was looked through is what is read later, whatever becomes of the originals meanwhile.

A link would not do: its file can be replaced, or written to, between the look and the use.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from typing import Iterator

from gradcam_tf1.errors import ModelFileError

_PIECE = 1 << 24
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe is opened without waiting


@contextmanager
def private_folder() -> Iterator[str]:
    """A new folder that only this user can enter, in the system's folder for temporary files; removed at the end."""
    folder = tempfile.mkdtemp(prefix="gradcam_tf1_")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_file(source: str, target: str) -> None:
    """Copy a regular file, opened once; a link to one counts as the file.

    Raises: ModelFileError for anything else (pipes, devices, folders), and where there is no room.
    """
    try:
        number = os.open(source, _FLAGS)
    except OSError as error:
        raise ModelFileError(f"{source} cannot be read: {error.strerror}") from error
    with os.fdopen(number, "rb", buffering=0) as file:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError(f"{source} is no regular file; a model's files are")
        try:
            with open(target, "xb", buffering=0) as copy:
                _copy(file, copy, status.st_size)
        except OSError as error:
            raise ModelFileError(
                f"{source} cannot be copied to {os.path.dirname(target)}: {error.strerror}; its "
                f"{status.st_size:,} bytes need room there as long as it is loaded: set TMPDIR to a folder that has it"
            ) from error


def _copy(file: object, copy: object, size: int) -> None:
    """As many bytes as the file had when it was opened: one that grows does not fill the disk."""
    while size > 0:
        piece = file.read(min(size, _PIECE))  # type: ignore[attr-defined]
        if not piece:
            return
        size -= copy.write(piece)  # type: ignore[attr-defined]
