"""The output folder of an export: empty, or one of an earlier export, whose files are replaced."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List

from gradcam_tf1.atomic_files import read_own, write_whole
from gradcam_tf1.errors import OptionError

RECORD = "export.json"
_TOOL = "gradcam_tf1"
_MOST_BYTES = 10_000_000


def claim(folder: str) -> None:
    """Make the folder, or empty it of an earlier export.

    Parameters
    ----------
    folder : str
        The output folder.

    Raises
    ------
    OptionError
        If it holds anything else.
    OSError
        If it cannot be made.
    """
    if os.path.isdir(folder) and os.listdir(folder):
        for name in _earlier(folder):
            os.unlink(os.path.join(folder, name))
        foreign = [name for name in _files(folder) if name != RECORD]
        if foreign:
            raise _refused(folder, foreign[0])
    os.makedirs(folder, exist_ok=True)
    record(folder, {}, ())


def record(folder: str, facts: Dict[str, Any], files: Any) -> None:
    """Write export.json: what was exported, and which files belong to it. Raises OSError."""
    content = {"tool": _TOOL, **facts, "files": list(files)}
    write_whole(os.path.join(folder, RECORD), (json.dumps(content, indent=1) + "\n").encode("ascii"), "record")


def _earlier(folder: str) -> List[str]:
    """Return the files of an earlier export that are still there. Raises OptionError if there was none."""
    try:
        content = json.loads(read_own(os.path.join(folder, RECORD), _MOST_BYTES).decode("utf-8"))
        names = content["files"] if content["tool"] == _TOOL else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        names = None
    if not isinstance(names, list):
        raise _refused(folder, sorted(os.listdir(folder))[0])
    present = set(_files(folder))  # a record that was changed names nothing outside of the folder
    return [name for name in names if name in present]


def _files(folder: str) -> List[str]:
    """Return the files in the folder and its subfolders, as paths inside of it with "/"."""
    found = []
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        found += [os.path.relpath(os.path.join(parent, name), folder).replace(os.sep, "/") for name in names + links]
    return sorted(found)


def _refused(folder: str, name: str) -> OptionError:
    return OptionError(
        f"the folder {folder!r} holds {name!r}, which no earlier export wrote; choose a new or an empty folder"
    )
