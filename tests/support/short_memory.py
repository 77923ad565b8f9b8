"""An error of memory that Python makes anew each time."""

from __future__ import annotations


class ShortMemory(MemoryError):
    """Python 3.7 keeps instances of MemoryError, also numpy's own kind, and then takes one for a plain MemoryError()."""
