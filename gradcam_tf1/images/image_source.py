"""One image that is not yet read: its name, and where its bytes are."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import BinaryIO

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.decode import MAX_PIXELS, decode
from gradcam_tf1.images.safe_open import open_regular


class ImageContent(ABC):
    """Where the bytes of an image are."""

    @property
    def held(self) -> int:
        """Number of bytes kept in memory until the image is read."""
        return 0

    @abstractmethod
    def open(self) -> BinaryIO:
        """Open the encoded image for reading; raise ImageFileError where it cannot be read."""


@dataclass(frozen=True)
class ImageSource:
    """One image of a run, not yet read.

    Attributes
    ----------
    source : str
        A path, or the path of an archive, "!/" and the name inside; shown in messages and written to the manifest.
    relative : str
        POSIX path, unique within a run and the same in each run; the names of written files are made from it.
    content : ImageContent
        Where its bytes are.
    """

    source: str
    relative: str
    content: ImageContent

    @property
    def path(self) -> str:
        """Same as `source`: the path of the image, unless it is in an archive."""
        return self.source

    def read(self, max_pixels: int = MAX_PIXELS, wanted: ReadOptions = AS_PHOTOGRAPH) -> np.ndarray:
        """Read the image; it may be read in any thread, and several times.

        Parameters
        ----------
        max_pixels : int
            Maximum number of pixels, height times width.
        wanted : ReadOptions
            Channels, bands and window.

        Returns
        -------
        np.ndarray
            uint8 [H, W, 3], RGB, upright, or other values and channels; see `decode`.

        Raises
        ------
        ImageFileError
            If the image cannot be read for any reason; says why.
        """
        try:
            with self.content.open() as file:
                return decode(file, self.source, max_pixels, wanted)
        except OSError as error:  # of the disk, within an archive
            raise ImageFileError(f"{self.source!r} cannot be read: {error.strerror or error}") from error

    @property
    def held(self) -> int:
        """Number of bytes kept in memory until the image is read."""
        return self.content.held

    def emptied(self) -> ImageSource:
        """Return the same image without the bytes it keeps in memory, for after it was read."""
        return replace(self, content=MissingImage(f"{self.source!r} was read already"))

    def below(self, folder: str) -> ImageSource:
        """Return the same image with its relative path below a folder."""
        return replace(self, relative=f"{folder}/{self.relative}")


def image_file(path: str, relative: str) -> ImageSource:
    """Return an image that is a file of its own."""
    return ImageSource(path, relative, WholeFile(path))


def lost_image(source: str, relative: str, reason: str) -> ImageSource:
    """Return an image that cannot be read but is listed; reading it raises the reason."""
    return ImageSource(source, relative, MissingImage(f"{source!r} {reason}"))


@dataclass(frozen=True)
class WholeFile(ImageContent):
    """A file of its own."""

    path: str

    def open(self) -> BinaryIO:
        """Open the file; raise ImageFileError where it is not a readable regular file."""
        return open_regular(self.path)


@dataclass(frozen=True)
class FileRange(ImageContent):
    """A range of bytes in a file."""

    path: str
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """Read the bytes; raise ImageFileError where the file has become shorter."""
        with open_regular(self.path) as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise ImageFileError(f"{self.path!r} ends {self.size - len(data)} bytes too early")
        return io.BytesIO(data)


@dataclass(frozen=True)
class InMemory(ImageContent):
    """Bytes in memory, of a packed archive, which is read only once."""

    data: bytes = field(repr=False)

    @property
    def held(self) -> int:
        """Number of bytes in memory."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """Return the bytes as a stream."""
        return io.BytesIO(self.data)


@dataclass(frozen=True)
class MissingImage(ImageContent):
    """An image that cannot be read, and why."""

    reason: str

    def open(self) -> BinaryIO:
        """Raise ImageFileError with the reason."""
        raise ImageFileError(self.reason)
