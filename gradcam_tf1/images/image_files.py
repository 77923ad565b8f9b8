"""Finding images on disk and reading them: RGB, upright, 8 bit, whatever the file holds. No TensorFlow here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

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
    """One image to read. path: where it is. relative: POSIX path under the given root, unique within a listing."""

    path: str
    relative: str


def list_images(source: Source) -> List[ImageFile]:
    """The images of a folder (recursive), a file, a glob pattern (`**` too), or a list of any of these.

    Folders and patterns give files with a known extension, sorted, hidden ones left out; a file that is named itself is
    taken whatever its extension, and a list keeps its order. Raises ImageFileError where nothing is found.
    """
    found = [item for group in _collect(source) for item in group]
    if not found:
        raise ImageFileError("no images: the list of paths is empty")
    return _unique(found)


def _collect(source: Source) -> Iterator[List[ImageFile]]:
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from _collect(one)
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


def _unique(found: List[ImageFile]) -> List[ImageFile]:
    """Equal relative names get the folder they come from in front, and a number where that is not enough."""
    counts: Dict[str, int] = {}
    for item in found:
        counts[item.relative] = counts.get(item.relative, 0) + 1
    taken = {relative for relative, count in counts.items() if count == 1}
    result = []
    for item in found:
        relative = item.relative
        if counts[relative] > 1:
            relative = _free_name(item, taken)
            taken.add(relative)
        result.append(ImageFile(item.path, relative))
    return result


def _free_name(item: ImageFile, taken: set) -> str:
    root = os.path.abspath(item.path)[: -len(item.relative)]
    parent = os.path.basename(root.rstrip(os.sep))
    name = f"{parent}/{item.relative}" if parent else item.relative
    stem, extension = os.path.splitext(name)
    number = 2
    while name in taken:
        name = f"{stem}-{number}{extension}"
        number += 1
    return name


def read_image(
    path: str, max_pixels: int = MAX_PIXELS, window: Window = AUTOMATIC, channels: int = 3, bands: Tuple[int, ...] = ()
) -> np.ndarray:
    """One image as uint8 [H, W, 3], RGB, upright; the size is checked in the header, before decoding.

    EXIF orientation is applied, transparency is laid on white, 16-bit values are scaled to 8 bit, gray becomes three
    equal channels, of an animation the first frame is taken; colour profiles are not applied. window: of DICOM, NIfTI,
    .npy and of TIFF whose values have no white of their own. channels: for a net of 2, 4 or more channels these as they
    are, uint8 or float32 [H, W, channels], 0..255. bands: the three of a file with more, counted from 1, that are read.
    Raises ImageFileError with the reason for anything that is not a whole, regular image file.
    """
    with open_regular(path) as file:
        return decode(file, path, max_pixels, ReadOptions(channels, bands, window))
