"""The size of a PNG file by its chunks, nothing unpacked: Pillow takes memory for an animation as it opens it.

Source: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Tuple

from gradcam_tf1.errors import ImageFileError

_MAGIC = b"\x89PNG\r\n\x1a\n"


def is_png(head: bytes) -> bool:
    """By its first letters."""
    return head[:8] == _MAGIC


def png_size(file: BinaryIO, name: str, whole: bool) -> Tuple[int, int]:
    """Width and height. whole: look at all chunks, else at those in front of the pixels.

    Raises: ImageFileError where the file says several sizes, or has a frame that is larger than the picture;
    struct.error where it is cut off.
    """
    file.seek(8)
    length, kind = struct.unpack(">I4s", file.read(8))
    if kind != b"IHDR":
        raise ImageFileError(f"{name!r} is a damaged PNG file: its size is missing")
    width, height = struct.unpack(">II", file.read(8))
    while True:
        file.seek(length + 4 - (8 if kind in (b"IHDR", b"fcTL") else 0), 1)
        head = file.read(8)
        if len(head) < 8 or (head[4:] == b"IDAT" and not whole):
            return width, height
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IHDR":
            raise ImageFileError(f"{name!r} is a damaged PNG file: it says its size twice")
        if kind == b"fcTL":
            _check_frame(file, name, width, height)


def _check_frame(file: BinaryIO, name: str, width: int, height: int) -> None:
    place = file.tell()
    _, wide, high, left, top = struct.unpack(">IIIII", file.read(20))
    if left + wide > width or top + high > height:
        raise ImageFileError(f"{name!r} is a damaged PNG file: it has a frame that is larger than the picture")
    file.seek(place + 8)
