"""The output folder that a user names, checked before any work is done for it. No TensorFlow here."""

from __future__ import annotations

import os
from typing import Any

from gradcam_tf1.errors import OptionError


def as_folder(path: Any) -> str:
    """Return the path of the output folder, which need not exist.

    Raises
    ------
    OptionError
        If it is no path, there is a file, or it can be neither made nor written to.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"the output folder is a path, not {path!r}")
    folder = os.path.expanduser(os.fspath(path))
    if not folder:
        raise OptionError('the output folder is ""; give a folder, which is made if absent, or "." for this one')
    there = _nearest(folder)
    if not os.path.isdir(there):
        inside = "" if there == folder else f", so {folder!r} cannot be made"
        raise OptionError(f"{there!r} is not a folder{inside}; choose another output folder")
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise OptionError(f"{there!r} may not be written to; choose another output folder, or change its rights")
    return folder


def _nearest(folder: str) -> str:
    """Return the folder, or the nearest one above it that exists; links count as what they are."""
    place = folder
    while True:
        try:
            os.lstat(place)
        except (FileNotFoundError, NotADirectoryError):
            above = os.path.dirname(place.rstrip(os.sep))
            place = above or os.curdir
        except (OSError, ValueError) as error:  # a name that is too long, a folder that is closed, a zero byte
            raise OptionError(f"{folder!r} cannot be made ({error}); choose another output folder") from error
        else:
            return place
