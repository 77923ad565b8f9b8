"""Read the tags of one page of a TIFF file, with a limit on every length that the file states.

Sources: TIFF 6.0, https://developer.adobe.com/content/dam/udp/en/open/standards/tiff/TIFF6.pdf; BigTIFF,
https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from gradcam_tf1.errors import ImageFileError

MOST_VALUES = 1 << 18  # of one tag: strips, tiles, colours
_MOST_TOGETHER = 1 << 20  # of all tags that are read: offsets and sizes of strips, colours
_MOST_TAGS = 65_535
_MOST_ENTRIES = 1 << 19  # tags of all pages together that are read for the sizes
_MOST_PAGES = 65_535
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_BIG, _SMALL = ("Q", "HHQQ", "Q"), ("H", "HHII", "I")
_NUMBERS = {
    "width": 256,
    "height": 257,
    "bits": 258,
    "compression": 259,
    "photometric": 262,
    "fill_order": 266,
    "strip_offsets": 273,
    "orientation": 274,
    "samples": 277,
    "rows": 278,
    "strip_counts": 279,
    "low": 280,
    "high": 281,
    "planar": 284,
    "predictor": 317,
    "colours": 320,
    "tile_width": 322,
    "tile_height": 323,
    "tile_offsets": 324,
    "tile_counts": 325,
    "extra": 338,
    "format": 339,
    "sample_low": 340,
    "sample_high": 341,
}
_NAMES = {number: name for name, number in _NUMBERS.items()}


@dataclass(frozen=True)
class Page:
    """The tags of one page.

    Attributes
    ----------
    order : {"<", ">"}
        Byte order.
    tags : dict
        Name -> numbers, of the known tags that the page has.
    big : bool
        Whether the file is a BigTIFF.
    """

    order: str
    tags: Dict[str, Tuple[float, ...]]
    big: bool = False

    def one(self, name: str, default: int) -> int:
        """Return the first number of a tag, `default` where the page does not have it."""
        return int((self.tags.get(name) or (default,))[0])

    def all(self, name: str) -> Tuple[float, ...]:
        """Return all numbers of a tag, () where the page does not have it."""
        return self.tags.get(name, ())


def is_tiff(head: bytes) -> bool:
    """Recognise TIFF and BigTIFF, in both byte orders, by the first bytes."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_page(file: BinaryIO, name: str, index: Optional[int] = None) -> Page:
    """Read the tags of a page.

    Parameters
    ----------
    file : binary file
        The TIFF file, at any position.
    name : str
        Name of the image, for messages.
    index : int, optional
        Number of the page, from 0, negative from the end; by default the first page.

    Returns
    -------
    Page

    Raises
    ------
    ImageFileError
        If there is no such page, or too many numbers, or a tag twice.
    struct.error
        If the file is damaged.
    """
    offset, order, sizes = _read_header(file)
    if index is not None:
        offset = _page_offset(file, name, index, offset, order, sizes)
    entries = _known_entries(_entries(file, offset, order, sizes), name)
    tags = {tag: _values(file, order + f"{count}" + code, value) for tag, (code, count, value) in entries.items()}
    return Page(order, tags, sizes is _BIG)


def _known_entries(entries: Iterator[Tuple[int, int, int, bytes]], name: str) -> Dict[str, Tuple[str, int, bytes]]:
    """Return name -> (code, count, value) of the known tags; raise ImageFileError where there are too many numbers."""
    known: Dict[str, Tuple[str, int, bytes]] = {}
    for number, kind, count, value in entries:
        if number not in _NAMES or kind not in _CODES or not count:
            continue
        if _NAMES[number] in known:
            raise ImageFileError(f"{name!r} is a damaged TIFF file: it has its tag {number} twice; save it again")
        known[_NAMES[number]] = (_CODES[kind], min(count, MOST_VALUES), value)
    values = sum(count for _, count, _ in known.values())
    if values > _MOST_TOGETHER:
        raise ImageFileError(f"{name!r} is a TIFF file whose tags hold {values:,} numbers, too many to be read")
    return known


def count_pages(file: BinaryIO) -> int:
    """Count the pages of a file; raise struct.error on damaged files."""
    return len(_page_offsets(file, *_read_header(file)))


def page_sizes(file: BinaryIO, name: str) -> Iterator[Tuple[int, int]]:
    """Yield width and height of each page; raise ImageFileError for too many tags, struct.error on damaged files."""
    first, order, sizes = _read_header(file)
    entries = 0
    for offset in _page_offsets(file, first, order, sizes):
        sides = {256: 0, 257: 0}
        for number, kind, count, value in _entries(file, offset, order, sizes):
            entries += 1
            if number in sides and kind in _CODES and count:
                sides[number] = int(_values(file, order + "1" + _CODES[kind], value)[0])
        if entries > _MOST_ENTRIES:
            raise ImageFileError(f"{name!r} is a TIFF file of more than {_MOST_ENTRIES:,} tags, too many to be read")
        yield sides[256], sides[257]


def _read_header(file: BinaryIO) -> Tuple[int, str, Tuple[str, str, str]]:
    """Return the offset of the first page, the byte order, and the struct codes of a count, an entry and an offset."""
    file.seek(0)
    head = file.read(16)
    order, big = ("<" if head[:2] == b"II" else ">"), head[2:4] in (b"+\0", b"\0+")
    sizes = _BIG if big else _SMALL
    return struct.unpack_from(order + sizes[2], head, 8 if big else 4)[0], order, sizes


def _page_offsets(file: BinaryIO, first: int, order: str, sizes: Tuple[str, str, str]) -> List[int]:
    offsets: List[int] = []
    offset, seen = first, set()
    while offset and offset not in seen and len(offsets) < _MOST_PAGES:
        seen.add(offset)
        offsets.append(offset)
        file.seek(offset)
        count = _unpack(file, order + sizes[0])
        file.seek(count * struct.calcsize(order + sizes[1]), 1)
        offset = _unpack(file, order + sizes[2])
    return offsets


def _page_offset(file: BinaryIO, name: str, index: int, first: int, order: str, sizes: Tuple[str, str, str]) -> int:
    offsets = _page_offsets(file, first, order, sizes)
    if not -len(offsets) <= index < len(offsets):
        raise ImageFileError(f"{name!r} has {len(offsets)} pages, counted from 0; there is no page {index}")
    return offsets[index]


def _unpack(file: BinaryIO, code: str) -> int:
    return int(struct.unpack(code, file.read(struct.calcsize(code)))[0])


def _entries(
    file: BinaryIO, offset: int, order: str, sizes: Tuple[str, str, str]
) -> Iterator[Tuple[int, int, int, bytes]]:
    """Yield number, kind, count, and the bytes with the values or their offset, of each tag."""
    file.seek(offset)
    entry = struct.Struct(order + sizes[1])
    count = min(_unpack(file, order + sizes[0]), _MOST_TAGS)
    data = file.read(count * entry.size)
    for start in range(0, len(data) - entry.size + 1, entry.size):
        number, kind, values = entry.unpack_from(data, start)[:3]
        yield number, kind, values, data[start + entry.size - struct.calcsize(order + sizes[2]) : start + entry.size]


def _values(file: BinaryIO, code: str, value: bytes) -> Tuple[float, ...]:
    size = struct.calcsize(code)
    if size > len(value):
        file.seek(struct.unpack(code[0] + ("Q" if len(value) == 8 else "I"), value)[0])
        value = file.read(size)
    return struct.unpack(code, value[:size])
