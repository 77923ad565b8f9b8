"""The sides that a packed image inside of another file gives itself: decoders go by these, and not by the file's.

Sources: ITU-T T.81, B.2.2 (JPEG, also JPEG-LS); ITU-T T.800, A.5.1 (JPEG 2000); DICOM PS3.5, A.4 (items).
"""

from __future__ import annotations

import re
import struct
from typing import Iterator, Tuple

from gradcam_tf1.errors import ImageFileError

_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # markers that say the sides
_SCAN, _END = 0xDA, 0xD9
_CODESTREAM = re.compile(rb"\xff\x4f\xff\x51")
_ITEM = b"\xfe\xff\x00\xe0"


def unwrapped(data: bytes) -> bytes:
    """The one frame of encapsulated DICOM pixel data: its items put together, without the table in front."""
    pieces, place = [], 0
    while data[place : place + 4] == _ITEM:
        length = struct.unpack_from("<I", data, place + 4)[0]
        pieces.append(data[place + 8 : place + 8 + length])
        place += 8 + length
    return b"".join(pieces[1:])


def check_sides(data: bytes, name: str, width: int, height: int) -> None:
    """Raises: ImageFileError where a JPEG, JPEG-LS or JPEG 2000 image has other sides than its file says."""
    is_jpeg = data[:2] == b"\xff\xd8"
    found = set(_jpeg_sides(data) if is_jpeg else _codestream_sides(data))
    if is_jpeg and not found:
        raise ImageFileError(f"{name!r} is damaged: the JPEG image in it does not say its size")
    for sides in found - {(width, height)}:
        raise ImageFileError(
            f"{name!r} is damaged: it says {width}x{height} pixels, the packed image in it has {sides[0]}x{sides[1]}"
        )


def _jpeg_sides(data: bytes) -> Iterator[Tuple[int, int]]:
    """Width and height as each header in front of the first scan says them."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        if marker in (_SCAN, _END):
            return
        if marker in _FRAMES and place + 9 <= len(data):
            height, width = struct.unpack_from(">HH", data, place + 5)
            yield width, height
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]


def _codestream_sides(data: bytes) -> Iterator[Tuple[int, int]]:
    for match in _CODESTREAM.finditer(data):
        if match.start() + 24 <= len(data):
            right, bottom, left, top = struct.unpack_from(">IIII", data, match.start() + 8)
            yield right - left, bottom - top
