"""Limits on Pillow: strict settings, few passes over a JPEG, and a bounded number of reads per file.

A JPEG scan may be 10 bytes long and costs a pass over all pixels. Some of Pillow's readers read a file byte by byte, or
the same bytes again and again.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import Any, BinaryIO, Iterator, Tuple

from PIL import Image, ImageFile

from gradcam_tf1.errors import ImageFileError

_lock = threading.Lock()
_readers = 0
# module, its switch, and what it is while images are read
_SWITCHES: Tuple[Tuple[Any, str, Any], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),  # it makes images of files whose second half is missing
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


MAX_SCANS = 100  # a progressive JPEG has about ten, any other one to four
MAX_SCANNED = 2_000_000_000  # scans times pixels: 20 scans of 100 megapixels

# Start of scan, its length and the number of components that belongs to it (ITU-T T.81, B.2.3). Two letters alone
# would be found by chance in the film that a telephone puts behind its image.
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
_SCAN_BYTES = 5
_BLOCK = 1 << 20


def check_scans(data: bytes, name: str, pixels: int) -> None:
    """Raises: ImageFileError where a JPEG of so many pixels has more scans than may be decoded.

    All scans count that stand anywhere in the data: which of them a decoder comes to depends on how it gets over
    damaged places.
    """
    _check(len(_SCAN.findall(data)), name, pixels)


def check_file_scans(file: BinaryIO, name: str, pixels: int) -> None:
    """The same of an open file, which stays at its place."""
    place = file.tell()
    file.seek(0)
    scans, last = 0, b""
    while scans <= MAX_SCANS:
        block = file.read(_BLOCK)
        if not block:
            break
        scans += len(_SCAN.findall(last + block))
        last = block[1 - _SCAN_BYTES :]
    file.seek(place)
    _check(scans, name, pixels)


def _check(scans: int, name: str, pixels: int) -> None:
    most = min(MAX_SCANS, max(1, MAX_SCANNED // max(1, pixels)))
    if scans > most:
        raise ImageFileError(
            f"{name!r} is a JPEG of more than {most} scans, which would take very long to decode; save it again"
        )


HEAD_READS, READS = 50_000, 5_000_000  # a header takes some hundred; runs of a BMP file take two each
MOST_HEAD = 1 << 24  # of EXIF, colour profiles and comments; Pillow puts the pieces together one by one


class Bounded:
    """As the file, whose place it shares. `limit` says what is left; a reader that asks for more ends there."""

    def __init__(self, file: BinaryIO, name: str, reads: int, size: int) -> None:
        self._file = file
        self._name = name
        self.limit(reads, size)

    def limit(self, reads: int, size: int) -> None:
        """From now on so many reads, of so many bytes together."""
        self._reads, self._left = reads, size

    def read(self, size: int = -1) -> bytes:
        """Raises: ImageFileError where that is more than there was to be read."""
        data = self._file.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._reads -= 1
        self._left -= len(data)
        if self._reads < 0 or self._left < 0:
            raise ImageFileError(f"{self._name!r} is much longer than its image, and not read to its end")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
