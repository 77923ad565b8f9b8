"""Limit Pillow: strict settings, few scans of a JPEG, a bounded number of reads per file.

A JPEG scan may be 10 bytes long and costs a pass over all pixels. Some of Pillow's readers read a file byte by byte, or
the same bytes again and again.
"""

from __future__ import annotations

import contextlib
import re
import threading
from types import ModuleType
from typing import Any, BinaryIO, Iterator, Optional, Tuple

from PIL import Image, ImageFile

from gradcam_tf1.errors import ImageFileError

_lock = threading.Lock()
_readers = 0
# module, its switch, and its value while images are read
_SWITCHES: Tuple[Tuple[ModuleType, str, Optional[bool]], ...] = (
    (ImageFile, "LOAD_TRUNCATED_IMAGES", False),  # True would accept files whose second half is missing
    (Image, "MAX_IMAGE_PIXELS", None),  # sizes are checked by us, and Pillow's warning would reach the user
)
_set_by_program: Tuple[Any, ...] = ()


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Make Pillow refuse truncated files and leave the check of sizes to `safe_open.check_size` inside the block.

    Pillow's switches are global. Readers in several threads are counted: the first one sets the switches, the last one
    restores the values of the program.
    """
    global _readers, _set_by_program  # noqa: PLW0603 - Pillow's switches are global themselves
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
                    if getattr(module, name) == value:  # else the program has set it in the meantime
                        setattr(module, name, before)


MAX_SCANS = 100  # a progressive JPEG has about ten, any other one to four
MAX_SCANNED = 2_000_000_000  # scans times pixels: 20 scans of 100 megapixels

# Start of scan, its length and the matching number of components (ITU-T T.81, B.2.3). The two bytes of the marker alone
# occur by chance in the film that a telephone appends to its image.
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
_SCAN_BYTES = 5
_BLOCK = 1 << 20


def check_scans(data: bytes, name: str, pixels: int) -> None:
    """Raise ImageFileError where a JPEG has too many scans for its number of pixels.

    Every scan in the data counts, because decoders differ in which scans they reach after a damaged part.
    """
    _check(len(_SCAN.findall(data)), name, pixels)


def check_file_scans(file: BinaryIO, name: str, pixels: int) -> None:
    """Do the same for an open file, and keep its position."""
    position = file.tell()
    file.seek(0)
    scans, last = 0, b""
    while scans <= MAX_SCANS:
        block = file.read(_BLOCK)
        if not block:
            break
        scans += len(_SCAN.findall(last + block))
        last = block[1 - _SCAN_BYTES :]
    file.seek(position)
    _check(scans, name, pixels)


def _check(scans: int, name: str, pixels: int) -> None:
    most = min(MAX_SCANS, max(1, MAX_SCANNED // max(1, pixels)))
    if scans > most:
        raise ImageFileError(
            f"{name!r} is a JPEG of more than {most} scans, which would take very long to decode; save it again"
        )


HEAD_READS, READS = 50_000, 5_000_000  # a header takes some hundred reads; a BMP file takes two for each of its runs
MOST_HEAD = 1 << 24  # bytes of EXIF, colour profiles and comments, which Pillow joins piece by piece


class Bounded:
    """A file with a limit on reads and bytes, as binary file; beyond the limit `read` raises ImageFileError.

    It shares the position of the file.

    Parameters
    ----------
    file : binary file
        The file.
    name : str
        Name of the image, for messages.
    reads : int
        Maximum number of reads.
    size : int
        Maximum number of bytes of all reads together.
    """

    def __init__(self, file: BinaryIO, name: str, reads: int, size: int) -> None:
        self._file = file
        self._name = name
        self.limit(reads, size)

    def limit(self, reads: int, size: int) -> None:
        """Set the limit of the following reads."""
        self._reads, self._left = reads, size

    def read(self, size: int = -1) -> bytes:
        """Read from the file; raise ImageFileError where the limit is exceeded."""
        data = self._file.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._reads -= 1
        self._left -= len(data)
        if self._reads < 0 or self._left < 0:
            raise ImageFileError(
                f"{self._name!r} is much longer than its image, and not read to its end; save it again"
            )
        return data

    def __getattr__(self, name: str) -> Any:
        if name == "fileno":  # Pillow closes a TIFF's descriptor after libtiff has, and may hit that of another thread
            raise AttributeError(name)
        return getattr(self._file, name)
