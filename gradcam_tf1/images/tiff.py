"""Read TIFF files of every layout: 16 and 32 bits, signed, floats, many bands, planes; Pillow reads those of 8 bits.

Pillow reads other files correctly in some layouts only, and does not report which.
"""

from __future__ import annotations

from typing import BinaryIO, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.memory_turns import turn
from gradcam_tf1.images.pillow_files import read_common, turned
from gradcam_tf1.images.pillow_limits import check_scans, strict_pillow
from gradcam_tf1.images.safe_open import check_bytes, check_size
from gradcam_tf1.images.samples import Samples, as_wanted
from gradcam_tf1.images.tiff_segments import COMPRESSIONS, make_grid, read_cells
from gradcam_tf1.images.tiff_tags import Page, count_pages, is_tiff, read_page
from gradcam_tf1.images.window import Ends

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE = 0, 1, 2, 3
_UNSIGNED, _SIGNED, _FLOAT, _VOID = 1, 2, 3, 4
_JPEG = (6, 7)
_KINDS = {_UNSIGNED: "u", _SIGNED: "i", _FLOAT: "f", _VOID: "u"}
_MOST_JPEG = 1 << 28  # bytes of one strip or tile that are searched for scans


def is_tiff_file(head: bytes, _name: str) -> bool:
    """Recognise a TIFF file by its first bytes."""
    return is_tiff(head)


