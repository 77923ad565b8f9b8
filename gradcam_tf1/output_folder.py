"""What an output folder of this toolkit has in it, and what must not be taken for one."""

from __future__ import annotations

import errno
import json
import os
from typing import Any, BinaryIO, Dict, Optional, cast

MANIFEST_NAME = "manifest.jsonl"
RUN_NAME = "run.json"

_OWN_FIELDS = {"source", "relative", "status", "targets"}  # of a line of the manifest
_OWN_KEY = "gradcam_tf1"  # of run.json: the version
_FIRST = b'{"source": "'  # a line begins so
_MOST_BYTES = 16 << 20
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)


def is_output_folder(folder: str) -> bool:
    """Whether a run of this toolkit has written there."""
    manifest = os.path.join(folder, MANIFEST_NAME)
    return os.path.isfile(manifest) and _OWN_KEY in (_object(os.path.join(folder, RUN_NAME)) or {})


def foreign_file(folder: str) -> str:
    """The path of a file there that has the name of one of ours and is another program's, "" where there is none."""
    settings, manifest = os.path.join(folder, RUN_NAME), os.path.join(folder, MANIFEST_NAME)
    found, line = _object(settings), _object(manifest, first_line=True)
    if _OWN_KEY in (found or {}) or set(line or {}) >= _OWN_FIELDS or _is_torn(manifest):  # one may be damaged
        return ""
    return settings if found is not None else manifest if line is not None else ""


def _is_torn(manifest: str) -> bool:
    """Whether the file is the beginning of our first line, as a killed run leaves it."""
    try:
        with open(manifest, "rb") as stream:
            start = stream.readline(len(_FIRST))
    except OSError:
        return False
    return _FIRST.startswith(start) and b"\n" not in start


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


def _object(path: str, first_line: bool = False) -> Optional[Dict[str, Any]]:
    """The JSON object of a file, or of its first line; {} where it is none, None where there is no text."""
    try:
        with open(path, "rb") as stream:
            text = stream.readline(_MOST_BYTES) if first_line else stream.read(_MOST_BYTES)
    except OSError:
        return None
    if not text.strip():
        return None
    try:
        found = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
