"""The sizes of the frames of a GIF file by its blocks, nothing unpacked: Pillow takes memory as it comes to a frame.

Source: https://www.w3.org/Graphics/GIF/spec-gif89a.txt
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Iterator, Tuple

from gradcam_tf1.errors import ImageFileError

_COMMENT, _CONTROL, _APPLICATION = 0xFE, 0xF9, 0xFF


def is_gif(head: bytes) -> bool:
    """By its first letters."""
    return head[:6] in (b"GIF87a", b"GIF89a")


def gif_sizes(file: BinaryIO, name: str) -> Iterator[Tuple[int, int]]:
    """Width and height of the picture after each frame: the screen, grown to hold all frames until then.

    What a frame covers counts whole, also where it begins right of the screen: readers grow the picture to its end.
    Raises: ImageFileError where the blocks are not what they should be, struct.error where they are cut off.
    """
    file.seek(0)
    width, height, flags = struct.unpack("<6xHHBxx", file.read(13))
    _pass_palette(file, flags)
    kind = file.read(1)
    while kind not in (b"", b";"):
        if kind == b"!":
            _pass_extension(file, name)
        elif kind == b",":
            left, top, wide, high, flags = struct.unpack("<HHHHB", file.read(9))
            width, height = max(width, left + wide), max(height, top + high)
            yield width, height
            _pass_palette(file, flags)
            file.read(1)
            _pass_blocks(file)
        kind = file.read(1)  # anything else between two blocks is passed over, as other readers do


def _pass_palette(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.read(3 << (flags & 7) + 1)


def _pass_blocks(file: BinaryIO) -> int:
    """Go behind blocks, each with its length in front, the last one empty. Returns: how many there were."""
    count, length = 0, file.read(1)
    while length not in (b"", b"\0"):
        file.seek(length[0], 1)
        length, count = file.read(1), count + 1
    return count


def _pass_extension(file: BinaryIO, name: str) -> None:
    """Raises: ImageFileError for an empty one, of which readers do not agree where it ends."""
    label = file.read(1)
    place = file.tell()
    netscape = label == bytes([_APPLICATION]) and file.read(12)[1:] == b"NETSCAPE2.0"
    file.seek(place)
    least = 0 if label == bytes([_COMMENT]) else 2 if netscape else 1
    if _pass_blocks(file) < least:
        raise ImageFileError(f"{name!r} is a damaged GIF file: it has an extension without content; save it again")
