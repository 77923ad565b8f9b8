"""Recognise the output folders of this toolkit, and files of other programs with the same names."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

MANIFEST_NAME = "manifest.jsonl"
RUN_NAME = "run.json"
REPORT_NAME = "report"  # folder

_OWN_FIELDS = {"source", "relative", "status", "targets"}  # in every line of the manifest
_OWN_KEY = "gradcam_tf1"  # in run.json: the version
_FIRST = b'{"source": "'  # start of a line of the manifest
_MOST_BYTES = 16 << 20


def is_output_folder(folder: str) -> bool:
    """Return whether a run of this toolkit has written to the folder."""
    manifest = os.path.join(folder, MANIFEST_NAME)
    return os.path.isfile(manifest) and _OWN_KEY in (_object(os.path.join(folder, RUN_NAME)) or {})


def foreign_file(folder: str) -> str:
    """Return the path of another program's file in the folder with the name of one of ours, "" where there is none."""
    settings_path, manifest = os.path.join(folder, RUN_NAME), os.path.join(folder, MANIFEST_NAME)
    settings, line = _object(settings_path), _object(manifest, first_line=True)
    if _OWN_KEY in (settings or {}) or set(line or {}) >= _OWN_FIELDS or _is_torn(manifest):  # one may be damaged
        return ""
    return settings_path if settings is not None else manifest if line is not None else ""


def _is_torn(manifest: str) -> bool:
    """Return whether the file is an incomplete first line of ours, as a killed run leaves it."""
    try:
        with open(manifest, "rb") as stream:
            start = stream.readline(len(_FIRST))
    except OSError:
        return False
    return _FIRST.startswith(start) and b"\n" not in start


def _object(path: str, first_line: bool = False) -> Optional[Dict[str, Any]]:
    """Return the JSON object of a file or of its first line; {} where it is not one, None where there is no text."""
    try:
        with open(path, "rb") as stream:
            text = stream.readline(_MOST_BYTES) if first_line else stream.read(_MOST_BYTES)
    except OSError:
        return None
    if not text.strip():
        return None
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
