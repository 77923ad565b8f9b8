"""The output folder of an export: empty, or one of an earlier export, whose files are replaced."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable, List

from gradcam_tf1.atomic_files import make_folders, read_own, write_whole
from gradcam_tf1.errors import OptionError

RECORD = "export.json"
_TOOL = "gradcam_tf1"
_MOST_BYTES = 10_000_000


def check_folder(folder: str) -> List[str]:
    """Return the files of the earlier export in a folder, [] if it is empty or absent.

    Parameters
    ----------
    folder : str
        The output folder.

    Raises
    ------
    OptionError
        If it holds anything else.
    OSError
        If it cannot be read.
    """
    if not os.path.isdir(folder) or not os.listdir(folder):
        return []
    earlier = _earlier(folder)
    foreign = [name for name in _files(folder) if name != RECORD and name not in earlier]
    if foreign:
        raise _refused(folder, foreign[0])
    return earlier


def replace_files(folder: str, files: Dict[str, bytes], facts: Dict[str, Any]) -> None:
    """Make the folder, or empty it of an earlier export, and write an export.

    Parameters
    ----------
    folder : str
        The output folder.
    files : dict
        Path inside the folder -> content, in the order in which they are written.
    facts : dict
        What export.json holds beside the names of the files.

    Raises
    ------
    OptionError
        As `check_folder`.
    OSError
        If something cannot be written.
    """
    for name in check_folder(folder):
        os.unlink(os.path.join(folder, name))
    os.makedirs(folder, exist_ok=True)
    _record(folder, {}, files)  # what a killed process leaves is known as an export
    for name, content in files.items():
        path = os.path.join(folder, name)
        make_folders(folder, path)
        write_whole(path, content, name)
    _record(folder, facts, files)


def _record(folder: str, facts: Dict[str, Any], files: Iterable[str]) -> None:
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
