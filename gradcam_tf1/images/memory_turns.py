"""Large images take turns: each takes a gigabyte while it is decoded or fitted, and readers are many."""

from __future__ import annotations

import contextlib
import threading
from typing import ContextManager, Iterator, Optional, Set

LARGE = 25_000_000  # pixels
_changed = threading.Condition()
_holder: Optional[int] = None  # the thread whose turn it is
_waiting: Set[int] = set()


def turn(pixels: int) -> ContextManager:
    """Inside, no other thread works on a large image; at once for those that are not."""
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
    """The turn of a thread ends, whether it is done or was given up; nothing where it is not its turn."""
    global _holder  # noqa: PLW0603
    with _changed:
        if _holder == thread:
            _holder = None
            _changed.notify_all()


def is_waiting(thread: int) -> bool:
    """Whether a thread waits for its turn."""
    with _changed:
        return thread in _waiting
