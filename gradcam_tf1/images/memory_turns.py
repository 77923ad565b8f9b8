"""Let threads decode and fit large images one at a time, because each image takes about a gigabyte of memory."""

from __future__ import annotations

import contextlib
import threading
from typing import ContextManager, Iterator, Optional, Set

LARGE = 25_000_000  # pixels
_changed = threading.Condition()
_holder: Optional[int] = None  # the thread that works on a large image
_waiting: Set[int] = set()


def turn(pixels: int) -> ContextManager[None]:
    """Return a context that only one thread at a time enters for a large image; others enter immediately."""
    if pixels > LARGE:
        return _turn()
    return contextlib.nullcontext()


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    global _holder  # noqa: PLW0603 - there is one turn in the process
    thread = threading.get_ident()
    with _changed:
        _waiting.add(thread)
        try:
            _changed.wait_for(lambda: _holder is None)
            _holder = thread
        finally:
            _waiting.discard(thread)
    try:
        yield
    finally:
        give_up(thread)


def give_up(thread: int) -> None:
    """End the turn of a thread that is finished or abandoned; do nothing where it has no turn."""
    global _holder  # noqa: PLW0603
    with _changed:
        if _holder == thread:
            _holder = None
            _changed.notify_all()


def is_waiting(thread: int) -> bool:
    """Return whether a thread waits for its turn."""
    with _changed:
        return thread in _waiting
