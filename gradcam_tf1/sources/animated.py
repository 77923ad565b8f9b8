"""Files of several frames: GIF, APNG, WebP, TIFF of several pages. No TensorFlow here."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator, List, Sequence, TypeVar

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.bounded import READS, Bounded
from gradcam_tf1.sources.decode import MAX_PIXELS
from gradcam_tf1.sources.files import MAX_BYTES, check_size
from gradcam_tf1.sources.picture import Picture
from gradcam_tf1.sources.strict import strict_pillow

_NAMES = re.compile(r"\.(gif|png|apng|webp|tiff?)\Z", re.IGNORECASE)
_FORMATS = ("GIF", "PNG", "WEBP", "TIFF")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
MAX_FRAMES = 10_000
MAX_CLIP_PIXELS = 1_000_000_000  # of all frames together: to come to one, those before it are decoded

Answer = TypeVar("Answer")


def is_animated(picture: Picture) -> bool:
    """Whether the file has a second frame; False for one that cannot be read, which reading it will say."""
    if _NAMES.search(picture.relative) is None:
        return False

    def has_second(image: Image.Image) -> bool:
        check_size(picture.source, image.width, image.height, MAX_PIXELS)  # to come to it the first is decoded
        return _seek(image, 1)

    try:
        return _with(picture, has_second)
    except ImageFileError:
        return False


def count_frames(picture: Picture, max_pixels: int) -> int:
    """How many frames there are. Raises: ImageFileError for more than may be looked through."""

    def count(image: Image.Image) -> int:
        check_size(picture.source, image.width, image.height, max_pixels)
        most = min(MAX_FRAMES, MAX_CLIP_PIXELS // (image.width * image.height))
        number = 0
        while number <= most and _seek(image, number):
            number += 1
        if number > most:
            raise ImageFileError(f"{picture.source!r} has more than the {most} frames of its size that are allowed")
        return number

    return _with(picture, count)


def read_frames(picture: Picture, numbers: Sequence[int], max_pixels: int) -> List[np.ndarray]:
    """These frames, in rising order, as uint8 [H, W, 3], RGB, transparency laid on white.

    Raises: ImageFileError with the reason.
    """

    def read(image: Image.Image) -> List[np.ndarray]:
        check_size(picture.source, image.width, image.height, max_pixels)
        return list(_frames(image, picture.source, numbers))

    return _with(picture, read)


def _frames(image: Image.Image, name: str, numbers: Sequence[int]) -> Iterator[np.ndarray]:
    for number in numbers:
        if not _seek(image, number):
            raise ImageFileError(f"{name!r} ends before its frame {number}")
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


def _with(picture: Picture, use: Callable[[Any], Answer]) -> Answer:
    try:
        return _opened(picture, use)
    except ImageFileError:
        raise
    except Exception as error:  # the readers raise nearly anything on damaged data
        raise ImageFileError(f"{picture.source!r} cannot be decoded: {error or type(error).__name__}") from error


def _opened(picture: Picture, use: Callable[[Any], Answer]) -> Answer:
    with picture.content.open() as file, strict_pillow():
        image = Image.open(Bounded(file, picture.source, READS, 4 * MAX_BYTES), formats=_FORMATS)
        with image:
            return use(image)
