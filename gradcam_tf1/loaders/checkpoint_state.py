"""Find the checkpoint that is meant by a prefix, one of its files, a folder or the text file `checkpoint` in a folder.

Only checkpoints beside that text file are read, whatever path it holds: folders are moved after training, and a file of
unknown origin must not choose which other files are opened.
"""

from __future__ import annotations

import glob
import os
import re
from typing import List, Tuple

from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.file_kinds import Content

STATE = "checkpoint"
_SUFFIX = re.compile(r"\.(meta|index|data-\d{5}-of-\d{5})$")
_NAMED = re.compile(r'^[ \t]*model_checkpoint_path\s*:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
_STATE_BYTES = 1 << 22  # the name of the newest comes first, so a longer text is not read


def is_prefix(path: str) -> bool:
    """Whether a checkpoint has this prefix."""
    return any(os.path.exists(path + end) for end in (".index", ".meta")) or bool(
        glob.glob(glob.escape(path) + ".data-?????-of-?????")
    )


def holds_checkpoints(folder: str) -> bool:
    """Whether a folder holds checkpoints, or a `checkpoint` file that names one."""
    return bool(_prefixes(folder)) or bool(_named(os.path.join(folder, STATE)))


def find_prefix(content: Content) -> str:
    """Return the prefix of the checkpoint that is meant.

    Parameters
    ----------
    content : Content
        A prefix, one of its files, a folder or a `checkpoint` file.

    Returns
    -------
    str
        The common part of its file names.

    Raises
    ------
    ModelFileError
        If several checkpoints are possible, or the named one is not beside the `checkpoint` file.
    """
    path = content.path
    if content.kind == "folder":
        return _prefix_or_folder(path)
    if content.kind == "checkpoint state":
        return _beside(path)
    return path if content.kind == "missing" else _SUFFIX.sub("", path)


def _prefix_or_folder(path: str) -> str:
    if not os.path.exists(path.rstrip(os.sep) + ".index"):
        return _newest(path)
    path = path.rstrip(os.sep)
    if holds_checkpoints(path):
        raise ModelFileError(
            f"{path} is a folder with checkpoints, and {path}.index is the index of another one: "
            f"give {path}.index, or a file in the folder"
        )
    return path


def _newest(folder: str) -> str:
    """Return the prefix that the folder's `checkpoint` file names, else the one with the highest step."""
    found = _prefixes(folder)
    state = os.path.join(folder, STATE)
    if not _named(state):
        return max(found, key=_step)
    try:
        return _beside(state)
    except _Gone:
        if len(found) == 1:
            return found[0]
        raise


def _prefixes(folder: str) -> List[str]:
    inside = os.path.join(glob.escape(folder), "*")
    found = glob.glob(inside + ".index") or glob.glob(inside + ".meta")
    return sorted({_SUFFIX.sub("", path) for path in found})


def _step(prefix: str) -> Tuple[int, str]:
    digits = re.search(r"-(\d+)$", prefix)
    return (int(digits.group(1)) if digits else -1, prefix)


class _Gone(ModelFileError):
    """The checkpoint that a `checkpoint` file names does not exist."""


def _named(state: str) -> str:
    """Return the path in a `checkpoint` file, "" if there is none."""
    if not os.path.isfile(state):
        return ""
    with open(state, encoding="utf-8", errors="replace") as file:
        named = _NAMED.search(file.read(_STATE_BYTES))
    return named.group(1).replace("\\\\", "\\") if named else ""


def _beside(state: str) -> str:
    """Return the prefix that a `checkpoint` file names, in the folder of this file.

    The last part of the path is used: the folder part of an absolute path, or of one that does not exist, is outdated.
    """
    named, folder = _named(state), os.path.dirname(state)
    parts = re.split(r"[\\/]+", named)
    prefix = os.path.join(folder, parts[-1])
    absolute = re.match(r"[\\/]|\w+:", named) is not None
    if ".." in parts or parts[-1] in ("", ".") or "\0" in named:
        raise ModelFileError(
            f"{state} names {named!r}: only checkpoints in its folder are read; give the prefix of one"
        )
    elsewhere = os.path.join(folder, named)
    if len(parts) > 1 and parts[:-1] != ["."] and not absolute and _is_there(elsewhere):
        raise ModelFileError(f"{state} names a checkpoint in another folder; give its prefix: {elsewhere}")
    if not _is_there(prefix):
        others = ", ".join(os.path.basename(other) for other in _prefixes(folder)[-8:]) or "none"
        raise _Gone(
            f"{state} names a checkpoint that is not in its folder, {named!r}; give the prefix of one "
            f"(the folder has: {others})"
        )
    return prefix


def _is_there(prefix: str) -> bool:
    return os.path.exists(prefix + ".index") or os.path.isfile(prefix)
