"""Which images a run explains: those that were asked for, but never its own output. No TensorFlow here."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import unicodedata
from typing import Any, Iterable, TypeVar

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import ImageFile
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.source_kinds import iter_images

COUNTED = 10_000  # more images than these are not counted before the run begins: they would have to be kept


Listed = TypeVar("Listed", ImageSource, ImageFile)


def list_images(imgs_path: Any, out_folder: str) -> tuple[Iterable[ImageSource], int | None]:
    """The images to explain, and how many they are.

    They come one at a time, without what an earlier run wrote into an output folder below a listed one. How many is
    known where there are no more than COUNTED, and not of archives that are packed and of standard input, which cannot
    be read twice (None).
    Raises: ImageFileError where there is none; OptionError where the output folder is the listed one.
    """
    images = iter_images(imgs_path, out_folder)
    first: list[ImageSource] = []
    if not _is_piped(imgs_path):
        for image in images:
            first.append(image)
            if image.held or len(first) > COUNTED:
                break
        else:
            return first, len(first)
    return itertools.chain(first, images), None


def _is_piped(imgs_path: Any) -> bool:
    return any(map(_is_piped, imgs_path)) if isinstance(imgs_path, (list, tuple)) else imgs_path == "-"


def draw_images(files: Iterable[Listed], count: int, seed: int = 0) -> list[Listed]:
    """`count` of the images, or all where there are no more, in the order of the listing.

    Which ones depends on their paths below the listed folder and the seed alone: the same on every platform and
    version, and another image in the folder replaces one of the drawn at most.
    Raises: OptionError where count < 1.
    """
    if count < 1:
        raise OptionError(f"n_images is the number of images to draw, at least 1, not {count}")
    drawn = heapq.nsmallest(count, enumerate(files), key=lambda item: _lot(item[1].relative, seed))
    return [file for _, file in sorted(drawn, key=lambda item: item[0])]


def _lot(relative: str, seed: int) -> bytes:
    # one file system keeps accents composed, another apart
    name = unicodedata.normalize("NFC", relative).encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"%d:" % seed + name).digest()
