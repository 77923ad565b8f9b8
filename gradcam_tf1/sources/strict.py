"""Pillow as strict as it comes, whatever the program around has set."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Iterator, Tuple

from PIL import Image, ImageFile

_lock = threading.Lock()
_readers = 0
# module, its switch, and what it is while pictures are read
_SWITCHES: Tuple[Tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),  # it makes pictures of files whose second half is missing
    (Image, "MAX_IMAGE_PIXELS", None),  # sizes are checked here, and its warning would reach the user
)
_set_by_program: Tuple[Any, ...] = ()


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Inside, Pillow is strict about the ends of files and leaves sizes to `files.check_size`.

    The switches are the whole process's, so readers in several threads count themselves: the first one sets them, the
    last one puts back what the program had set.
    """
    global _readers, _set_by_program  # noqa: PLW0603 - they stand for switches that are global themselves
    with _lock:
        if _readers == 0:
            _set_by_program = tuple(getattr(module, name) for module, name, _ in _SWITCHES)
            for module, name, value in _SWITCHES:
                setattr(module, name, value)
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                for (module, name, value), before in zip(_SWITCHES, _set_by_program):
                    if getattr(module, name) == value:  # else the program has set it meanwhile
                        setattr(module, name, before)
