"""Read files with several frames: GIF, APNG, WebP, TIFF with several pages. No TensorFlow here."""

from __future__ import annotations

import itertools
import re
from typing import Callable, Iterator, List, Sequence, TypeVar

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.decode import MAX_PIXELS
from gradcam_tf1.images.frame_sizes import check_first, count_checked, frame_sizes
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.pillow_files import head_size
from gradcam_tf1.images.pillow_limits import READS, Bounded, strict_pillow
from gradcam_tf1.images.safe_open import MAX_BYTES, check_size

_NAMES = re.compile(r"\.(gif|png|apng|webp|tiff?)\Z", re.IGNORECASE)
_FORMATS = ("GIF", "PNG", "WEBP", "TIFF")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
_MOST = 4 * MAX_BYTES  # maximum number of bytes read of a file

Answer = TypeVar("Answer")


def is_animated(source: ImageSource) -> bool:
    """Return whether the file has a second frame; False where it cannot be read: reading it later says why."""
    if _NAMES.search(source.relative) is None:
        return False

    def has_second(image: Image.Image, file: Bounded) -> bool:
        return len(list(itertools.islice(frame_sizes(image, file, source.source), 2))) == 2

    try:
        return _with(source, MAX_PIXELS, has_second)
    except ImageFileError:
        return False


def count_frames(source: ImageSource, max_pixels: int) -> int:
    """Count the frames without decoding any; raise ImageFileError where there are too many or too large ones."""
    return _with(source, max_pixels, lambda image, file: _count(image, file, source.source, max_pixels))


def _count(image: Image.Image, file: Bounded, name: str, max_pixels: int) -> int:
    position = file.tell()
    count = count_checked(frame_sizes(image, file, name), name, max_pixels)
    file.seek(position)
    return count


def read_frames(source: ImageSource, numbers: Sequence[int], max_pixels: int) -> List[np.ndarray]:
    """Read some frames as RGB, transparency composited on white.

    Parameters
    ----------
    source : ImageSource
        The file.
    numbers : sequence of int
        Numbers of the frames, from 0, in ascending order.
    max_pixels : int
        Maximum number of pixels of a frame.

    Returns
    -------
    list of np.ndarray
        uint8 [H, W, 3], RGB, for each number.

    Raises
    ------
    ImageFileError
        If a frame is missing, damaged or too large; says why.
    """

    def read(image: Image.Image, file: Bounded) -> List[np.ndarray]:
        _count(image, file, source.source, max_pixels)
        return list(_frames(image, file, source.source, numbers, max_pixels))

    return _with(source, max_pixels, read)


def _frames(
    image: Image.Image, file: Bounded, name: str, numbers: Sequence[int], max_pixels: int
) -> Iterator[np.ndarray]:
    for number in numbers:
        file.limit(READS, _tag_bytes(image, file))
        if not _seek(image, number):
            raise ImageFileError(f"{name!r} ends before its frame {number}")
        check_size(name, image.width, image.height, max_pixels)
        file.limit(READS, _MOST)
        image.load()
        if image.mode not in _MODES:
            raise ImageFileError(f"{name!r}, frame {number}: pixels of mode {image.mode}; frames have 8 bits")
        rgba = image.convert("RGBA")
        yield np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))


def _seek(image: Image.Image, number: int) -> bool:
    """Go to a frame; return whether it exists."""
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _tag_bytes(image: Image.Image, file: Bounded) -> int:
    """Return the number of bytes that may be read to reach a frame: of TIFF only the tags, which Pillow keeps."""
    position = file.tell()
    size = head_size(file, _MOST) if image.format == "TIFF" else _MOST
    file.seek(position)
    return size


def _with(source: ImageSource, max_pixels: int, use: Callable[[Image.Image, Bounded], Answer]) -> Answer:
    try:
        return _opened(source, max_pixels, use)
    except ImageFileError:
        raise
    except Exception as error:  # Pillow's readers raise nearly any exception on damaged data
        raise ImageFileError(f"{source.source!r} cannot be decoded: {error or type(error).__name__}") from error


def _opened(source: ImageSource, max_pixels: int, use: Callable[[Image.Image, Bounded], Answer]) -> Answer:
    with source.content.open() as file, strict_pillow():
        bounded = Bounded(file, source.source, READS, head_size(file, _MOST))
        check_first(bounded, source.source, max_pixels)
        bounded.limit(READS, head_size(file, _MOST))
        with Image.open(bounded, formats=_FORMATS) as image:
            check_size(source.source, image.width, image.height, max_pixels)
            bounded.limit(READS, _MOST)
            return use(image, bounded)
