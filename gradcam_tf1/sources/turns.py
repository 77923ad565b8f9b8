"""Large pictures take turns: each takes a gigabyte while it is decoded or fitted, and readers are many."""

from __future__ import annotations

import contextlib
import threading
from typing import ContextManager

LARGE = 25_000_000  # pixels
_turn = threading.Lock()


def turn(pixels: int) -> ContextManager:
    """Inside, no other thread works on a large picture; at once for those that are not."""
    if pixels > LARGE:
        return _turn
    return contextlib.nullcontext()
