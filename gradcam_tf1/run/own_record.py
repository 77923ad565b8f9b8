"""Names that a command writes into a folder: they are free, or those of an earlier one, as its JSON file shows."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable

from gradcam_tf1.atomic_files import read_own
from gradcam_tf1.errors import OptionError

_MOST_BYTES = 256 << 20
_KEY = "gradcam_tf1"  # the version that wrote it


def own_record(folder: str, name: str) -> Dict[str, Any]:
    """Return the content of a JSON file of ours; {} if there is none, or it is damaged or of another program."""
    try:
        stored = json.loads(read_own(os.path.join(folder, name), _MOST_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict):
        return {}
    settings = stored.get("settings")
    return stored if _KEY in stored or (isinstance(settings, dict) and _KEY in settings) else {}


def check_names(folder: str, names: Iterable[str], record: str) -> None:
    """Raise OptionError if one of the names is taken, and there is no JSON file of ours of the name `record`."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.lexists(path) and not own_record(folder, record):
            raise OptionError(not_ours(path))


def not_ours(path: str) -> str:
    """Return what is wrong where another program has a file of that name."""
    return f"{path!r} was not written by this toolkit, and would be overwritten; move it away, or choose another folder"
