"""One image, not yet read: its name, and where its bytes are."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.decode import MAX_PIXELS, decode
from gradcam_tf1.images.safe_open import open_regular


@dataclass(frozen=True)
class ImageSource:
    """One image of a run.

    source: what is shown and written to the manifest: a path, or an archive's path, "!/" and what is inside.
    relative: POSIX path, unique within a run and the same in each run, the base of the names of what is written.
    content: where its bytes are, one of content.py's.
    """

    source: str
    relative: str
    content: Any

    @property
    def path(self) -> str:
        """The same as source; of an image in a file of its own, where that is."""
        return self.source

    def read(self, max_pixels: int = MAX_PIXELS, wanted: ReadOptions = AS_PHOTOGRAPH) -> np.ndarray:
        """The image as uint8 [H, W, 3], RGB, upright, or what else is wanted of it, see `decode`.

        May be called in any thread, and again.

        Raises: ImageFileError with the reason, whatever is wrong with it.
        """
        try:
            with self.content.open() as file:
                return decode(file, self.source, max_pixels, wanted)
        except OSError as error:  # the disk, in the middle of an archive
            raise ImageFileError(f"{self.source!r} cannot be read: {error.strerror or error}") from error

    @property
    def held(self) -> int:
        """Bytes of memory that it keeps while it waits to be read."""
        return getattr(self.content, "held", 0)

    def emptied(self) -> ImageSource:
        """The same without the bytes that it keeps: it was read, and waits for its turn."""
        return replace(self, content=MissingImage(f"{self.source!r} was read already"))

    def below(self, folder: str) -> ImageSource:
        """The same under a folder of its source's name."""
        return replace(self, relative=f"{folder}/{self.relative}")


def image_file(path: str, relative: str) -> ImageSource:
    """An image in a file of its own."""
    return ImageSource(path, relative, WholeFile(path))


def lost_image(source: str, relative: str, reason: str) -> ImageSource:
    """One that cannot be read, and is listed all the same."""
    return ImageSource(source, relative, MissingImage(f"{source!r} {reason}"))


@dataclass(frozen=True)
class WholeFile:
    """A file of its own."""

    path: str

    def open(self) -> BinaryIO:
        """Raises: ImageFileError where it is no regular file that may be read."""
        return open_regular(self.path)


@dataclass(frozen=True)
class FileRange:
    """So many bytes of a file, from an offset on."""

    path: str
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """Raises: ImageFileError where the file has become shorter."""
        with open_regular(self.path) as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise ImageFileError(f"{self.path!r} ends {self.size - len(data)} bytes too early")
        return io.BytesIO(data)


@dataclass(frozen=True)
class InMemory:
    """Bytes that can be had only once, of a packed archive."""

    data: bytes = field(repr=False)

    @property
    def held(self) -> int:
        """Bytes of memory."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """The bytes as a stream."""
        return io.BytesIO(self.data)


@dataclass(frozen=True)
class MissingImage:
    """An image that is not to be had, and why."""

    reason: str

    def open(self) -> BinaryIO:
        """Raises: ImageFileError, always."""
        raise ImageFileError(self.reason)
