"""Check the size in the header of a compressed image inside another file: decoders use that size, not the file's.

Sources: ITU-T T.81, B.2.2 (JPEG, also JPEG-LS); ITU-T T.800, A.5.1 (JPEG 2000); DICOM PS3.5, A.4 (items).
"""

from __future__ import annotations

import re
import struct
from typing import Iterator, Tuple

from gradcam_tf1.errors import ImageFileError

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers of headers with the size
_SCAN, _END = 0xDA, 0xD9
_CODESTREAM = re.compile(rb"\xff\x4f\xff\x51")
_ITEM = b"\xfe\xff\x00\xe0"


def unwrapped(data: bytes) -> bytes:
    """Return the one frame of encapsulated DICOM pixel data: its items joined, without the offset table before them."""
    pieces, position = [], 0
    while data[position : position + 4] == _ITEM:
        length = struct.unpack_from("<I", data, position + 4)[0]
        pieces.append(data[position + 8 : position + 8 + length])
        position += 8 + length
    return b"".join(pieces[1:])


def check_sides(data: bytes, name: str, width: int, height: int) -> None:
    """Raise ImageFileError where a JPEG, JPEG-LS or JPEG 2000 image has another size than its file says."""
    is_jpeg = data[:2] == b"\xff\xd8"
    sizes = set(_jpeg_sides(data) if is_jpeg else _codestream_sides(data))
    if is_jpeg and not sizes:
        raise ImageFileError(f"{name!r} is damaged: the JPEG image in it does not say its size")
    for wide, high in sizes - {(width, height)}:
        raise ImageFileError(
            f"{name!r} is damaged: it says {width}x{height} pixels, the packed image in it has {wide}x{high}"
        )


def _jpeg_sides(data: bytes) -> Iterator[Tuple[int, int]]:
    """Yield width and height in each header before the first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in (_SCAN, _END):
            return
        if marker in _FRAMES and position + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, position + 5)
            yield width, height
        position += 2 + struct.unpack_from(">H", data, position + 2)[0]


def _codestream_sides(data: bytes) -> Iterator[Tuple[int, int]]:
    for match in _CODESTREAM.finditer(data):
        if match.start() + 24 <= len(data):
            right, bottom, left, top = struct.unpack_from(">IIII", data, match.start() + 8)
            yield right - left, bottom - top
