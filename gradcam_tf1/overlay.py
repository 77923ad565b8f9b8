"""Drawing: maps in colours, on photographs, saliency as a picture; PNG files written whole. No TensorFlow here."""

from __future__ import annotations

from typing import Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.whole_files import write_whole

_CV2_COLORMAPS = {
    "jet": cv2.COLORMAP_JET,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
}
# Low, middle, high of the diverging map: blue speaks against the class, white is zero, red speaks for it.
_DIVERGING = np.array([[0, 30, 220], [110, 160, 255], [250, 250, 250], [255, 140, 100], [220, 0, 0]], np.float64)
COLORMAPS = (*_CV2_COLORMAPS, "diverging")

Box = Tuple[int, int, int, int]


def normalize(map: np.ndarray, signed: bool = False, scale: Optional[float] = None) -> np.ndarray:
    """A raw map as float32 in 0..1, same shape: map / scale, negatives cut to 0; all-zero stays zero, never NaN.

    scale: what becomes 1, default the map's own maximum; pass the larger maximum of two maps to show them on one scale.
    signed: 0.5 + 0.5 * map / scale instead, scale being the largest magnitude: 0.5 is zero.
    Normalise after placing the map on the picture, not before. Raises GradCamError where the map is not finite.
    """
    map = np.asarray(map, np.float32)
    _check_finite(map)
    if scale is None:
        scale = float(np.max(np.abs(map) if signed else map, initial=0.0))
    if scale <= 0:
        return np.full(map.shape, 0.5 if signed else 0.0, np.float32)
    share = np.clip(map, -scale if signed else 0.0, scale) / np.float32(scale)
    return 0.5 + 0.5 * share if signed else share


def colorize(map: np.ndarray, colormap: str = "jet") -> np.ndarray:
    """A normalised map [H, W], 0..1, in colours: uint8 [H, W, 3] RGB; in jet 1 is red and 0 is blue.

    Raises OptionError for an unknown colour map and for a map that is not normalised.
    """
    map = np.asarray(map)
    if map.ndim != 2 or map.size == 0:
        raise OptionError(f"a map to draw is [H, W] and not empty, got shape {list(map.shape)}")
    if not (map.min() >= -1e-6 and map.max() <= 1 + 1e-6):
        raise OptionError(f"a map to draw lies in 0..1, got {map.min():.3g}..{map.max():.3g}; call normalize first")
    levels = np.rint(map * 255).clip(0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, _table(colormap)), cv2.COLOR_BGR2RGB)


def _table(colormap: str) -> np.ndarray:
    """The 256 colours of a colour map, uint8 [256, 1, 3], BGR as cv2 wants them."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    if colormap in _CV2_COLORMAPS:
        return cv2.applyColorMap(levels, _CV2_COLORMAPS[colormap])
    if colormap != "diverging":
        raise OptionError(f"unknown colour map {colormap!r}; possible: {', '.join(COLORMAPS)}")
    stops = np.linspace(0, 255, len(_DIVERGING))
    channels = [np.interp(levels[:, 0], stops, _DIVERGING[:, channel]) for channel in (2, 1, 0)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)[:, np.newaxis]


def overlay(
    image: np.ndarray, map: np.ndarray, colormap: str = "jet", alpha: float = 0.5, seen: Optional[Box] = None
) -> np.ndarray:
    """The heat map over the photograph: (1 - alpha) * image + alpha * colours, uint8 [H, W, 3] RGB.

    image: uint8 [H, W, 3] RGB. map: normalised [H, W], 0..1. seen: the box (top, left, bottom, right) that the net
    saw, default everything; outside it the photograph stays untouched.
    Raises OptionError for other shapes and for alpha outside 0..1.
    """
    _check_rgb(image)
    if np.shape(map) != image.shape[:2]:
        raise OptionError(
            f"map {list(np.shape(map))} and picture {list(image.shape)} differ in size; place the map first"
        )
    if not 0 <= alpha <= 1:
        raise OptionError(f"alpha is between 0 (photograph only) and 1 (heat map only), got {alpha}")
    top, left, bottom, right = seen or (0, 0, *image.shape[:2])
    result = image.copy()
    part = np.ascontiguousarray(image[top:bottom, left:right])
    colours = colorize(map[top:bottom, left:right], colormap)
    result[top:bottom, left:right] = cv2.addWeighted(part, 1 - alpha, colours, alpha, 0)
    return result


def guided_picture(saliency: np.ndarray, percentile: float = 99.5) -> np.ndarray:
    """Signed saliency [H, W, 3] or [H, W, 1] as uint8 [H, W, 3] RGB on mid-gray (128 = zero).

    The given percentile of the non-zero magnitudes becomes full contrast: a few extreme pixels, which every such
    picture has, would otherwise leave the rest gray. Raises OptionError for other shapes, GradCamError if not finite.
    """
    saliency = np.asarray(saliency, np.float32)
    if saliency.ndim != 3 or saliency.shape[2] not in (1, 3) or 0 in saliency.shape:
        raise OptionError(f"saliency to draw is [H, W, 3] or [H, W, 1] and not empty, got {list(saliency.shape)}")
    _check_finite(saliency)
    magnitudes = np.abs(saliency).ravel()
    magnitudes = magnitudes[magnitudes > 0]
    # A million values settle a percentile; sorting tens of millions takes seconds.
    sample = magnitudes[:: max(1, magnitudes.size // 1_000_000)]
    scale = float(np.percentile(sample, percentile)) if sample.size else None
    gray = np.rint(255 * normalize(saliency, signed=True, scale=scale)).astype(np.uint8)
    return np.repeat(gray, 3, axis=2) if gray.shape[2] == 1 else gray


def write_png(path: str, rgb: np.ndarray) -> None:
    """Write uint8 [H, W, 3] RGB as a PNG file, whole or not at all: other readers never see half a picture.

    Raises OSError naming the path where it cannot be written, OptionError where the array is no picture.
    """
    _check_rgb(rgb)
    done, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    if not done:
        raise OptionError(f"the picture {list(rgb.shape)} for {path!r} cannot be written as PNG")
    write_whole(path, data.tobytes(), "picture")


def _check_finite(map: np.ndarray) -> None:
    if not np.all(np.isfinite(map)):
        raise GradCamError("the map holds NaN or infinity: the net's activations or gradients overflow on this picture")


def _check_rgb(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        kind = getattr(image, "dtype", type(image).__name__)
        raise OptionError(f"a picture is uint8 [H, W, 3] RGB, got {kind} {list(np.shape(image))}")
    if image.size == 0:
        raise OptionError(f"the picture {list(image.shape)} has no pixels")
