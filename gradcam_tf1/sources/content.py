"""Where the bytes of a picture are: a file, a part of one, in memory, or nowhere. Each opens as a binary stream."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import BinaryIO

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.files import open_regular


@dataclass(frozen=True)
class Whole:
    """A file of its own."""

    path: str

    def open(self) -> BinaryIO:
        """Raises: ImageFileError where it is no regular file that may be read."""
        return open_regular(self.path)


@dataclass(frozen=True)
class Part:
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
class Held:
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
class Missing:
    """A picture that is not to be had, and why."""

    reason: str

    def open(self) -> BinaryIO:
        """Raises: ImageFileError, always."""
        raise ImageFileError(self.reason)
