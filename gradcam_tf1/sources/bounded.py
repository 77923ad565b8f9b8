"""A picture file that is read only so often and so far: some of Pillow's readers go through a file byte by byte, or
read the same bytes again and again, and keep them.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from gradcam_tf1.errors import ImageFileError

HEAD_READS, READS = 50_000, 5_000_000  # a header takes some hundred; runs of a BMP file take two each
MOST_HEAD = 1 << 24  # of EXIF, colour profiles and comments; Pillow puts the pieces together one by one


class Bounded:
    """As the file, whose place it shares. `limit` says what is left; a reader that asks for more ends there."""

    def __init__(self, file: BinaryIO, name: str, reads: int, size: int) -> None:
        self._file = file
        self._name = name
        self.limit(reads, size)

    def limit(self, reads: int, size: int) -> None:
        """From now on so many reads, of so many bytes together."""
        self._reads, self._left = reads, size

    def read(self, size: int = -1) -> bytes:
        """Raises: ImageFileError where that is more than there was to be read."""
        data = self._file.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._reads -= 1
        self._left -= len(data)
        if self._reads < 0 or self._left < 0:
            raise ImageFileError(f"{self._name!r} is much longer than its picture, and not read to its end")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
