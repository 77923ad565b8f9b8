"""Which checkpoint is meant by a prefix, one of its files, a folder, or the text file `checkpoint` in a folder.

Only files beside that text are read, whatever path it holds: nets are trained in one place and used in another, and a
file of a stranger does not choose what else is opened.
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
_NAMED = re.compile(r'^\s*model_checkpoint_path\s*:\s*"((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
_STATE_BYTES = 1 << 22  # the newest comes first


def is_prefix(path: str) -> bool:
    """Whether files of a checkpoint of this prefix are there."""
    return any(os.path.exists(path + end) for end in (".index", ".meta")) or bool(
        glob.glob(glob.escape(path) + ".data-?????-of-?????")
    )


def holds_checkpoints(folder: str) -> bool:
    """Whether checkpoints lie in the folder, or a `checkpoint` file that names one."""
    return bool(_prefixes(folder)) or bool(_named(os.path.join(folder, STATE)))


def find_prefix(content: Content) -> str:
    """The common part of a checkpoint's file names. Raises ModelFileError where it is not clear or not beside."""
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
    """The one that the folder's `checkpoint` file names, else the last one."""
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
    """What a `checkpoint` file names is not there."""


def _named(state: str) -> str:
    """The path in a `checkpoint` file, "" where there is none."""
    if not os.path.isfile(state):
        return ""
    with open(state, encoding="utf-8", errors="replace") as file:
        named = _NAMED.search(file.read(_STATE_BYTES))
    return named.group(1).replace("\\\\", "\\") if named else ""


def _beside(state: str) -> str:
    """The prefix beside a `checkpoint` file that it names.

    A plain name is that; of an absolute path, or of a folder that is not there, the last part is.
    """
    named, folder = _named(state), os.path.dirname(state)
    parts = re.split(r"[\\/]+", named)
    prefix = os.path.join(folder, parts[-1])
    absolute = re.match(r"[\\/]|\w+:", named) is not None
    if ".." in parts or parts[-1] in ("", "."):
        raise ModelFileError(f"{state} names {named!r}: only checkpoints beside it are read; give the prefix of one")
    elsewhere = os.path.join(folder, named)
    if len(parts) > 1 and parts[:-1] != ["."] and not absolute and _is_there(elsewhere):
        raise ModelFileError(f"{state} names a checkpoint that is not beside it; give its prefix: {elsewhere}")
    if not _is_there(prefix):
        others = ", ".join(os.path.basename(other) for other in _prefixes(folder)[-8:]) or "none"
        raise _Gone(
            f"{state} names a checkpoint that is not beside it, {named!r}; give the prefix of one "
            f"(beside it are: {others})"
        )
    return prefix


def _is_there(prefix: str) -> bool:
    return os.path.exists(prefix + ".index") or os.path.isfile(prefix)
