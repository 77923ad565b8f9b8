"""Draw maps in colours and on photographs, draw saliency, write PNG files. No TensorFlow here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.color_lookup import look_up, look_up_gray
from gradcam_tf1.drawing.map_range import contrast, ends
from gradcam_tf1.drawing.png_files import DRAWN, encode_png
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Box

_CV2_COLORMAPS = {
    name: getattr(cv2, f"COLORMAP_{name.upper()}") for name in ("jet", "turbo", "viridis", "inferno", "cividis")
}
# From low to high: blue is evidence against the class, white is zero, red is evidence for it.
_DIVERGING = np.array([[0, 30, 220], [110, 160, 255], [250, 250, 250], [255, 140, 100], [220, 0, 0]], np.float64)
COLORMAPS = (*_CV2_COLORMAPS, "diverging")

ALPHA = 0.6  # opacity of a heat map where it is highest


def normalize(map: np.ndarray, signed: bool = False, scale: Optional[float] = None) -> np.ndarray:
    """Normalise a raw map to 0..1.

    Unsigned: max(map, 0) / scale. Signed: 0.5 + 0.5 * map / scale, so that 0.5 stands for zero. A map of zeros stays
    zero, never NaN. Place the map on the image first and normalise it then.

    Parameters
    ----------
    map : np.ndarray
        Raw values of any shape.
    signed : bool
        Whether negative values are kept.
    scale : float, optional
        The value that becomes 1. By default the map's maximum, or with `signed` its largest magnitude. To show two maps
        on one scale, pass the larger of their maxima.

    Returns
    -------
    np.ndarray
        float32 of the same shape, 0..1.

    Raises
    ------
    GradCamError
        If the map holds NaN or infinity.
    """
    map = np.asarray(map, np.float32)
    low, high = ends(map)
    if scale is None:
        scale = max(-low, high) if signed else high
    if scale <= 0:
        return np.full(map.shape, 0.5 if signed else 0.0, np.float32)
    lowest = -scale if signed else 0.0
    if low < lowest or high > scale:
        share: np.ndarray = np.clip(map, lowest, scale)
        share /= np.float32(scale)
    else:
        share = map / np.float32(scale)
    if signed:
        share *= 0.5
        share += 0.5
    return share


def colorize(map: np.ndarray, colormap: str = "jet") -> np.ndarray:
    """Colour a normalised map.

    Parameters
    ----------
    map : np.ndarray
        Float [H, W], 0..1, as `normalize` returns it.
    colormap : {"jet", "turbo", "viridis", "inferno", "cividis", "diverging"}
        In jet 0 is blue and 1 is red; in diverging 0 is blue, 0.5 white, 1 red.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB.

    Raises
    ------
    OptionError
        If the colour map is unknown, or the map is empty, not [H, W] or not within 0..1.
    """
    map = np.asarray(map, np.float32)
    if map.ndim != 2 or map.size == 0:
        raise OptionError(f"a map to draw is [H, W] and not empty, got shape {list(map.shape)}")
    low, high = map.min(), map.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise OptionError(f"a map to draw lies in 0..1, got {low:.3g}..{high:.3g}; call normalize first")
    return look_up(_levels(map), color_table(colormap))


def _levels(map: np.ndarray) -> np.ndarray:
    """Convert a normalised float32 map of up to 3 axes to uint8 0..255, rounding halves to even."""
    return cv2.convertScaleAbs(map, alpha=255)


@lru_cache(maxsize=None)
def color_table(colormap: str) -> np.ndarray:
    """Return the 256 colours of a colour map: uint8 [256, 1, 3], RGB. The array is cached: do not write to it."""
    check_colormap(colormap)
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    if colormap in _CV2_COLORMAPS:
        return cv2.cvtColor(cv2.applyColorMap(levels, _CV2_COLORMAPS[colormap]), cv2.COLOR_BGR2RGB)
    stops = np.linspace(0, 255, len(_DIVERGING))
    channels = [np.interp(levels[:, 0], stops, values) for values in _DIVERGING.T]
    table: np.ndarray = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)[:, np.newaxis]
    return table


def check_colormap(colormap: Any) -> None:
    """Raise OptionError for an unknown colour map."""
    if not isinstance(colormap, str) or colormap not in COLORMAPS:
        raise OptionError(f"unknown colour map {colormap!r}; possible: {', '.join(COLORMAPS)}")


def overlay(
    image: np.ndarray, map: np.ndarray, colormap: str = "jet", alpha: float = ALPHA, seen: Optional[Box] = None
) -> np.ndarray:
    """Tint a photograph where the map is high: image + a * (colours - image).

    a = alpha * map; with the diverging colour map, whose zero is 0.5, a = alpha * |2 map - 1|. Where the map is zero
    the photograph keeps its colours.

    Parameters
    ----------
    image : np.ndarray
        uint8 [H, W, 3], RGB.
    map : np.ndarray
        Normalised, float [H, W], 0..1.
    colormap : {"jet", "turbo", "viridis", "inferno", "cividis", "diverging"}
        Colours of the map.
    alpha : float
        Opacity where the map is 1, 0..1.
    seen : tuple of int, optional
        Box (top, left, bottom, right) that the net saw; the photograph outside it is unchanged. By default all of it.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB.

    Raises
    ------
    OptionError
        If a shape, the colour map or `alpha` does not fit.
    """
    check_rgb(image)
    if np.shape(map) != image.shape[:2]:
        raise OptionError(
            f"map {list(np.shape(map))} and image {list(image.shape)} differ in size; place the map first"
        )
    check_alpha(alpha)
    height, width = image.shape[:2]
    top, left, bottom, right = seen or (0, 0, height, width)
    levels = _levels(np.asarray(map, np.float32)[top:bottom, left:right])
    kept, added = tints(colormap, float(alpha))
    tinted = cv2.multiply(image[top:bottom, left:right], look_up_gray(levels, kept), scale=1 / 255)
    cv2.add(tinted, look_up(levels, added), dst=tinted)
    if tinted.shape == image.shape:
        return tinted
    result = image.copy()
    result[top:bottom, left:right] = tinted
    return result


def check_alpha(alpha: Any) -> None:
    """Raise OptionError unless `alpha` is a number in 0..1."""
    is_number = isinstance(alpha, (int, float, np.integer, np.floating)) and not isinstance(alpha, bool)
    if not is_number or not 0 <= alpha <= 1:
        raise OptionError(f"alpha is a number between 0 (photograph only) and 1 (heat map only), not {alpha!r}")


@lru_cache(maxsize=8)
def tints(colormap: str, alpha: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return for 256 levels the weight of the photograph, 0..255, and the colour added: two uint8 [256, 1, 3]."""
    levels = np.linspace(0, 1, 256)[:, np.newaxis, np.newaxis]
    # 0.5 lies between two levels: both count as zero
    strength = alpha * ((np.abs(510 * levels - 255) - 1) / 254 if colormap == "diverging" else levels)
    kept = np.repeat(np.rint(255 * (1 - strength)), 3, axis=2)
    return kept.astype(np.uint8), np.rint(strength * color_table(colormap)).astype(np.uint8)


