"""Pillow as strict as it comes, whatever the program around has set."""

from __future__ import annotations

import contextlib
import threading
from typing import Iterator

from PIL import ImageFile

_lock = threading.Lock()
_readers = 0
_set_by_program = False


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Inside, ImageFile.LOAD_TRUNCATED_IMAGES is off: it makes pictures of files whose second half is missing.

    The switch is the whole process's, so readers in several threads count themselves: the first one turns it off, the
    last one puts back what the program had set.
    """
    global _readers, _set_by_program  # noqa: PLW0603 - they stand for a switch that is global itself
    with _lock:
        if _readers == 0:
            _set_by_program = ImageFile.LOAD_TRUNCATED_IMAGES
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0 and not ImageFile.LOAD_TRUNCATED_IMAGES:
                ImageFile.LOAD_TRUNCATED_IMAGES = _set_by_program
