"""List the images in tar archives, packed or not, in the order of the archive.

Python's tarfile keeps every member in memory, reads headers of any size, and on Python 3.7 can be made to run forever
(CVE-2025-8194). This reader supports only as much of the format as it takes to find regular files.
Source: https://www.gnu.org/software/tar/manual/html_node/Standard.html (ustar, GNU) and POSIX.1-2001 (pax).
"""

from __future__ import annotations

import os
import re
from typing import Dict, Iterator, NamedTuple, Optional, Tuple

from gradcam_tf1.images.file_names import Relatives, is_hidden, is_image_name
from gradcam_tf1.images.image_source import ImageContent, ImageSource, lost_image
from gradcam_tf1.images.packed_files import PACKED_ERRORS, Stream
from gradcam_tf1.images.safe_open import MAX_BYTES

_BLOCK = 512
_MOST_HEADER = 1 << 20  # of a long name or a pax header
_OTHERS = {
    b"1": "is a hard link in the archive; pack the files themselves",
    b"2": "is a link in the archive; pack the files themselves",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a named pipe",
    b"S": "is stored as a sparse file; pack it as a plain one",
}


class _TarHeader(NamedTuple):
    name: str
    kind: bytes
    size: int


def is_tar(head: bytes) -> bool:
    """Recognise a tar archive by a header with the right checksum."""
    return len(head) >= _BLOCK and _parse(head[:_BLOCK]) is not None


def _parse(block: bytes) -> Optional[_TarHeader]:
    """Return the header, None where the block is not one."""
    checksum = _number(block[148:156])
    plain = block[:148] + b" " * 8 + block[156:]
    signed = sum(plain) - 256 * sum(byte > 127 for byte in plain)  # some old programs summed up signed bytes
    size = _number(block[124:136])
    if checksum not in (sum(plain), signed) or size is None:
        return None
    name = _text(block[:100])
    if block[257:263] == b"ustar\0":
        prefix = _text(block[345:500])
        name = f"{prefix}/{name}" if prefix else name
    kind = block[156:157].replace(b"\0", b"0").replace(b"7", b"0")
    return _TarHeader(name, kind, size)


def _number(field: bytes) -> Optional[int]:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits, 8) if re.fullmatch(rb"[0-7]+", digits) else 0 if not digits else None


def _text(field: bytes) -> str:
    return os.fsdecode(field.split(b"\0", 1)[0])


def tar_images(path: str) -> Iterator[ImageSource]:
    """Yield the images of an archive.

    A member that is not a regular file, and a damaged part of the archive, become images that cannot be read; after a
    damaged part the next header is searched.

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
        If the archive cannot be opened.
    """
    relatives = Relatives()
    with Stream(path) as stream:
        try:
            for header, content in _members(stream):
                if header is None:
                    yield lost_image(path, relatives(os.path.basename(path)), f"is damaged near byte {stream.place:,}")
                elif is_image_name(header.name) and header.kind != b"5" and not is_hidden(header.name):
                    yield _image(path, header, content, relatives)
        except PACKED_ERRORS as error:
            yield lost_image(
                path, relatives(os.path.basename(path)), f"cannot be unpacked beyond byte {stream.place:,}: {error}"
            )


def _image(path: str, header: _TarHeader, content: Optional[ImageContent], relatives: Relatives) -> ImageSource:
    source, relative = f"{path}!/{header.name}", relatives(header.name)
    if header.kind != b"0":
        return lost_image(source, relative, _OTHERS.get(header.kind, "is not a file"))
    if header.size > MAX_BYTES:
        return lost_image(source, relative, f"has {header.size:,} bytes, more than the {MAX_BYTES:,} that are read")
    if content is None:
        return lost_image(source, relative, "is cut off: the archive ends in the middle of it")
    return ImageSource(source, relative, content) if header.size else lost_image(source, relative, "is empty (0 bytes)")


def _members(stream: Stream) -> Iterator[Tuple[Optional[_TarHeader], Optional[ImageContent]]]:
    """Yield (header, content) of each member, and (None, None) once for a part that is not a header."""
    further: Dict[str, str] = {}
    lost = False
    while True:
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK or not any(block):
            if block and any(block) and not lost:
                yield None, None
            return
        header = _parse(block)
        if header is None:
            if not lost:
                yield None, None
            lost, further = True, {}
            continue
        lost = False
        if header.kind in (b"L", b"K", b"x", b"g"):
            further.update(_extension(stream, header))
            continue
        header, further = _extended(header, further), {}
        wanted = header.kind == b"0" and is_image_name(header.name) and header.size <= MAX_BYTES
        size = header.size if header.kind in (b"0", b"S") else 0
        content = stream.take(size) if wanted else None
        whole = stream.skip(size) if not wanted else content is not None
        yield header, content
        if not whole and not wanted:
            yield None, None
        if not whole or not stream.skip(-size % _BLOCK):
            return


def _extension(stream: Stream, header: _TarHeader) -> Dict[str, str]:
    """Return the fields that this header sets for the next one; raise ValueError where it is too long."""
    if header.size > _MOST_HEADER:
        raise ValueError(f"a header of {header.size:,} bytes")
    data = stream.read(header.size)
    stream.skip(-header.size % _BLOCK)
    if header.kind == b"L":
        return {"path": _text(data)}
    return _pax(data) if header.kind == b"x" else {}


def _pax(data: bytes) -> Dict[str, str]:
    """Return the fields of the lines "length keyword=value"."""
    fields: Dict[str, str] = {}
    start = 0
    while start < len(data):
        match = re.match(rb"(\d{1,9}) ([^=]+)=", data[start : start + 300])
        length = int(match.group(1)) if match else 0
        if match is None or not match.end() < length <= len(data) - start:
            break
        fields[os.fsdecode(match.group(2))] = os.fsdecode(data[start + match.end() : start + length - 1])
        start += length
    return fields


def _extended(header: _TarHeader, further: Dict[str, str]) -> _TarHeader:
    size = further.get("size", "")
    name, kind = further.get("path", header.name), header.kind
    if any(key.startswith("GNU.sparse") for key in further):
        name, kind = further.get("GNU.sparse.name", name), b"S"
    if kind == b"0" and name.endswith("/"):  # programs older than the standard mark folders like this
        kind = b"5"
    return _TarHeader(name, kind, int(size) if size.isdecimal() else header.size)
