"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import uuid

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
        reason = "its folder was removed" if error.errno == errno.ENOENT else error.strerror
        raise OSError(error.errno, f"cannot write the {what}: {reason}", path) from error


def remove_leftovers(folder: str) -> None:
    """Remove, below this folder, what a killed process left of files that it was writing."""
    for place, _, names in os.walk(folder):
        for name in filter(_LEFTOVER.fullmatch, names):
            os.unlink(os.path.join(place, name))
