"""An error of memory that Python makes anew each time."""

from __future__ import annotations


class ShortMemory(MemoryError):
    """Python 3.7 keeps instances of MemoryError, also of numpy's own kind, and hands one out for MemoryError()."""
