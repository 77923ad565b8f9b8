"""The tags of one page of a TIFF file, read without believing how long anything is.

Sources: TIFF 6.0, https://developer.adobe.com/content/dam/udp/en/open/standards/tiff/TIFF6.pdf; BigTIFF,
https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Dict, Iterator, List, Optional, Tuple

from gradcam_tf1.errors import ImageFileError

MOST_VALUES = 1 << 18  # of one tag: strips, tiles, colours
_MOST_TOGETHER = 1 << 20  # of all tags that are read: where strips are and how long, colours
_MOST_TAGS = 65_535
_MOST_ENTRIES = 1 << 19  # of all pages together that are looked through for their sizes
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
    """order: "<" or ">". tags: name -> numbers, of those tags that the page has. big: whether it is of a BigTIFF."""

    order: str
    tags: Dict[str, Tuple[float, ...]]
    big: bool = False

    def one(self, name: str, default: int) -> int:
        """The first number of a tag."""
        return int((self.tags.get(name) or (default,))[0])

    def all(self, name: str) -> Tuple[float, ...]:
        """All numbers of a tag, none where the page does not have it."""
        return self.tags.get(name, ())


def is_tiff(head: bytes) -> bool:
    """By its first letters, in both byte orders, BigTIFF too."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_page(file: BinaryIO, name: str, index: Optional[int] = None) -> Page:
    """The tags of a page, the first one where none is named. Raises: ImageFileError; struct.error on damaged files."""
    place, order, sizes = _beginning(file)
    if index is not None:
        place = _place(file, name, index, place, order, sizes)
    entries = _wanted(_entries(file, place, order, sizes), name)
    tags = {each: _values(file, order + f"{count}" + code, value) for each, (code, count, value) in entries.items()}
    return Page(order, tags, sizes is _BIG)


def _wanted(entries: Iterator[Tuple[int, int, int, bytes]], name: str) -> Dict[str, Tuple[str, int, bytes]]:
    """Name -> code, how many, and where, of the tags that are read. Raises: ImageFileError for too many."""
    found: Dict[str, Tuple[str, int, bytes]] = {}
    for number, kind, count, value in entries:
        if number not in _NAMES or kind not in _CODES or not count:
            continue
        if _NAMES[number] in found:
            raise ImageFileError(f"{name!r} is a damaged TIFF file: it has its tag {number} twice; save it again")
        found[_NAMES[number]] = (_CODES[kind], min(count, MOST_VALUES), value)
    values = sum(count for _, count, _ in found.values())
    if values > _MOST_TOGETHER:
        raise ImageFileError(f"{name!r} is a TIFF file whose tags hold {values:,} numbers, too many to be read")
    return found


def count_pages(file: BinaryIO) -> int:
    """How many pages a file has. Raises: struct.error on damaged files."""
    return len(_places(file, *_beginning(file)))


def page_sizes(file: BinaryIO, name: str) -> Iterator[Tuple[int, int]]:
    """Width and height of each page. Raises: ImageFileError for very many tags; struct.error on damaged files."""
    first, order, sizes = _beginning(file)
    entries = 0
    for place in _places(file, first, order, sizes):
        sides = {256: 0, 257: 0}
        for number, kind, count, value in _entries(file, place, order, sizes):
            entries += 1
            if number in sides and kind in _CODES and count:
                sides[number] = int(_values(file, order + "1" + _CODES[kind], value)[0])
        if entries > _MOST_ENTRIES:
            raise ImageFileError(f"{name!r} is a TIFF file of more than {_MOST_ENTRIES:,} tags, too many to be read")
        yield sides[256], sides[257]


def _beginning(file: BinaryIO) -> Tuple[int, str, Tuple[str, str, str]]:
    """Where the first page is, the byte order, and the codes of a count, an entry and a place."""
    file.seek(0)
    head = file.read(16)
    order, big = ("<" if head[:2] == b"II" else ">"), head[2:4] in (b"+\0", b"\0+")
    sizes = _BIG if big else _SMALL
    return struct.unpack_from(order + sizes[2], head, 8 if big else 4)[0], order, sizes


def _places(file: BinaryIO, first: int, order: str, sizes: Tuple[str, str, str]) -> List[int]:
    places: List[int] = []
    place, seen = first, set()
    while place and place not in seen and len(places) < _MOST_PAGES:
        seen.add(place)
        places.append(place)
        file.seek(place)
        count = _unpack(file, order + sizes[0])
        file.seek(count * struct.calcsize(order + sizes[1]), 1)
        place = _unpack(file, order + sizes[2])
    return places


def _place(file: BinaryIO, name: str, index: int, first: int, order: str, sizes: Tuple[str, str, str]) -> int:
    places = _places(file, first, order, sizes)
    if not -len(places) <= index < len(places):
        raise ImageFileError(f"{name!r} has {len(places)} pages, counted from 0; there is no page {index}")
    return places[index]


def _unpack(file: BinaryIO, code: str) -> int:
    return struct.unpack(code, file.read(struct.calcsize(code)))[0]


def _entries(
    file: BinaryIO, place: int, order: str, sizes: Tuple[str, str, str]
) -> Iterator[Tuple[int, int, int, bytes]]:
    """Number, kind, how many, and the bytes that are the values or say where these are."""
    file.seek(place)
    entry = struct.Struct(order + sizes[1])
    count = min(_unpack(file, order + sizes[0]), _MOST_TAGS)
    data = file.read(count * entry.size)
    for at in range(0, len(data) - entry.size + 1, entry.size):
        number, kind, many = entry.unpack_from(data, at)[:3]
        yield number, kind, many, data[at + entry.size - struct.calcsize(order + sizes[2]) : at + entry.size]


def _values(file: BinaryIO, code: str, value: bytes) -> Tuple[float, ...]:
    size = struct.calcsize(code)
    if size > len(value):
        file.seek(struct.unpack(code[0] + ("Q" if len(value) == 8 else "I"), value)[0])
        value = file.read(size)
    return struct.unpack(code, value[:size])
