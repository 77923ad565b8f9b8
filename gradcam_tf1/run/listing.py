"""List the images of a run, without files that a run has written. No TensorFlow here."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import unicodedata
from typing import Any, Iterable, TypeVar, Union

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.clip_folders import Clip
from gradcam_tf1.images.image_files import ImageFile
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.source_kinds import iter_images

COUNTED = 10_000  # more images are not counted before the run begins, since that keeps them in memory

Listed = Union[ImageSource, Clip]  # an image or clip of a run
File = TypeVar("File", bound=Union[ImageSource, ImageFile, Clip])


def list_images(imgs_path: Any, out_folder: str) -> tuple[Iterable[ImageSource], int | None]:
    """Return the images to explain, one at a time, and their number.

    Parameters
    ----------
    imgs_path : str or list
        See `visualize_imgs`.
    out_folder : str
        Images that an earlier run wrote into it are skipped.

    Returns
    -------
    images : iterable of ImageSource
        The images.
    count : int or None
        Their number; None for more than COUNTED images, and for packed archives and standard input, which cannot be
        read twice.

    Raises
    ------
    ImageFileError
        If there is no image.
    OptionError
        If the output folder is a listed folder.
    """
    images = iter_images(imgs_path, out_folder)
    first: list[ImageSource] = []
    if not is_piped(imgs_path):
        for image in images:
            first.append(image)
            if image.held or len(first) > COUNTED:
                break
        else:
            return first, len(first)
    return itertools.chain(first, images), None


def counted(count: int, thing: str = "image") -> str:
    """Return "1 image" or "3 images", and other things in the same way."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def is_piped(imgs_path: Any) -> bool:
    """Return whether paths come from standard input, which can be read once only."""
    return any(map(is_piped, imgs_path)) if isinstance(imgs_path, (list, tuple)) else imgs_path == "-"


def draw_images(files: Iterable[File], count: int, seed: int = 0) -> list[File]:
    """Choose images at random, in the order of the listing.

    The choice depends only on the paths below the listed folder and the seed. It is the same on every platform and
    version, and a new image in the folder replaces at most one chosen image.

    Parameters
    ----------
    files : iterable
        The listing.
    count : int
        Number of images to choose; all if there are no more.
    seed : int
        The same seed chooses the same images.

    Raises
    ------
    OptionError
        If `count` is below 1.
    """
    if count < 1:
        raise OptionError(f"n_images is the number of images to draw, at least 1, not {count}")
    drawn = heapq.nsmallest(count, enumerate(files), key=lambda item: _lot(item[1].relative, seed))
    return [file for _, file in sorted(drawn, key=lambda item: item[0])]


def _lot(relative: str, seed: int) -> bytes:
    """Return the random key of an image."""
    # file systems differ in the form of accents
    name = unicodedata.normalize("NFC", relative).encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"%d:" % seed + name).digest()
