"""Read the PNM family: PBM, PGM and PPM as text or bytes (P1 to P6), PAM (P7) and PFM (floats), with any maximum.

Sources: https://netpbm.sourceforge.net/doc/pnm.html, pam.html there; https://www.pauldebevec.com/Research/HDR/PFM/
"""

from __future__ import annotations

import re
from typing import BinaryIO, Dict, Iterator, List, NamedTuple, Optional

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.images.safe_open import check_bytes, check_size
from gradcam_tf1.images.samples import Samples, as_wanted

_BLOCK = 1 << 20
_MOST_LINE = 1024
_MOST_HEADER_LINES = 1000
_DEPTHS = {b"1": 1, b"2": 1, b"3": 3, b"4": 1, b"5": 1, b"6": 3, b"f": 1, b"F": 3}
_MEANINGS = {1: "gray", 3: "rgb"}


class _PnmHeader(NamedTuple):
    """The header of a PNM file.

    Attributes
    ----------
    kind : bytes
        The second byte of the file: 1 to 7, f or F.
    width, height, depth : int
        Size in pixels and number of channels.
    most : float
        The value of white; of PFM its scale, whose sign is the byte order.
    rgb : str, optional
        What the channels are, see `samples.as_wanted`.
    """

    kind: bytes
    width: int
    height: int
    depth: int
    most: float
    rgb: Optional[str]


def is_pnm(head: bytes, _name: str) -> bool:
    """Recognise a PNM file by its first bytes."""
    return re.match(rb"P[1-7fF][\s#]", head) is not None


def read_pnm(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Read the first image in a file; raise ImageFileError, or ValueError on damaged files."""
    header = _read_header(file, name)
    if header.width < 1 or header.height < 1 or header.depth < 1 or header.most == 0:
        raise ImageFileError(f"{name!r} is a damaged PNM file: its header says {header.width}x{header.height} pixels")
    check_size(name, header.width, header.height, max_pixels)
    floats = header.kind in b"fF"
    if not floats and not 1 <= header.most <= 65_535:
        raise ImageFileError(f"{name!r} is a PNM file with the maximum {header.most:g}; possible: 1 to 65535")
    count = header.height * header.width * header.depth
    check_bytes(name, count * (4 if floats else 1 if header.most < 256 else 2), max_pixels)
    with turn(header.width * header.height):
        values = _values(file, name, header, count)
        full = None if floats else (0.0, float(header.most))
        return as_wanted(Samples(values, name, full, None, header.kind in b"14"), wanted, header.rgb)


def _read_header(file: BinaryIO, name: str) -> _PnmHeader:
    kind = file.read(2)[1:]
    if kind == b"7":
        return _pam_header(file, name)
    tokens = _header_tokens(file, name, 2 if kind in b"14" else 3)
    most = float(tokens[2]) if kind in b"fF" else int(tokens[2]) if len(tokens) > 2 else 1
    return _PnmHeader(kind, int(tokens[0]), int(tokens[1]), _DEPTHS[kind], most, _MEANINGS[_DEPTHS[kind]])


def _header_tokens(file: BinaryIO, name: str, count: int) -> List[bytes]:
    """Return the next `count` words, reading one blank after the last; comments are skipped."""
    tokens: List[bytes] = []
    word, comment = b"", False
    for _ in range(_MOST_HEADER_LINES * 64):
        letter = file.read(1)
        if not letter:
            break
        comment = (comment or letter == b"#") and letter not in b"\r\n"
        if comment:
            continue
        if not letter.isspace():
            word += letter
        elif word:
            tokens, word = [*tokens, word], b""
            if len(tokens) == count:
                return tokens
    raise ImageFileError(f"{name!r} is a damaged PNM file: its header has no end")


def _pam_header(file: BinaryIO, name: str) -> _PnmHeader:
    file.readline(_MOST_LINE)
    fields: Dict[str, str] = {}
    for _ in range(_MOST_HEADER_LINES):
        words = file.readline(_MOST_LINE).decode("latin-1").split(None, 1)
        if words and words[0] == "ENDHDR":
            depth, alpha = int(fields["DEPTH"]), fields.get("TUPLTYPE", "").strip().endswith("_ALPHA")
            rgb = {2: "gray+alpha", 4: "rgb+alpha"}.get(depth) if alpha else _MEANINGS.get(depth)
            return _PnmHeader(b"7", int(fields["WIDTH"]), int(fields["HEIGHT"]), depth, int(fields["MAXVAL"]), rgb)
        if len(words) == 2 and not words[0].startswith("#"):
            fields[words[0]] = words[1]
    raise ImageFileError(f"{name!r} is a damaged PAM file: its header has no end")


def _values(file: BinaryIO, name: str, header: _PnmHeader, count: int) -> np.ndarray:
    shape = (header.height, header.width, header.depth)
    if header.kind in b"123":
        return _from_text(file, name, header, count).reshape(shape)
    if header.kind == b"4":
        row = -(-header.width // 8)
        packed = np.frombuffer(_whole(file, name, row * header.height), np.uint8).reshape(header.height, row)
        return np.unpackbits(packed, axis=1)[:, : header.width, np.newaxis]
    if header.kind in b"fF":
        order = "<" if header.most < 0 else ">"
        values = np.frombuffer(_whole(file, name, 4 * count), f"{order}f4").reshape(shape)
        return values[::-1].astype(np.float32)  # the lowest row comes first
    dtype = np.dtype("u1" if header.most < 256 else ">u2")
    values = np.frombuffer(_whole(file, name, dtype.itemsize * count), dtype).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _whole(file: BinaryIO, name: str, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ImageFileError(f"{name!r} cannot be decoded: it is truncated, {size - len(data)} bytes are missing")
    return data


def _from_text(file: BinaryIO, name: str, header: _PnmHeader, count: int) -> np.ndarray:
    values = np.empty(count, np.uint8 if header.most < 256 else np.uint16)
    filled = 0
    for words in _words(file, header.kind == b"1"):
        numbers = np.array([int(word) for word in words[: count - filled]], np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() <= header.most:
            raise ImageFileError(f"{name!r} is a damaged PNM file: it has a value above its maximum {header.most:g}")
        values[filled : filled + numbers.size] = numbers
        filled += numbers.size
        if filled == count:
            return values
    raise ImageFileError(f"{name!r} cannot be decoded: it is truncated, {count - filled} values are missing")


def _words(file: BinaryIO, digits: bool) -> Iterator[List[bytes]]:
    """Yield the words of a text, some thousands at a time, without comments; with `digits` each digit is a word."""
    rest, block = b"", b"x"
    while block:
        block = file.read(_BLOCK)
        text = rest + block
        end = max(text.rfind(b" "), text.rfind(b"\n")) + 1 if block else len(text)
        text, rest = text[:end], text[end:]
        if b"#" in text:
            text, open_comment = re.sub(rb"#[^\r\n]*[\r\n]", b" ", text), b""
            text, _, open_comment = text.partition(b"#")
            rest = (b"#" + open_comment + rest) if open_comment else rest
        words = text.split()
        if len(rest) > _MOST_LINE or (any(len(word) > _MOST_LINE for word in words[:1]) and not digits):
            raise ValueError("a word of the text is too long for a number")
        yield [bytes([digit]) for word in words for digit in word] if digits else words
