"""How many passes over its pixels a JPEG asks for: each costs time, and one may be 10 bytes long."""

from __future__ import annotations

import re
from typing import BinaryIO

from gradcam_tf1.errors import ImageFileError

MAX_SCANS = 100  # a progressive JPEG has about ten, any other one to four
MAX_SCANNED = 2_000_000_000  # scans times pixels: 20 scans of 100 megapixels

# Start of scan, its length and the number of components that belongs to it (ITU-T T.81, B.2.3). Two letters alone
# would be found by chance in the film that a telephone puts behind its picture.
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