def blend(image: np.ndarray, colours: np.ndarray, alpha: float, seen: Box) -> np.ndarray:
    """Return (1 - alpha) * image + alpha * colours inside the box `seen`, the image outside; uint8 [H, W, 3], RGB."""
    top, left, bottom, right = seen
    result = image.copy()
    part = result[top:bottom, left:right]
    cv2.addWeighted(part, 1 - alpha, colours[top:bottom, left:right], alpha, 0, dst=part)
    return result


def guided_image(saliency: np.ndarray, scale: Optional[float] = None) -> np.ndarray:
    """Draw signed saliency on mid-gray: 128 + 127 * saliency / scale.

    Parameters
    ----------
    saliency : np.ndarray
        Float [H, W, 3], RGB, or [H, W, 1].
    scale : float, optional
        The magnitude drawn at full contrast; by default `contrast(saliency)`.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB; 128 stands for zero.

    Raises
    ------
    OptionError
        If the saliency has another shape or is empty.
    GradCamError
        If it holds NaN or infinity.
    """
    saliency = np.asarray(saliency, np.float32)
    if saliency.ndim != 3 or saliency.shape[2] not in (1, 3) or 0 in saliency.shape:
        raise OptionError(f"saliency to draw is [H, W, 3] or [H, W, 1] and not empty, got {list(saliency.shape)}")
    full = contrast(saliency) if scale is None else scale
    gray = _levels(normalize(saliency, signed=True, scale=full))
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB) if saliency.shape[2] == 1 else gray


def write_png(path: str, rgb: np.ndarray, strategy: int = DRAWN) -> None:
    """Write a PNG file atomically: a reader sees the whole image or none.

    Parameters
    ----------
    path : str
        Where to write. The folder must exist.
    rgb : np.ndarray
        uint8 [H, W, 3], RGB.
    strategy : int
        PHOTOGRAPH, SMOOTH or DRAWN: see `encode_png`. The pixels are the same.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    OptionError
        If the array is not uint8 [H, W, 3] or is empty.
    """
    check_rgb(rgb)
    write_whole(path, encode_png(rgb, strategy), "image")


def check_rgb(image: np.ndarray) -> None:
    """Raise OptionError for anything but uint8 [H, W, 3] with pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        kind = getattr(image, "dtype", type(image).__name__)
        raise OptionError(f"an image is uint8 [H, W, 3] RGB, got {kind} {list(np.shape(image))}")
    if image.size == 0:
        raise OptionError(f"the image {list(image.shape)} has no pixels")
