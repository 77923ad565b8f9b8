"""List the images in zip archives, in the order of the archive's directory, which is read entry by entry.

Python's zipfile keeps half a kilobyte for each member in memory, and unpacks members of any size.
Source: PKWARE's APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import bz2
import io
import os
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Iterator, NamedTuple, Optional, Tuple

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.file_names import Relatives, is_hidden, is_image_name
from gradcam_tf1.images.image_source import ImageContent, ImageSource, lost_image
from gradcam_tf1.images.safe_open import MAX_BYTES, open_regular

_END, _END64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_ENTRY, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_MOST_COMMENT = 65535
_FULL = 0xFFFFFFFF  # means that the number is in the ZIP64 field
_STORED, _DEFLATED, _BZIP2 = 0, 8, 12


class _Member(NamedTuple):
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int


def is_zip(head: bytes) -> bool:
    """Recognise a zip archive by the first bytes of its first member, or of an empty archive."""
    return head[:4] in (b"PK\3\4", b"PK\5\6")


def zip_images(path: str) -> Iterator[ImageSource]:
    """Yield the images of an archive; members that cannot be read become images whose `read` says why.

    Parameters
    ----------
    path : str
        The archive.

    Yields
    ------
    ImageSource

    Raises
    ------
    ImageFileError
        If the archive cannot be opened or has no directory.
    """
    relatives = Relatives()
    with open_regular(path, "an archive") as file:
        count, start, shift = _directory(file, path)
        file.seek(start)
        for number in range(count):
            member = _next_member(file)
            if member is None:
                yield lost_image(
                    path, relatives(os.path.basename(path)), f"has a directory that is damaged at entry {number:,}"
                )
                return
            if is_image_name(member.name) and not is_hidden(member.name):
                yield _image(path, member, shift, relatives)


def _image(path: str, member: _Member, shift: int, relatives: Relatives) -> ImageSource:
    source, relative = f"{path}!/{member.name}", relatives(member.name, "/\\")
    reason = _reason_against(member)
    if reason:
        return lost_image(source, relative, reason)
    offset = member.offset + shift
    return ImageSource(
        source, relative, ZipMember(path, source, offset, member.method, member.packed, member.size, member.crc)
    )


def _reason_against(member: _Member) -> str:
    if member.flags & 0x41:
        return "is encrypted; unpack the archive with its password first"
    if stat.S_ISLNK(member.mode):
        return "is a link in the archive; pack the files themselves"
    if member.method not in (_STORED, _DEFLATED, _BZIP2):
        return f"is packed with method {member.method}; possible: stored, deflate, bzip2"
    if member.size > MAX_BYTES:
        return f"has {member.size:,} bytes, more than the {MAX_BYTES:,} that are read"
    return "" if member.size else "is empty (0 bytes)"


def _directory(file: BinaryIO, path: str) -> Tuple[int, int, int]:
    """Return the number of entries, where they begin, and the shift of all offsets (where data precede the archive)."""
    size = file.seek(0, io.SEEK_END)
    start = max(0, size - _MOST_COMMENT - _END.size)
    file.seek(start)
    tail = file.read()
    position = tail.rfind(b"PK\5\6")
    if position < 0 or len(tail) - position < _END.size:
        raise ImageFileError(f"{path!r} is not a whole zip archive: its directory is missing")
    _, _, _, _, count, length, offset, _ = _END.unpack_from(tail, position)
    end = start + position
    count, length, offset, end = _zip64(file, end) or (count, length, offset, end)
    first = end - length
    if first < 0 or first < offset:
        raise ImageFileError(f"{path!r} is not a whole zip archive: its directory lies outside")
    return count, first, first - offset


def _zip64(file: BinaryIO, end: int) -> Optional[Tuple[int, int, int, int]]:
    file.seek(max(0, end - _LOCATOR.size))
    locator = file.read(_LOCATOR.size)
    if locator[:4] != b"PK\6\7":
        return None
    start = end - _LOCATOR.size - _END64.size  # unless it has extensions, which no known program writes
    file.seek(max(0, start))
    record = file.read(_END64.size)
    if record[:4] != b"PK\6\6" or len(record) < _END64.size:
        return None
    fields = _END64.unpack(record)
    return fields[7], fields[8], fields[9], start


def _next_member(file: BinaryIO) -> Optional[_Member]:
    """Return the next entry of the directory, None where there is none."""
    fixed = file.read(_ENTRY.size)
    if len(fixed) < _ENTRY.size or fixed[:4] != b"PK\1\2":
        return None
    (
        _,
        made,
        _,
        flags,
        method,
        _,
        _,
        crc,
        packed,
        size,
        name_length,
        extra_length,
        comment_length,
        *_,
        mode,
        offset,
    ) = _ENTRY.unpack(fixed)
    name, extra = file.read(name_length), file.read(extra_length)
    file.seek(comment_length, io.SEEK_CUR)
    size, packed, offset = _wide(extra, size, packed, offset)
    text = os.fsdecode(name) if flags & 0x800 else name.decode("cp437")
    return _Member(text, flags, method, crc, packed, size, mode >> 16 if made >> 8 == 3 else 0, offset)


def _wide(extra: bytes, *numbers: int) -> Tuple[int, ...]:
    """Replace the numbers that do not fit into 32 bits by those of the ZIP64 field."""
    start = 0
    while start + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, start)
        if kind == 1:
            data = extra[start + 4 : start + 4 + length]
            wide = iter(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))
            return tuple(next(wide, number) if number == _FULL else number for number in numbers)
        start += 4 + length
    return numbers


@dataclass(frozen=True)
class ZipMember(ImageContent):
    """A member of a zip archive, located by its offset; `source` is for messages only."""

    path: str
    source: str
    offset: int
    method: int
    packed: int
    size: int
    crc: int

    def open(self) -> BinaryIO:
        """Unpack the member; raise ImageFileError where it differs from what the directory says."""
        with open_regular(self.path, "an archive") as file:
            file.seek(min(self.offset, file.seek(0, io.SEEK_END)))
            local = file.read(_LOCAL.size)
            if len(local) < _LOCAL.size or local[:4] != b"PK\3\4":
                raise ImageFileError(f"{self.source!r} is not where the archive's directory says")
            file.seek(sum(_LOCAL.unpack(local)[-2:]), io.SEEK_CUR)
            data = self._unpack(file)
        if len(data) != self.size or zlib.crc32(data) != self.crc:
            raise ImageFileError(f"{self.source!r} is damaged: its checksum or size is not the archive's")
        return io.BytesIO(data)

    def _unpack(self, file: BinaryIO) -> bytes:
        """Unpack at most one byte more than the member's size, even where the packed bytes hold more."""
        packed = file.read(min(self.packed, MAX_BYTES))
        try:
            if self.method == _BZIP2:
                return bz2.BZ2Decompressor().decompress(packed, self.size + 1)
            return zlib.decompressobj(-15).decompress(packed, self.size + 1) if self.method == _DEFLATED else packed
        except (zlib.error, OSError) as error:
            raise ImageFileError(f"{self.source!r} is damaged: {error}") from error
