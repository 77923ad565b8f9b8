"""Unpack the strips and tiles of a TIFF page, never beyond their size, and join them.

Sources: TIFF 6.0; its predictor of floats: Adobe Photoshop TIFF Technical Note 3, http://chriscox.org/TIFFTN3d1.pdf
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Iterator, Tuple

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.tiff_tags import MOST_VALUES, Page

NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 8, 32946, 32773
COMPRESSIONS = (NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS)
_PADDING = 1 << 26  # maximum number of bytes of tiles outside their image
_BLOCK = 1 << 24  # bytes
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class Grid:
    """How a page is cut into cells: strips or tiles.

    Attributes
    ----------
    height, width : int
        Size of the page in pixels.
    cell : tuple of int
        (rows, columns) of a cell.
    tiled : bool
        Whether the cells are tiles.
    planes : int
        1, or the number of channels where each channel has cells of its own.
    depth : int
        Number of channels in one plane.
    bits : int
        Bits of one number.
    """

    height: int
    width: int
    cell: Tuple[int, int]
    tiled: bool
    planes: int
    depth: int
    bits: int

    @property
    def across(self) -> int:
        """Number of cells from left to right."""
        return -(-self.width // self.cell[1])

    @property
    def down(self) -> int:
        """Number of cells from top to bottom."""
        return -(-self.height // self.cell[0])

    def row_bytes(self) -> int:
        """Return the number of bytes of a row of a cell; each row starts at a whole byte."""
        return -(-self.cell[1] * self.depth * self.bits // 8)

    def cells(self) -> Iterator[Tuple[int, int, int, int]]:
        """Yield plane, top, left and number of stored rows of each cell, in the order of the file."""
        for plane in range(self.planes):
            for top in range(0, self.down * self.cell[0], self.cell[0]):
                for left in range(0, self.across * self.cell[1], self.cell[1]):
                    rows = self.cell[0] if self.tiled else min(self.cell[0], self.height - top)
                    yield plane, top, left, rows


def make_grid(page: Page, name: str, bits: int, samples: int) -> Grid:
    """Return how a page is cut; raise ImageFileError where it has too many or too large cells."""
    height, width = page.one("height", 0), page.one("width", 0)
    tiled = "tile_offsets" in page.tags
    if tiled:
        cell = (page.one("tile_height", 0), page.one("tile_width", 0))
    else:
        cell = (max(1, min(page.one("rows", height), height)), width)
    planes = samples if page.one("planar", 1) == 2 else 1
    if min(cell) < 1 or min(height, width) < 1:
        raise ImageFileError(f"{name!r} is a damaged TIFF file: in its tags a side is 0")
    grid = Grid(height, width, cell, tiled, planes, samples // planes, bits)
    count = grid.across * grid.down * planes
    size = height * width * samples * bits // 8
    if count >= MOST_VALUES or count * cell[0] * grid.row_bytes() > 4 * size + _PADDING:
        raise ImageFileError(f"{name!r} is a TIFF file of {count:,} strips or tiles, too many or too large to be read")
    return grid


def read_cells(file: BinaryIO, name: str, page: Page, grid: Grid, dtype: np.dtype) -> np.ndarray:
    """Read the numbers of a page.

    Parameters
    ----------
    file : binary file
        The TIFF file.
    name : str
        Name of the image, for messages.
    page : Page
        The tags of the page.
    grid : Grid
        How the page is cut.
    dtype : np.dtype
        Type of the numbers, in native byte order.

    Returns
    -------
    np.ndarray
        [H, W, channels] of `dtype`.

    Raises
    ------
    ImageFileError
        If a strip or tile is missing or too short.
    """
    kind = "tile" if grid.tiled else "strip"
    offsets, counts = page.all(f"{kind}_offsets"), page.all(f"{kind}_counts")
    values = np.empty((grid.height, grid.width, grid.planes * grid.depth), dtype)
    for number, (plane, top, left, rows) in enumerate(grid.cells()):
        if number >= len(offsets):
            raise ImageFileError(f"{name!r} is cut off: its {kind} {number} is missing")
        size = rows * grid.row_bytes()
        most = 2 * size + 65_536
        file.seek(int(offsets[number]))
        packed = file.read(min(int(counts[number]), most) if number < len(counts) else most)
        data = _unpacked(page, packed, grid.row_bytes(), rows)
        if len(data) < size:
            raise ImageFileError(f"{name!r} is cut off: its {kind} {number} ends too early")
        right = min(left + grid.cell[1], grid.width)
        channels = slice(plane * grid.depth, (plane + 1) * grid.depth)
        _fill(values[top : top + rows, left:right, channels], page, memoryview(data)[:size], grid)
    return values


def _fill(into: np.ndarray, page: Page, data: memoryview, grid: Grid) -> None:
    """Copy the numbers of a cell into its part of the image, some rows at a time."""
    row = grid.row_bytes()
    step = max(1, _BLOCK // row)
    for top in range(0, len(into), step):
        rows = min(step, len(into) - top)
        part = data[top * row : (top + rows) * row]
        into[top : top + rows] = _numbers(page, part, grid, rows, into.dtype)[:, : into.shape[1]]


def _unpacked(page: Page, packed: bytes, row: int, rows: int) -> bytes:
    if page.one("fill_order", 1) == 2:
        packed = packed.translate(_REVERSED)
    compression = page.one("compression", NONE)
    if compression == NONE:
        return packed
    if compression in (DEFLATE, OLD_DEFLATE):
        return zlib.decompressobj().decompress(packed, row * rows)
    return _by_pillow(packed, compression, row, rows)


def _by_pillow(packed: bytes, compression: int, row: int, rows: int) -> bytes:
    """Unpack bytes with Pillow, as the one strip of a TIFF file of 8-bit gray."""
    tags = (
        (256, row),
        (257, rows),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, 110),
        (278, rows),
        (279, len(packed)),
    )
    entries = b"".join(struct.pack("<HHII", number, 4, 1, value) for number, value in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4)
    with Image.open(io.BytesIO(head + packed), formats=("TIFF",)) as image:
        return image.tobytes()


def _numbers(page: Page, data: memoryview, grid: Grid, rows: int, dtype: np.dtype) -> np.ndarray:
    """Return the numbers of some rows: [rows, columns, channels]."""
    shape = (rows, grid.cell[1], grid.depth)
    if grid.bits % 8:
        return _small_numbers(data, shape, grid.bits)
    predictor = page.one("predictor", 1)
    if predictor == 3:
        return _float_differences(data, shape, dtype)
    stored = np.dtype(f"{page.order}{dtype.kind}{dtype.itemsize}")
    values = np.frombuffer(data, stored).reshape(shape).astype(dtype)
    if predictor == 2:
        integers = values.view(f"u{dtype.itemsize}")
        return np.cumsum(integers, axis=1, dtype=integers.dtype).view(dtype)
    return values


def _small_numbers(data: memoryview, shape: Tuple[int, int, int], bits: int) -> np.ndarray:
    """Return numbers that are not whole bytes: each row starts at a byte, the highest bit comes first."""
    packed = np.frombuffer(data, np.uint8).reshape(shape[0], -1)
    values = np.empty(shape, np.uint8 if bits < 8 else np.uint16)
    for row, into in zip(packed, values):
        digits = np.unpackbits(row)[: into.size * bits].reshape(-1, bits)
        into[...] = (digits @ (1 << np.arange(bits - 1, -1, -1))).reshape(into.shape)
    return values


def _float_differences(data: memoryview, shape: Tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """Undo the predictor of floats: a row has the highest bytes of all numbers, then the next ones, as differences."""
    rows, columns, depth = shape
    differences = np.frombuffer(data, np.uint8).reshape(rows, -1, depth)
    planes = np.cumsum(differences, axis=1, dtype=np.uint8).reshape(rows, dtype.itemsize, columns * depth)
    high_first = np.ascontiguousarray(planes.transpose(0, 2, 1))
    return high_first.view(dtype.newbyteorder(">")).reshape(shape).astype(dtype)
