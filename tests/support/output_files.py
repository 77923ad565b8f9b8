"""What a run wrote, byte for byte, without what differs from run to run: when it began and ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Union


def contents(out: Union[str, Path]) -> Dict[str, bytes]:
    """Path below the folder -> content of every file."""
    return {path.relative_to(out).as_posix(): content(path) for path in Path(out).rglob("*") if path.is_file()}


def content(path: Path) -> bytes:
    """The bytes of a file; of run.json without the times."""
    data = path.read_bytes()
    try:
        settings = json.loads(data.decode()) if path.name == "run.json" else {}
    except ValueError:
        return data
    if "history" not in settings:
        return data
    del settings["history"]
    return json.dumps(settings).encode()
