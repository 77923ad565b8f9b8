"""Draw maps without their input: heat of an image, a strip per channel of a signal, slices of a volume or clip."""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np

from gradcam_tf1.drawing.overlay import colorize, guided_image, normalize

TILES = 4  # slices that are shown
_STRIP = 32  # pixels: height of a strip of one channel
_LONGEST = 640  # pixels: length of a strip of a long signal
_BETWEEN = 2  # pixels between tiles
_GRAY = 224  # of a map that is zero everywhere, whose colours would look like a result


def heat_image(
    placed: np.ndarray, axes: int, signed: bool, colormap: str, scale: Optional[float], empty: bool
) -> np.ndarray:
    """Draw a map alone.

    Parameters
    ----------
    placed : np.ndarray
        The placed map: [L], [H, W] or [D, H, W], with a last axis of channels for pixel methods.
    axes : int
        Axes of the input without its channels: 1 for signals, 2 for images, 3 for volumes and clips.
    signed : bool
        Whether negative values are drawn too.
    colormap : str
        Colours of an unsigned map; a signed one is drawn in "diverging".
    scale : float, optional
        The value drawn at full strength; by default the map's own maximum.
    empty : bool
        Whether the map is zero everywhere; it is then drawn in plain gray.

    Returns
    -------
    np.ndarray
        uint8 [h, w, 3], RGB.
    """
    by_channel = placed.ndim > axes
    if axes == 2 and by_channel and not empty:
        return guided_image(placed if placed.shape[2] in (1, 3) else placed.sum(axis=2, keepdims=True))
    if axes == 1:
        flat = placed.T if by_channel else placed[np.newaxis]
    else:
        flat = placed.sum(axis=-1) if by_channel else placed
    flat = flat if axes < 3 else _tiles(flat)
    colours = colorize(normalize(flat, signed, scale), "diverging" if signed else colormap)
    if empty:
        colours[:] = _GRAY
    return _strips(colours) if axes == 1 else colours


def _tiles(volume: np.ndarray) -> np.ndarray:
    """Put some slices of [D, H, W] side by side, evenly spaced along D, with zeros between them."""
    chosen = np.unique(np.linspace(0, len(volume) - 1, min(TILES, len(volume))).round().astype(int))
    between = np.zeros((volume.shape[1], _BETWEEN), volume.dtype)
    parts = [part for number in chosen for part in (volume[number], between)]
    return np.concatenate(parts[:-1], axis=1)


def _strips(colours: np.ndarray) -> np.ndarray:
    """Make each row of [C, L, 3] a strip; long signals are shrunk."""
    rows, length = colours.shape[:2]
    if length > _LONGEST:
        colours = cv2.resize(colours, (_LONGEST, rows), interpolation=cv2.INTER_AREA)
    wide = max(1, _LONGEST // (2 * colours.shape[1]))
    return np.repeat(np.repeat(colours, _STRIP, axis=0), wide, axis=1)
