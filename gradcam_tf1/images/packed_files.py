"""Read files that may be packed with gzip, bzip2 or xz from start to end, in little memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zlib
from typing import Any, BinaryIO, Callable, Iterator, NamedTuple, Optional, Union

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_source import FileRange, ImageContent, InMemory
from gradcam_tf1.images.safe_open import open_regular

_BLOCK = 1 << 16
_XZ_MEMORY = 256 << 20  # xz -9 needs 65 MiB to unpack; a file can demand 4 GiB

# errors of the readers on damaged files
PACKED_ERRORS = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


class _Xz(io.RawIOBase):
    """Like lzma.LZMAFile, with a limit to the memory that a file can demand."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._unpack = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = b""
        while not data:
            if self._unpack.eof:
                rest = (self._unpack.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
                if not rest:
                    return 0
                self._unpack = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            else:
                rest = self._file.read(_BLOCK) if self._unpack.needs_input else b""
                if self._unpack.needs_input and not rest:
                    raise EOFError("the packed data end too early")
            data = self._unpack.decompress(rest, len(buffer))
        buffer[: len(data)] = data
        return len(data)


class Packing(NamedTuple):
    """A compression.

    Attributes
    ----------
    magic : bytes
        The first bytes of such files.
    open : callable
        Packed file -> unpacked file.
    """

    magic: bytes
    open: Callable[[BinaryIO], Union[io.BufferedIOBase, BinaryIO]]


PACKINGS = (
    Packing(b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    Packing(b"BZh", bz2.BZ2File),
    Packing(b"\xfd7zXZ\0", lambda file: io.BufferedReader(_Xz(file), _BLOCK)),
)


def head_of(path: str, size: int = 512) -> bytes:
    """Return the first bytes of a file, unpacked; b"" where it cannot be read."""
    try:
        with Stream(path) as stream:
            return stream.read(size)
    except (ImageFileError, *PACKED_ERRORS):
        return b""


class Stream:
    """A file that is read once, from start to end, and unpacked while it is read.

    The methods raise PACKED_ERRORS where the packed data are damaged.

    Parameters
    ----------
    path : str
        The file.

    Attributes
    ----------
    place : int
        Position in the unpacked data.
    size : int, optional
        Size of the file; None where it is packed.

    Raises
    ------
    ImageFileError
        If the file cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.place = 0
        self._file = open_regular(path, "an archive")
        start = self._file.read(6)
        self._file.seek(0)
        packing: Optional[Packing] = next((row for row in PACKINGS if start.startswith(row.magic)), None)
        self._data = packing.open(self._file) if packing else self._file
        self.size = None if packing else os.fstat(self._file.fileno()).st_size
        self._returned = b""

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer at the end."""
        return b"".join(self._blocks(size))

    def put_back(self, data: bytes) -> None:
        """Put back the bytes that were read last, so that they are read again."""
        self.place -= len(data)
        if self.size is None:
            self._returned = data + self._returned
        else:
            self._file.seek(self.place)

    def _blocks(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if self._returned:
                part, self._returned = self._returned[:size], self._returned[size:]
            else:
                part = self._data.read(min(size, _BLOCK))
            if not part:
                return
            size -= len(part)
            self.place += len(part)
            yield part

    def skip(self, size: int) -> bool:
        """Skip `size` bytes; return whether there were as many."""
        if self.size is not None:
            self.place += size
            self._file.seek(min(self.place, self.size))
            return self.place <= self.size
        return sum(map(len, self._blocks(size))) == size

    def take(self, size: int) -> Optional[ImageContent]:
        """Return the next `size` bytes as the content of an image, None where there are fewer.

        A file that is not packed is not read here: the content is a range of it.
        """
        if self.size is None:
            data = self.read(size)
            return InMemory(data) if len(data) == size else None
        offset = self.place
        return FileRange(self.path, offset, size) if self.skip(size) else None
