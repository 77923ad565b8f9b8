"""Find the images of a run again: files, members of archives, records. No TensorFlow here.

The paths of a manifest are a stranger's data: they are only opened as images, by the guarded reader.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import chain
from typing import Any, Iterator, Mapping, Optional

import numpy as np

from gradcam_tf1.errors import GradCamError, ImageFileError
from gradcam_tf1.images.bands import ReadOptions, drawn
from gradcam_tf1.images.image_source import ImageSource, image_file
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.images.window import Window
from gradcam_tf1.run.result import Result

_INSIDE = "!/"  # between the path of an archive and the name inside
_MOST_REWINDS = 20  # of one archive, which costs much; a run has its images in their order


class OriginalImages:
    """Reads the images of a run as they were drawn; fastest in the order of the run.

    Parameters
    ----------
    settings : mapping
        Of run.json.
    max_pixels : int
        Larger images are refused.
    """

    def __init__(self, settings: Mapping[str, Any], max_pixels: int) -> None:
        self._max_pixels = max_pixels
        self._options = _read_options(settings)
        self._archive: Optional[_OpenArchive] = None

    def read(self, result: Result) -> np.ndarray:
        """Return the image: uint8 [H, W, 3], RGB.

        Raises
        ------
        ImageFileError
            If it is gone, was replaced by one of another size, is too large, or cannot be read.
        """
        options = self._options
        values = self._find(result.source).read(self._max_pixels, options)
        if result.size is not None and tuple(values.shape[:2]) != tuple(result.size):
            raise ImageFileError(f"{result.source!r} is another image now: {values.shape[0]}x{values.shape[1]} pixels")
        return drawn(values, options.bands if options.many else (), result.source)

    def _find(self, source: str) -> ImageSource:
        archive, inside, name = source.partition(_INSIDE)
        if not inside or os.path.lexists(source):
            return image_file(source, source)
        if not os.path.isfile(archive):
            raise ImageFileError(f"no such file: {archive!r}")
        path = os.path.abspath(archive)
        if self._archive is None or self._archive.path != path:
            self._archive = _OpenArchive(path)
        return self._archive.find(name)


class _OpenArchive:
    """An archive that is read in order, and from its start again if an image was passed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._images = iter_images(path)
        self._rewinds = 0

    def find(self, name: str) -> ImageSource:
        """Return the image of this name. Raises ImageFileError if there is none."""
        wanted = f"{self.path}{_INSIDE}{name}"
        for image in chain(self._images, self._again()):
            if image.source == wanted:
                return image
        raise ImageFileError(f"{self.path!r} has no image {name!r}")

    def _again(self) -> Iterator[ImageSource]:
        if self._rewinds >= _MOST_REWINDS:
            return
        self._rewinds += 1
        self._images = iter_images(self.path)
        yield from self._images


def _read_options(settings: Mapping[str, Any]) -> ReadOptions:
    """Return how the run read its images; as photographs if run.json does not say it."""
    with suppress(GradCamError, TypeError, ValueError):
        return ReadOptions(
            settings.get("channels", 3), tuple(settings.get("bands") or ()), Window(**(settings.get("window") or {}))
        )
    return ReadOptions()
