"""Writes files whole or not at all, and only inside the output folder."""

from __future__ import annotations

import errno
import os
import re
import uuid
from typing import BinaryIO, cast

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.tmp")


def write_whole(path: str, data: bytes | memoryview, what: str) -> None:
    """Write a file so that other readers never see half of it. what: for the message.

    Raises: OSError naming the path where it cannot be written.
    """
    # In the same folder, since a rename is atomic only within one file system; short, whatever the name's length.
    temporary = os.path.join(os.path.dirname(path), f".{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        reason = "its folder does not exist or was removed" if error.errno == errno.ENOENT else error.strerror
        raise OSError(error.errno, f"cannot write the {what}: {reason}", path) from error


def remove_leftovers(folder: str) -> None:
    """Remove, below this folder, what a killed process left of files that it was writing."""
    for place, _, names in os.walk(folder):
        for name in filter(_LEFTOVER.fullmatch, names):
            os.unlink(os.path.join(place, name))


def make_folders(out_folder: str, path: str) -> None:
    """Make the folders of a file below the output folder, which must be there.

    Raises: OSError naming what is missing: somebody has removed the output folder, and writing on would hide that.
    """
    folder = os.path.dirname(path)
    below = os.path.relpath(folder, out_folder).split(os.sep)
    try:
        for depth in range(len(below)):  # one by one: makedirs would make the output folder again
            _make_folder(os.path.join(out_folder, *below[: depth + 1]))
    except FileNotFoundError as error:
        message = "the output folder was removed during the run"
        raise FileNotFoundError(errno.ENOENT, message, out_folder) from error
    if not _is_inside(folder, out_folder):
        raise PermissionError(errno.EPERM, "a link in the output folder leads outside of it; remove it", folder)


def _make_folder(path: str) -> None:
    """Make one folder unless it is there. Raises: FileNotFoundError where the one above it is not there."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def open_own(path: str) -> BinaryIO:
    """A file of the output folder, to be read and added to; made if absent. Raises: OSError where it is a link."""
    if os.path.islink(path):
        raise PermissionError(errno.EPERM, "it is a link, and a run writes into its own folder only; remove it", path)
    return cast(BinaryIO, open(path, "ab+", buffering=0, opener=lambda n, flags: os.open(n, flags | _NO_LINKS, 0o666)))


def _is_inside(folder: str, out_folder: str) -> bool:
    real, out = os.path.realpath(folder), os.path.realpath(out_folder)
    return real == out or real.startswith(os.path.join(out, ""))
