"""Write files completely or not at all, and only inside the output folder."""

from __future__ import annotations

import errno
import os
import re
import stat
import uuid
from contextlib import contextmanager
from typing import BinaryIO, Iterator, cast

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # for the other end of a pipe
_LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.tmp")


def write_whole(path: str, data: bytes | memoryview, what: str) -> None:
    """Write a file so that other readers never see a part of it.

    Parameters
    ----------
    path : str
        The file, in an existing folder; an older one is replaced.
    data : bytes or memoryview
        The content.
    what : str
        What the file is, for the error message ("map", "manifest").

    Raises
    ------
    OSError
        If the file cannot be written; the error names the path.
    """
    with whole_file(path, what) as file:
        file.write(data)


@contextmanager
def whole_file(path: str, what: str) -> Iterator[BinaryIO]:
    """Open a file to write; it replaces an older one once the block is done, and is left out if the block fails.

    The parameters and errors are those of `write_whole`.
    """
    # In the same folder: a rename is atomic only within one file system. The name is short even if the path's is long.
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.tmp")
    if _is_special(path):
        raise FileExistsError(errno.EEXIST, f"cannot write the {what}: there is a device, a pipe or a socket", path)
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, path, temporary):
            raise
        reason = "its folder does not exist or was removed" if error.errno == errno.ENOENT else error.strerror
        raise OSError(error.errno, f"cannot write the {what}: {reason}", path) from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _is_special(path: str) -> bool:
    """Return whether a device, pipe or socket is there, which a rename would replace by a file, such as /dev/null."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def remove_leftovers(folder: str) -> None:
    """Remove the temporary files that a killed process left in a folder and its subfolders."""
    for parent, _, names in os.walk(folder):
        for name in filter(_LEFTOVER.fullmatch, names):
            os.unlink(os.path.join(parent, name))


def make_folders(out_folder: str, path: str) -> None:
    """Make the folders of a file inside the output folder.

    Parameters
    ----------
    out_folder : str
        The output folder, which must exist.
    path : str
        The file; its folder is made.

    Raises
    ------
    OSError
        If the output folder was removed (making it again would hide that), or a link leads outside of it.
    """
    folder = os.path.dirname(path)
    below = os.path.relpath(folder, out_folder).split(os.sep)
    try:
        for depth in range(len(below)):  # one by one: makedirs would make the output folder too
            _make_folder(os.path.join(out_folder, *below[: depth + 1]))
    except FileNotFoundError as error:
        message = "the output folder was removed during the run"
        raise FileNotFoundError(errno.ENOENT, message, out_folder) from error
    if not _is_inside(folder, out_folder):
        raise PermissionError(errno.EPERM, "a link in the output folder leads outside of it; remove it", folder)


def _make_folder(path: str) -> None:
    """Make one folder unless it exists. Raises FileNotFoundError if its parent does not exist."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def open_own(path: str) -> BinaryIO:
    """Open a file of the output folder to read and append; make it if absent. Raises OSError if it is a link."""
    if os.path.islink(path):
        raise PermissionError(
            errno.EPERM, "it is a link, and a run writes inside its output folder only; remove it", path
        )
    return cast(BinaryIO, open(path, "ab+", buffering=0, opener=lambda n, flags: os.open(n, flags | _NO_LINKS, 0o666)))


def read_own(path: str, most: int) -> bytes:
    """Return at most so many bytes of a file of ours. Raises OSError if it is a link, or no plain file."""
    descriptor = os.open(path, os.O_RDONLY | _NO_LINKS | _NO_WAITING | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file", path)
        return file.read(most)


def _is_inside(folder: str, out_folder: str) -> bool:
    real, out = os.path.realpath(folder), os.path.realpath(out_folder)
    return real == out or real.startswith(os.path.join(out, ""))
