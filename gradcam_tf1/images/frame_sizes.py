"""The size of each frame of an animated file, read from its headers before any frame is unpacked.

Sources: https://www.w3.org/Graphics/GIF/spec-gif89a.txt and https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import itertools
import struct
from typing import Any, BinaryIO, Iterator, Tuple

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.safe_open import check_size
from gradcam_tf1.images.tiff_tags import page_sizes

MAX_FRAMES = 10_000
MAX_CLIP_PIXELS = 500_000_000  # of all frames together: to come to one, those before it are decoded


def check_first(file: Any, name: str, max_pixels: int) -> None:
    """Of the formats for whose first frame Pillow takes memory as it opens them. The file comes back to its start.

    Raises: ImageFileError where it has more pixels than are allowed, and what damaged files raise.
    """
    file.seek(0)
    head = file.read(8)
    if is_gif(head):
        for size in itertools.islice(gif_sizes(file, name), 1):
            check_size(name, *size, max_pixels)
    elif is_png(head):
        check_size(name, *png_size(file, name, False), max_pixels)
    file.seek(0)


def frame_sizes(image: Any, file: Any, name: str) -> Iterator[Tuple[int, int]]:
    """Width and height of the image at each frame. image: the same file opened by Pillow, at its first frame."""
    if image.format == "GIF":
        yield from gif_sizes(file, name)
    elif image.format == "TIFF":
        yield from page_sizes(file, name)
    else:
        count = image.n_frames
        size = png_size(file, name, True) if image.format == "PNG" and count > 1 else image.size
        yield from itertools.repeat(size, count)


def count_checked(sizes: Iterator[Tuple[int, int]], name: str, max_pixels: int) -> int:
    """How many frames there are. Raises: ImageFileError for one that is too large, or where they are too many."""
    count = pixels = 0
    for width, height in sizes:
        check_size(name, width, height, max_pixels)
        count, pixels = count + 1, pixels + width * height
        if count > MAX_FRAMES or pixels > MAX_CLIP_PIXELS:
            raise ImageFileError(
                f"{name!r} has more than the {MAX_FRAMES:,} frames or the {MAX_CLIP_PIXELS:,} pixels of all frames "
                "together that are allowed; make a folder of the frames that you need"
            )
    return count


_COMMENT, _CONTROL, _APPLICATION = 0xFE, 0xF9, 0xFF


def is_gif(head: bytes) -> bool:
    """By its first letters."""
    return head[:6] in (b"GIF87a", b"GIF89a")


def gif_sizes(file: BinaryIO, name: str) -> Iterator[Tuple[int, int]]:
    """Width and height of the image after each frame: the screen, grown to hold all frames until then.

    What a frame covers counts whole, also where it begins right of the screen: readers grow the image to its end.
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


_MAGIC = b"\x89PNG\r\n\x1a\n"


def is_png(head: bytes) -> bool:
    """By its first letters."""
    return head[:8] == _MAGIC


def png_size(file: BinaryIO, name: str, whole: bool) -> Tuple[int, int]:
    """Width and height. whole: look at all chunks, else at those in front of the pixels.

    Raises: ImageFileError where the file says several sizes, or has a frame that is larger than the image;
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
        raise ImageFileError(f"{name!r} is a damaged PNG file: it has a frame that is larger than the image")
    file.seek(place + 8)