def read_tiff(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Read a page as an image; raise ImageFileError, or errors of Pillow and struct on damaged files."""
    page = read_page(file, name, wanted.window.slice)
    height, width = page.one("height", 0), page.one("width", 0)
    check_size(name, width, height, max_pixels)
    samples = page.one("samples", 1)
    as_bands = samples == 1 and wanted.many and wanted.window.slice is None
    pages = [page] if not as_bands or count_pages(file) != wanted.channels else _pages(file, name, wanted.channels)
    if len(pages) == 1 and _is_common(page, samples, wanted):
        if page.one("compression", 1) in _JPEG:
            _check_jpeg(file, name, page, height * width)
        file.seek(0)
        return read_common(file, name, max_pixels, wanted)
    dtype, bits = number_type(page, name)
    size = height * width * samples * len(pages) * dtype.itemsize
    check_bytes(name, size, max_pixels)
    with turn(size // 3), strict_pillow():
        bands = [_values(file, name, band, dtype, bits) for band in pages]
        values = bands[0] if len(bands) == 1 else np.concatenate(bands, axis=2)
        return turned(_as_wanted(values, name, page, bits, wanted), page.one("orientation", 1))


def _pages(file: BinaryIO, name: str, count: int) -> List[Page]:
    """Return the pages of a file with one page for each band; raise ImageFileError where they differ in kind."""
    pages = [read_page(file, name, index) for index in range(count)]
    alike = ("width", "height", "samples", "bits", "format", "photometric", "orientation")
    if any(page.all(tag) != pages[0].all(tag) for page in pages for tag in alike):
        raise ImageFileError(f"{name!r} has {count} pages of different kinds, which are no bands of one image")
    return pages


def _values(file: BinaryIO, name: str, page: Page, dtype: np.dtype, bits: int) -> np.ndarray:
    """Return the numbers of a page, [H, W, channels]."""
    _check_readable(page, name, bits, dtype)
    return read_cells(file, name, page, make_grid(page, name, bits, page.one("samples", 1)), dtype)


def _is_common(page: Page, samples: int, wanted: ReadOptions) -> bool:
    """Return whether it is a photograph that Pillow reads, of 8 bits and at most four channels."""
    kinds, photometric = set(page.all("format") or (_UNSIGNED,)), page.one("photometric", _BLACK_IS_ZERO)
    if max(page.all("bits") or (1,)) > 8 or not kinds <= {_UNSIGNED, _VOID} or wanted.window.slice is not None:
        return False
    if photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _PALETTE):
        few = samples == 1 or (samples == 2 and bool(page.all("extra")))
    else:
        few = samples in (3, 4)
    as_bands = samples > 1 and photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
    own = page.one("compression", 1) in COMPRESSIONS
    # depending on its version, Pillow reads BigTIFF in no or in one byte order
    return few and not (own and (page.big or (as_bands and bool(wanted.many or wanted.bands))))


def number_type(page: Page, name: str) -> Tuple[np.dtype, int]:
    """Return the type of the numbers and their bits; raise ImageFileError for an unknown type."""
    bits, kinds = set(page.all("bits") or (1,)), set(page.all("format") or (_UNSIGNED,))
    kind = _KINDS.get(int(min(kinds)), "") if len(kinds) == 1 else ""
    size = int(min(bits))
    known = (size in (8, 16, 32, 64) and (kind != "f" or size > 8)) or (kind == "u" and size < 16)
    if len(bits) > 1 or not kind or not known or size < 1:
        listed = ", ".join(f"{int(count)}" for count in sorted(bits))
        raise ImageFileError(
            f"{name!r} is a TIFF file with numbers of {listed} bits and sample format {sorted(map(int, kinds))}, which "
            "are not supported; possible: integers of 1 to 16, 32 and 64 bits, floats of 16, 32 and 64"
        )
    stored = size if size in (8, 16, 32, 64) else 8 if size < 8 else 16
    return np.dtype(f"{kind}{stored // 8}"), size


def _check_readable(page: Page, name: str, bits: int, dtype: np.dtype) -> None:
    compression, predictor = page.one("compression", 1), page.one("predictor", 1)
    if compression not in COMPRESSIONS:
        raise ImageFileError(
            f"{name!r} is a TIFF file of this kind packed with method {compression}; possible: none, LZW, deflate, "
            "PackBits; save it again with one of these"
        )
    if compression == 1 or predictor == 1:
        return
    if predictor not in (2, 3) or bits % 8 or (predictor == 3 and dtype.kind != "f"):
        raise ImageFileError(f"{name!r} is a TIFF file with predictor {predictor}, which does not go with its numbers")


def _as_wanted(values: np.ndarray, name: str, page: Page, bits: int, wanted: ReadOptions) -> np.ndarray:
    photometric, count = page.one("photometric", _BLACK_IS_ZERO), values.shape[2]
    full: Optional[Ends] = (0.0, 2.0**bits - 1) if values.dtype.kind == "u" and bits <= 16 else None
    if photometric == _PALETTE:
        values, full = _colours(values, page, name, bits), (0.0, 65_535.0)
        return as_wanted(Samples(values, name, full), wanted, "rgb")
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        raise ImageFileError(
            f"{name!r} is a TIFF file with colours of kind {photometric} in {bits} bits; save it as RGB"
        )
    samples = Samples(values, name, full, _said(page), photometric == _WHITE_IS_ZERO)
    return as_wanted(samples, wanted, _meaning(photometric, count, page.all("extra")))


def _meaning(photometric: int, count: int, extra: Tuple[float, ...]) -> Optional[str]:
    """Return what the channels are, see `as_wanted`; None where they are bands."""
    last = int(extra[-1]) if extra else None
    if count == 1:
        return "gray"
    if photometric != _RGB:
        return "gray+alpha" if count == 2 and last in (1, 2) else "rgb" if count == 3 else None
    if count == 4:
        return {0: "rgb+other", 1: "rgb+premultiplied"}.get(last or 0 if extra else 2, "rgb+alpha")
    return "rgb" if count == 3 else None


def _said(page: Page) -> Optional[Ends]:
    """Return the minimum and maximum in the file's own tags, None without them."""
    for low, high in (("sample_low", "sample_high"), ("low", "high")):
        if page.all(low) and page.all(high) and min(page.all(low)) < max(page.all(high)):
            return float(min(page.all(low))), float(max(page.all(high)))
    return None


def _colours(values: np.ndarray, page: Page, name: str, bits: int) -> np.ndarray:
    """Look the values up in the table of colours: uint16 [H, W, 3]."""
    table = np.array(page.all("colours"), np.uint16)
    if values.shape[2] != 1 or table.size != 3 << bits:
        raise ImageFileError(f"{name!r} is a damaged TIFF file: its table of colours has a wrong length")
    colours: np.ndarray = table.reshape(3, -1).T[values[..., 0]]
    return colours


def _check_jpeg(file: BinaryIO, name: str, page: Page, pixels: int) -> None:
    """Raise ImageFileError where a strip or tile has too many JPEG scans."""
    kind = "tile" if "tile_offsets" in page.tags else "strip"
    if kind == "tile":
        pixels = max(pixels, page.one("tile_height", 0) * page.one("tile_width", 0))
    for offset, count in zip(page.all(f"{kind}_offsets"), page.all(f"{kind}_counts")):
        file.seek(int(offset))
        check_scans(file.read(min(int(count), _MOST_JPEG)), name, pixels)
