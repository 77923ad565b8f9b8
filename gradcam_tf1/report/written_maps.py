"""Read maps back from what a run has written: the numbers of --raw, or a drawn heat map. No TensorFlow here."""

from __future__ import annotations

import os
import zipfile
import zlib
from functools import lru_cache
from tokenize import TokenError
from typing import Any, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.overlay import color_table
from gradcam_tf1.images.geometry import Box, Placement
from gradcam_tf1.report.map_grid import LARGEST, MOST_CELLS, MapGrid, grid_of, grid_over
from gradcam_tf1.types import Cells

_MOST_BYTES = 512 << 20  # of all arrays of one file
_DAMAGED = (
    *(ArithmeticError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, RuntimeError, TypeError),
    *(SyntaxError, TokenError, ValueError, zipfile.BadZipFile, zlib.error),  # numpy reads a header as Python's literals
)


def raw_grid(path: str, original: Tuple[int, int]) -> Optional[MapGrid]:
    """Return the grid of the numbers in an .npz file of a run.

    Parameters
    ----------
    path : str
        The file.
    original : (int, int)
        Height and width of the image, as the manifest says.

    Returns
    -------
    MapGrid or None
        None if the file is gone, damaged, or of another image.
    """
    if not os.path.isfile(path):  # a pipe would wait for its other end
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > _MOST_BYTES:
                return None
        with np.load(path, allow_pickle=False) as arrays, np.errstate(all="ignore"):
            return _grid(arrays, original)
    except _DAMAGED:
        return None


def _grid(arrays: Any, original: Tuple[int, int]) -> Optional[MapGrid]:
    sizes = [tuple(int(side) for side in arrays[name]) for name in ("original", "fitted")]
    boxes = [tuple(int(side) for side in arrays[name]) for name in ("seen", "inside")]
    parts: Any = (*sizes, *boxes)
    placement = Placement(*parts)
    values = np.asarray(arrays["map"], np.float32)
    fits = sizes[0] == tuple(original) and _is_within(boxes[0], sizes[0]) and _is_within(boxes[1], sizes[1])
    if not fits or values.ndim not in (2, 3) or not values.size or not np.isfinite(values).all():
        return None
    cells = None
    if "offset" in arrays:
        ends = [tuple(float(end) for end in arrays[name]) for name in ("offset", "stride")]
        if not np.isfinite(ends).all() or len(ends[0]) != 2 or len(ends[1]) != 2 or 0 in ends[1]:
            return None
        cells = Cells(*ends)
    grid = grid_of(values, placement, cells)
    return grid if grid.is_usable else None


def _is_within(box: Tuple[int, ...], size: Tuple[int, ...]) -> bool:
    top, left, bottom, right = box
    height, width = size
    return 0 <= top < bottom <= height and 0 <= left < right <= width


def heat_grid(
    colors: np.ndarray, colormap: str, scale: float, seen: Box, signed: bool, against: bool = False
) -> Optional[MapGrid]:
    """Return the grid of a drawn heat map: the inverse of its colours.

    Parameters
    ----------
    colors : np.ndarray
        uint8 [H, W, 3], RGB, the heat map alone on the original image.
    colormap : str
        Its colour map.
    scale : float
        The value that was drawn at full strength.
    seen : tuple of int
        Box (top, left, bottom, right) of the image that the net saw.
    signed : bool
        Whether the middle of the colour map is zero; otherwise negative values were cut to zero.
    against : bool
        Whether a signed map was turned around.

    Returns
    -------
    MapGrid or None
        Values within one of 255 levels of the drawn ones, read at 96 points along the longer side; None if the image
        has other colours.
    """
    levels = levels_of(colors, colormap)
    if levels is None or not abs(scale) <= LARGEST:
        return None
    top, left, bottom, right = seen
    part = levels[top:bottom, left:right]
    small = cv2.resize(part, _few(part.shape), interpolation=cv2.INTER_LINEAR) if max(part.shape) > MOST_CELLS else part
    shares = (2 * small / 255 - 1) if signed else small / 255
    if signed:  # of an even number of levels none is zero: the two in the middle are
        shares = np.where(np.abs(shares) <= 1.01 / 255, 0, shares)
    grid = grid_over((shares * (-scale if against and signed else scale)).astype(np.float32), seen, seen)
    return grid if grid.is_usable else None


def _few(shape: Tuple[int, ...]) -> Tuple[int, int]:
    """Return the (width, height) with at most MOST_CELLS along the longer side."""
    height, width = (max(1, round(side * MOST_CELLS / max(shape))) for side in shape)
    return width, height


def levels_of(colors: np.ndarray, colormap: str) -> Optional[np.ndarray]:
    """Return the level of each colour: float32 [H, W], 0..255; None if one is not a colour of this colour map.

    Where several levels have one colour, it is their mean.
    """
    known, levels = _inverse(colormap)
    packed = _packed(colors)
    places = np.minimum(np.searchsorted(known, packed), len(known) - 1)
    return levels[places] if (known[places] == packed).all() else None


@lru_cache(maxsize=None)
def _inverse(colormap: str) -> Tuple[np.ndarray, np.ndarray]:
    """Return the packed colours in rising order, and their levels."""
    known, places = np.unique(_packed(color_table(colormap)[:, 0]), return_inverse=True)
    places = places.ravel()
    means = np.bincount(places, weights=np.arange(256)) / np.bincount(places)
    return known, means.astype(np.float32)


def _packed(colors: np.ndarray) -> np.ndarray:
    wide = colors.astype(np.int32)
    packed: np.ndarray = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return packed
