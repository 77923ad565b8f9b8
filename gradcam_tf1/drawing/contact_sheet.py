"""Contact sheets: titled images side by side. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.images.geometry import Box

Colour = Tuple[int, int, int]  # RGB, 0..255

INK, PAPER, GOOD, BAD = (38, 43, 51), (255, 255, 255), (30, 140, 70), (200, 50, 40)
_TITLE, _GAP, _MARGIN = 24, 10, 24  # pixels: height of a tile's title, space between tiles, border of the sheet
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True)
class Tile:
    """One image of a sheet.

    Attributes
    ----------
    image : np.ndarray
        uint8 [H, W, 3], RGB.
    title : str
        Written above the image.
    ink : tuple of int
        Colour of the title, RGB.
    box : tuple of int, optional
        (top, left, bottom, right) drawn on the image, in its pixels, the last two exclusive.
    peak : tuple of int, optional
        (row, column) marked on the image.
    """

    image: np.ndarray
    title: str
    ink: Colour = INK
    box: Optional[Box] = None
    peak: Optional[Tuple[int, int]] = None


def contact_sheet(rows: Sequence[Sequence[Tile]], title: str, columns: int = 2, side: int = 200) -> np.ndarray:
    """Lay out rows of tiles in columns under a title.

    Parameters
    ----------
    rows : sequence of sequences of Tile
        The tiles of each row.
    title : str
        Title of the sheet.
    columns : int
        Number of columns over which the rows are distributed.
    side : int
        Length of a tile's longer side in pixels.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB.
    """
    drawn = [[(tile, _drawn(tile, side)) for tile in row] for row in rows]
    group = max(map(len, rows)) * (side + _GAP) + _MARGIN
    length = -(-len(rows) // columns)
    stacks = [drawn[start : start + length] for start in range(0, len(rows), length)]
    heights = [sum(_height(row) for row in stack) for stack in stacks]
    sheet = np.full((_MARGIN * 3 + max(heights), _MARGIN + len(stacks) * group, 3), PAPER, np.uint8)
    _write(sheet, title, (_MARGIN * 2, _MARGIN), INK, 0.9)
    for column, stack in enumerate(stacks):
        top = _MARGIN * 3
        for row in stack:
            for number, (tile, image) in enumerate(row):
                left = _MARGIN + column * group + number * (side + _GAP)
                _write(sheet, tile.title, (top + _TITLE - 8, left), tile.ink, 0.5)
                sheet[top + _TITLE : top + _TITLE + image.shape[0], left : left + image.shape[1]] = image
            top += _height(row)
    return sheet


def _height(row: Sequence[Tuple[Tile, np.ndarray]]) -> int:
    return _TITLE + max(int(image.shape[0]) for _, image in row) + _GAP


def _drawn(tile: Tile, side: int) -> np.ndarray:
    """Return the tile's image at its size on the sheet, with its marks."""
    factor = side / max(tile.image.shape[:2])
    size = (max(1, round(tile.image.shape[1] * factor)), max(1, round(tile.image.shape[0] * factor)))
    image = cv2.resize(tile.image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):  # white on black is visible on any colour
        if tile.box is not None:
            top, left, bottom, right = (round(edge * factor) for edge in tile.box)
            cv2.rectangle(image, (left, top), (right - 1, bottom - 1), colour, thickness, cv2.LINE_AA)
        if tile.peak is not None:
            row, column = (round((position + 0.5) * factor) for position in tile.peak)
            cv2.circle(image, (column, row), 4, colour, thickness, cv2.LINE_AA)
    return image


def _write(sheet: np.ndarray, text: str, start: Tuple[int, int], ink: Colour, scale: float) -> None:
    drawn = "".join(char if " " <= char <= "~" else "?" for char in text)  # OpenCV's font has ASCII only
    cv2.putText(sheet, drawn, start[::-1], _FONT, scale, ink, 1, cv2.LINE_AA)
