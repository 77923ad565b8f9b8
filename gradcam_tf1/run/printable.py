"""Text of files and models that is safe to print on a terminal."""

from __future__ import annotations

import sys
from typing import Any


def shown(text: Any, multiline: bool = False) -> str:
    """Return text of files and models with control characters escaped, and what the terminal cannot show."""
    kept = "\n" if multiline else ""
    safe = "".join(char if char.isprintable() or char in kept else _escaped(char) for char in str(text))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
