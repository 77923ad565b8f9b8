"""Read the size of each frame of an animated file from its headers, before any frame is decoded.

Sources: https://www.w3.org/Graphics/GIF/spec-gif89a.txt and https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import itertools
import struct
from typing import BinaryIO, Iterator, Tuple, Union, cast

from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.pillow_limits import Bounded
from gradcam_tf1.images.safe_open import check_size
from gradcam_tf1.images.tiff_tags import page_sizes

File = Union[BinaryIO, Bounded]

MAX_FRAMES = 10_000
MAX_CLIP_PIXELS = 500_000_000  # of all frames together: to reach one frame, those before it are decoded


def check_first(file: File, name: str, max_pixels: int) -> None:
    """Check the size of the first frame of a GIF or PNG, for which Pillow allocates memory when it opens the file.

    The file is at its start again afterwards. Raise ImageFileError where the frame is too large; damaged files raise
    other errors, too.
    """
    file.seek(0)
    head = file.read(8)
    if is_gif(head):
        for size in itertools.islice(gif_sizes(file, name), 1):
            check_size(name, *size, max_pixels)
    elif is_png(head):
        check_size(name, *png_size(file, name, False), max_pixels)
    file.seek(0)


def frame_sizes(image: Image.Image, file: File, name: str) -> Iterator[Tuple[int, int]]:
    """Yield width and height of the image at each frame; `image` is the file opened by Pillow, at its first frame."""
    if image.format == "GIF":
        yield from gif_sizes(file, name)
    elif image.format == "TIFF":
        yield from page_sizes(cast(BinaryIO, file), name)
    else:
        count = getattr(image, "n_frames", 1)
        size = png_size(file, name, True) if image.format == "PNG" and count > 1 else image.size
        yield from itertools.repeat(size, count)


def count_checked(sizes: Iterator[Tuple[int, int]], name: str, max_pixels: int) -> int:
    """Count the frames; raise ImageFileError where one is too large, or there are too many."""
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
    """Recognise a GIF by its first bytes."""
    return head[:6] in (b"GIF87a", b"GIF89a")


def gif_sizes(file: File, name: str) -> Iterator[Tuple[int, int]]:
    """Yield width and height of the image after each frame: the screen, enlarged to hold all frames so far.

    A frame counts in full, even outside the screen: readers enlarge the image to its end. Raise ImageFileError for
    damaged blocks, struct.error where they are cut off.
    """
    file.seek(0)
    width, height, flags = struct.unpack("<6xHHBxx", file.read(13))
    _skip_palette(file, flags)
    kind = file.read(1)
    while kind not in (b"", b";"):
        if kind == b"!":
            _skip_extension(file, name)
        elif kind == b",":
            left, top, wide, high, flags = struct.unpack("<HHHHB", file.read(9))
            width, height = max(width, left + wide), max(height, top + high)
            yield width, height
            _skip_palette(file, flags)
            file.read(1)
            _skip_blocks(file)
        kind = file.read(1)  # other bytes between two blocks are skipped, as in other readers


def _skip_palette(file: File, flags: int) -> None:
    if flags & 0x80:
        file.read(3 << (flags & 7) + 1)


def _skip_blocks(file: File) -> int:
    """Skip blocks, each with its length before it, up to an empty one, and return their number."""
    count, length = 0, file.read(1)
    while length not in (b"", b"\0"):
        file.seek(length[0], 1)
        length, count = file.read(1), count + 1
    return count


def _skip_extension(file: File, name: str) -> None:
    """Skip an extension; raise ImageFileError for an empty one, because readers disagree on where it ends."""
    label = file.read(1)
    position = file.tell()
    netscape = label == bytes([_APPLICATION]) and file.read(12)[1:] == b"NETSCAPE2.0"
    file.seek(position)
    least = 0 if label == bytes([_COMMENT]) else 2 if netscape else 1
    if _skip_blocks(file) < least:
        raise ImageFileError(f"{name!r} is a damaged GIF file: it has an extension without content; save it again")


_MAGIC = b"\x89PNG\r\n\x1a\n"


def is_png(head: bytes) -> bool:
    """Recognise a PNG by its first bytes."""
    return head[:8] == _MAGIC


def png_size(file: File, name: str, whole: bool) -> Tuple[int, int]:
    """Return width and height of a PNG.

    Parameters
    ----------
    file : binary file
        The file, at any position.
    name : str
        Name of the image, for messages.
    whole : bool
        Whether to check all chunks, else only those before the pixels.

    Returns
    -------
    tuple of int
        (width, height).

    Raises
    ------
    ImageFileError
        If the file says its size twice, or has a frame larger than the image.
    struct.error
        If the file is cut off.
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


def _check_frame(file: File, name: str, width: int, height: int) -> None:
    position = file.tell()
    _, wide, high, left, top = struct.unpack(">IIIII", file.read(20))
    if left + wide > width or top + high > height:
        raise ImageFileError(f"{name!r} is a damaged PNG file: it has a frame that is larger than the image")
    file.seek(position + 8)
