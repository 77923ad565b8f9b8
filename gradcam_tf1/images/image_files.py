"""Find images on disk and read them as RGB, upright, 8 bit. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, Iterator, List, Set, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.decode import FORMATS as FORMATS
from gradcam_tf1.images.decode import MAX_PIXELS as MAX_PIXELS
from gradcam_tf1.images.decode import decode
from gradcam_tf1.images.file_names import EXTENSIONS as EXTENSIONS
from gradcam_tf1.images.folder_listing import folder_images, pattern_images
from gradcam_tf1.images.folder_walk import has_magic
from gradcam_tf1.images.safe_open import open_regular
from gradcam_tf1.images.source_kinds import PathsGiven as Source
from gradcam_tf1.images.window import AUTOMATIC, Window


@dataclass(frozen=True)
class ImageFile:
    """One image to read.

    Attributes
    ----------
    path : str
        Where the file is.
    relative : str
        POSIX path below the listed folder, unique within a listing.
    """

    path: str
    relative: str


def list_images(source: Source) -> List[ImageFile]:
    """List the images of a folder, file, glob pattern, or a list of any of these.

    Folders are searched recursively. Folders and patterns give the files with a known extension, sorted, without hidden
    ones. A file named directly is taken with any extension. A list keeps its order.

    Parameters
    ----------
    source : str, os.PathLike or sequence of these
        A folder, a file, or a pattern with `*`, `?`, `[...]` and `**`.

    Returns
    -------
    list of ImageFile

    Raises
    ------
    ImageFileError
        If a path does not exist, or there is no image.
    """
    files = [file for group in _collect(source) for file in group]
    if not files:
        raise ImageFileError("no images: the list of paths is empty; give a folder, file or pattern")
    return _unique(files)


def _collect(source: Source) -> Iterator[List[ImageFile]]:
    if isinstance(source, (list, tuple)):
        for part in source:
            yield from _collect(part)
        return
    if not isinstance(source, (str, os.PathLike)):
        raise ImageFileError(f"images are given as a folder, file, pattern or list of these, not {source!r}")
    path = os.path.expanduser(os.fspath(source))
    if os.path.lexists(path) and not os.path.isdir(path):
        yield [ImageFile(path, os.path.basename(path))]
    elif os.path.isdir(path) or has_magic(path):
        images = folder_images(path) if os.path.isdir(path) else pattern_images(path)
        yield sorted((ImageFile(item.source, item.relative) for item in images), key=lambda item: item.path)
    else:
        raise ImageFileError(f"no such file or folder: {path!r}")


def _unique(files: List[ImageFile]) -> List[ImageFile]:
    """Put the name of their folder before equal relative names, and add a number where they are still equal."""
    counts: Dict[str, int] = {}
    for file in files:
        counts[file.relative] = counts.get(file.relative, 0) + 1
    taken = {relative for relative, count in counts.items() if count == 1}
    result = []
    for file in files:
        relative = file.relative
        if counts[relative] > 1:
            relative = _free_name(file, taken)
            taken.add(relative)
        result.append(ImageFile(file.path, relative))
    return result


def _free_name(file: ImageFile, taken: Set[str]) -> str:
    root = os.path.abspath(file.path)[: -len(file.relative)]
    parent = os.path.basename(root.rstrip(os.sep))
    name = f"{parent}/{file.relative}" if parent else file.relative
    stem, extension = os.path.splitext(name)
    number = 2
    while name in taken:
        name = f"{stem}-{number}{extension}"
        number += 1
    return name


def read_image(
    path: str, max_pixels: int = MAX_PIXELS, window: Window = AUTOMATIC, channels: int = 3, bands: Tuple[int, ...] = ()
) -> np.ndarray:
    """Read one image file as RGB, upright.

    EXIF orientation is applied, transparency is composited on white, 16-bit values are scaled to 8 bit, gray becomes
    three equal channels, and of an animation the first frame is read. Colour profiles are not applied. The size is
    checked in the header, before decoding.

    Parameters
    ----------
    path : str
        A JPEG, PNG, BMP, GIF, TIFF, WebP, PNM, .npy, DICOM or NIfTI file.
    max_pixels : int
        Maximum number of pixels, height times width.
    window : Window
        How measured values become 0..255, in DICOM, NIfTI, .npy, and TIFF without a defined white.
    channels : int
        Number of channels of the net. 1 and 3 read a photograph; any other number reads the bands as they are stored.
    bands : tuple of int
        The one or three bands to read of a file with more than three, counted from 1; () for none in particular.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB, 0..255. With other `channels` than 1 and 3, uint8 or float32 [H, W, channels], 0..255.
        With `Window(stored=True)` float32, values as stored.

    Raises
    ------
    ImageFileError
        If the file cannot be opened, is not a complete image, is too large, or has other channels; says why.
    """
    with open_regular(path) as file:
        return decode(file, path, max_pixels, ReadOptions(channels, bands, window))
