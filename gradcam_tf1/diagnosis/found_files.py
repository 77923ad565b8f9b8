"""What lies at the path of a model that could not be opened."""

from __future__ import annotations

import glob
import os
from typing import List

from gradcam_tf1.errors import GradCamError
from gradcam_tf1.graphdef.file_kinds import identify

_SHOWN = 8


def found_at(path: str) -> List[str]:
    """Return a line on what a path holds, and lines on what lies beside or in it."""
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return [f"{path}: a folder with {', '.join(names[:_SHOWN]) or 'nothing in it'}{more}"]
    if os.path.isfile(path):
        return [f"{path}: {_kind(path)}, {os.path.getsize(path):,} bytes"]
    folder, name = os.path.split(os.path.abspath(path))
    beside = sorted(glob.glob(os.path.join(glob.escape(folder), f"{glob.escape(name[:3])}*")))
    lines = [f"{path}: no such file or folder"]
    if beside:
        lines.append(f"names that begin alike: {', '.join(map(os.path.basename, beside[:_SHOWN]))}")
    return lines


def _kind(path: str) -> str:
    try:
        return identify(path).kind
    except GradCamError as error:
        return str(error)
