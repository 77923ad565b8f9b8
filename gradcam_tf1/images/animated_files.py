"""Files of several frames: GIF, APNG, WebP, TIFF of several pages. No TensorFlow here."""

from __future__ import annotations

import itertools
import re
from typing import Any, Callable, Iterator, List, Sequence, TypeVar

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
_MOST = 4 * MAX_BYTES  # that are read of a file

Answer = TypeVar("Answer")


def is_animated(source: ImageSource) -> bool:
    """Whether the file has a second frame; False for one that cannot be read, which reading it will say."""
    if _NAMES.search(source.relative) is None:
        return False

    def has_second(image: Any, file: Bounded) -> bool:
        return len(list(itertools.islice(frame_sizes(image, file, source.source), 2))) == 2

    try:
        return _with(source, MAX_PIXELS, has_second)
    except ImageFileError:
        return False


def count_frames(source: ImageSource, max_pixels: int) -> int:
    """How many frames there are; none is decoded. Raises: ImageFileError for more than may be looked through."""
    return _with(source, max_pixels, lambda image, file: _count(image, file, source.source, max_pixels))


def _count(image: Any, file: Bounded, name: str, max_pixels: int) -> int:
    place = file.tell()
    count = count_checked(frame_sizes(image, file, name), name, max_pixels)
    file.seek(place)
    return count


def read_frames(source: ImageSource, numbers: Sequence[int], max_pixels: int) -> List[np.ndarray]:
    """These frames, in rising order, as uint8 [H, W, 3], RGB, transparency laid on white.

    Raises: ImageFileError with the reason.
    """

    def read(image: Any, file: Bounded) -> List[np.ndarray]:
        _count(image, file, source.source, max_pixels)
        return list(_frames(image, file, source.source, numbers, max_pixels))

    return _with(source, max_pixels, read)


def _frames(image: Any, file: Bounded, name: str, numbers: Sequence[int], max_pixels: int) -> Iterator[np.ndarray]:
    for number in numbers:
        file.limit(READS, _most_of_tags(image, file))
        if not _seek(image, number):
            raise ImageFileError(f"{name!r} ends before its frame {number}")
        check_size(name, image.width, image.height, max_pixels)
        file.limit(READS, _MOST)
        image.load()
        if image.mode not in _MODES:
            raise ImageFileError(f"{name!r}, frame {number}: pixels of mode {image.mode}; frames have 8 bits")
        whole = image.convert("RGBA")
        yield np.array(Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB"))


def _seek(image: Image.Image, number: int) -> bool:
    """Go to a frame; whether it is there."""
    try:
        image.seek(number)
    except EOFError:
        return False
    return True


def _most_of_tags(image: Any, file: Bounded) -> int:
    """What may be read to come to a frame: of TIFF the tags alone, which readers keep."""
    place = file.tell()
    size = head_size(file, _MOST) if image.format == "TIFF" else _MOST
    file.seek(place)
    return size


def _with(source: ImageSource, max_pixels: int, use: Callable[[Any, Bounded], Answer]) -> Answer:
    try:
        return _opened(source, max_pixels, use)
    except ImageFileError:
        raise
    except Exception as error:  # the readers raise nearly anything on damaged data
        raise ImageFileError(f"{source.source!r} cannot be decoded: {error or type(error).__name__}") from error


def _opened(source: ImageSource, max_pixels: int, use: Callable[[Any, Bounded], Answer]) -> Answer:
    with source.content.open() as file, strict_pillow():
        bounded = Bounded(file, source.source, READS, head_size(file, _MOST))
        check_first(bounded, source.source, max_pixels)
        bounded.limit(READS, head_size(file, _MOST))
        with Image.open(bounded, formats=_FORMATS) as image:
            check_size(source.source, image.width, image.height, max_pixels)
            bounded.limit(READS, _MOST)
            return use(image, bounded)
