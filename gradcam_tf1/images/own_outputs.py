"""What an output folder of this toolkit has in it, and what must not be taken for one."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

MANIFEST_NAME = "manifest.jsonl"
RUN_NAME = "run.json"

_OWN_FIELDS = {"source", "relative", "status", "targets"}  # of a line of the manifest
_OWN_KEY = "gradcam_tf1"  # of run.json: the version
_FIRST = b'{"source": "'  # a line begins so
_MOST_BYTES = 16 << 20


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
