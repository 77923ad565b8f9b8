"""How large each frame of a file is, before memory is taken for any of them."""

from __future__ import annotations

import itertools
from typing import Any, Iterator, Tuple

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.files import check_size
from gradcam_tf1.sources.gif import gif_sizes, is_gif
from gradcam_tf1.sources.png import is_png, png_size
from gradcam_tf1.sources.tiff_tags import page_sizes

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
    """Width and height of the picture at each frame. image: the same file opened by Pillow, at its first frame."""
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
