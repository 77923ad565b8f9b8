"""Drawing: maps in colours, on photographs, saliency as an image; PNG files written whole. No TensorFlow here."""

from __future__ import annotations

from functools import lru_cache
from typing import Optional, Tuple

import cv2
import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.errors import GradCamError, OptionError

_CV2_COLORMAPS = {
    "jet": cv2.COLORMAP_JET,
    "turbo": cv2.COLORMAP_TURBO,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "inferno": cv2.COLORMAP_INFERNO,
}
# Low, middle, high of the diverging map: blue speaks against the class, white is zero, red speaks for it.
_DIVERGING = np.array([[0, 30, 220], [110, 160, 255], [250, 250, 250], [255, 140, 100], [220, 0, 0]], np.float64)
COLORMAPS = (*_CV2_COLORMAPS, "diverging")

# What zlib does with the pixels of a PNG. In a photograph it looks for repeats in vain: codes for single bytes give the
# same size in three quarters of the time. Smooth colours do repeat, and become half as large as in cv2's own way.
# No level is given, since cv2 then leaves its fast filter for a slow one.
PHOTOGRAPH, SMOOTH, DRAWN = (
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    cv2.IMWRITE_PNG_STRATEGY_DEFAULT,
    cv2.IMWRITE_PNG_STRATEGY_RLE,
)

ALPHA = 0.6  # the most that a heat map covers of the photograph

Box = Tuple[int, int, int, int]


def normalize(map: np.ndarray, signed: bool = False, scale: Optional[float] = None) -> np.ndarray:
    """A raw map as float32 in 0..1, same shape: map / scale, negatives cut to 0; all-zero stays zero, never NaN.

    scale: what becomes 1, default the map's own maximum; pass the larger maximum of two maps to show them on one scale.
    signed: 0.5 + 0.5 * map / scale instead, scale being the largest magnitude: 0.5 is zero.
    Normalise after placing the map on the image, not before. Raises GradCamError where the map is not finite.
    """
    map = np.asarray(map, np.float32)
    low, high = _ends(map)
    if scale is None:
        scale = max(-low, high) if signed else high
    if scale <= 0:
        return np.full(map.shape, 0.5 if signed else 0.0, np.float32)
    lowest = -scale if signed else 0.0
    if low < lowest or high > scale:
        map = np.clip(map, lowest, scale)
    share = map / np.float32(scale)
    if signed:
        share *= 0.5
        share += 0.5
    return share


def colorize(map: np.ndarray, colormap: str = "jet") -> np.ndarray:
    """A normalised map [H, W], 0..1, in colours: uint8 [H, W, 3] RGB; in jet 1 is red and 0 is blue.

    Raises OptionError for an unknown colour map and for a map that is not normalised.
    """
    map = np.asarray(map, np.float32)
    if map.ndim != 2 or map.size == 0:
        raise OptionError(f"a map to draw is [H, W] and not empty, got shape {list(map.shape)}")
    low, high = map.min(), map.max()
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise OptionError(f"a map to draw lies in 0..1, got {low:.3g}..{high:.3g}; call normalize first")
    return cv2.applyColorMap(_levels(map), _table(colormap))


def _levels(map: np.ndarray) -> np.ndarray:
    """A normalised float32 map of up to 3 axes as uint8, 0..255: rounded to the nearest, halves to the even one."""
    return cv2.convertScaleAbs(map, alpha=255)


@lru_cache(maxsize=None)
def _table(colormap: str) -> np.ndarray:
    """The 256 colours of a colour map, uint8 [256, 1, 3], RGB, not to be written to."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    if colormap in _CV2_COLORMAPS:
        return cv2.cvtColor(cv2.applyColorMap(levels, _CV2_COLORMAPS[colormap]), cv2.COLOR_BGR2RGB)
    if colormap != "diverging":
        raise OptionError(f"unknown colour map {colormap!r}; possible: {', '.join(COLORMAPS)}")
    stops = np.linspace(0, 255, len(_DIVERGING))
    channels = [np.interp(levels[:, 0], stops, values) for values in _DIVERGING.T]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)[:, np.newaxis]


def overlay(
    image: np.ndarray, map: np.ndarray, colormap: str = "jet", alpha: float = ALPHA, seen: Optional[Box] = None
) -> np.ndarray:
    """The photograph, tinted where the map is hot: image + a * (colours - image), uint8 [H, W, 3] RGB.

    a = alpha * map, or alpha * |2 map - 1| with the diverging colour map, whose zero is 0.5: where the map says nothing
    the photograph keeps its colours.
    Args: image: uint8 [H, W, 3] RGB. map: normalised [H, W], 0..1. alpha: the most that a colour covers, 0..1. seen:
        the box (top, left, bottom, right) that the net saw, default everything; outside it the photograph stays.
    Raises OptionError for other shapes and for alpha outside 0..1.
    """
    _check_rgb(image)
    if np.shape(map) != image.shape[:2]:
        raise OptionError(
            f"map {list(np.shape(map))} and image {list(image.shape)} differ in size; place the map first"
        )
    check_alpha(alpha)
    height, width = image.shape[:2]
    top, left, bottom, right = seen or (0, 0, height, width)
    result = image.copy()
    part = result[top:bottom, left:right]
    levels = _levels(np.asarray(map, np.float32)[top:bottom, left:right])
    kept, added = _tints(colormap, float(alpha))
    result[top:bottom, left:right] = cv2.add(
        cv2.multiply(part, cv2.applyColorMap(levels, kept), scale=1 / 255), cv2.applyColorMap(levels, added)
    )
    return result


def check_alpha(alpha: float) -> None:
    """Raises: OptionError where it is no share."""
    if not 0 <= alpha <= 1:
        raise OptionError(f"alpha is between 0 (photograph only) and 1 (heat map only), got {alpha}")


@lru_cache(maxsize=8)
def _tints(colormap: str, alpha: float) -> Tuple[np.ndarray, np.ndarray]:
    """For each of 256 levels how much of the photograph stays, 0..255, and what is added: two uint8 [256, 1, 3]."""
    levels = np.linspace(0, 1, 256)[:, np.newaxis, np.newaxis]
    # 0.5 is no level: the two beside it count as zero
    strength = alpha * ((np.abs(510 * levels - 255) - 1) / 254 if colormap == "diverging" else levels)
    kept = np.repeat(np.rint(255 * (1 - strength)), 3, axis=2)
    return kept.astype(np.uint8), np.rint(strength * _table(colormap)).astype(np.uint8)


def blend(image: np.ndarray, colours: np.ndarray, alpha: float, seen: Box) -> np.ndarray:
    """(1 - alpha) * image + alpha * colours inside `seen`, the image outside; all uint8 [H, W, 3] RGB."""
    top, left, bottom, right = seen
    result = image.copy()
    part = result[top:bottom, left:right]
    cv2.addWeighted(part, 1 - alpha, colours[top:bottom, left:right], alpha, 0, dst=part)
    return result


def guided_image(saliency: np.ndarray, scale: Optional[float] = None) -> np.ndarray:
    """Signed saliency [H, W, 3] or [H, W, 1] as uint8 [H, W, 3] RGB on mid-gray (128 = zero).

    scale: the magnitude that becomes full contrast, `contrast(saliency)` where it is not given. Raises OptionError for
    other shapes, GradCamError if not finite.
    """
    saliency = np.asarray(saliency, np.float32)
    if saliency.ndim != 3 or saliency.shape[2] not in (1, 3) or 0 in saliency.shape:
        raise OptionError(f"saliency to draw is [H, W, 3] or [H, W, 1] and not empty, got {list(saliency.shape)}")
    full = contrast(saliency) if scale is None else scale
    gray = _levels(normalize(saliency, signed=True, scale=full))
    return cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB) if saliency.shape[2] == 1 else gray


def contrast(saliency: np.ndarray, percentile: float = 99.5) -> Optional[float]:
    """The given percentile of the non-zero magnitudes, None where all are zero.

    A few extreme pixels, which every such image has, would otherwise leave the rest gray. Raises: GradCamError where
    not all are finite.
    """
    magnitudes = np.abs(np.asarray(saliency, np.float32)).ravel()
    _ends(magnitudes)
    magnitudes = magnitudes[magnitudes > 0]
    # A million values settle a percentile; looking at tens of millions takes long.
    sample = magnitudes[:: max(1, magnitudes.size // 1_000_000)]
    return _high_percentile(sample, percentile) if sample.size else None


def _high_percentile(values: np.ndarray, share: float) -> float:
    """np.percentile(values, share) of float32 [N], several times faster: only the few largest are put in order."""
    place = (values.size - 1) * share / 100
    below = int(place)
    some = values[:: max(1, values.size // 10_000)]
    largest = values[values >= np.percentile(some, max(0.0, share - 1))]
    if values.size - largest.size > below:  # the guess was too high
        largest = values
    first = below - (values.size - largest.size)
    second = min(first + 1, largest.size - 1)
    ordered = np.partition(largest, [first, second])
    return float(ordered[first]) + (float(ordered[second]) - float(ordered[first])) * (place - below)


def write_png(path: str, rgb: np.ndarray, strategy: int = DRAWN) -> None:
    """Write uint8 [H, W, 3] RGB as a PNG file, whole or not at all: other readers never see half an image.

    strategy: PHOTOGRAPH, SMOOTH or DRAWN; the same pixels, packed in the way that is best for such images.
    Raises OSError naming the path where it cannot be written, OptionError where the array is no image.
    """
    _check_rgb(rgb)
    done, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_STRATEGY, strategy])
    if not done:
        raise OptionError(f"the image {list(rgb.shape)} for {path!r} cannot be written as PNG")
    write_whole(path, data.data, "image")


def _ends(map: np.ndarray) -> Tuple[float, float]:
    """The lowest value or 0, the highest value or 0. Raises GradCamError where not all values are finite."""
    ends = float(np.min(map, initial=0.0)), float(np.max(map, initial=0.0))
    if not np.isfinite(ends).all():  # NaN is the end of whatever it is among
        raise GradCamError("the map holds NaN or infinity: the net's activations or gradients overflow on this image")
    return ends


def _check_rgb(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        kind = getattr(image, "dtype", type(image).__name__)
        raise OptionError(f"an image is uint8 [H, W, 3] RGB, got {kind} {list(np.shape(image))}")
    if image.size == 0:
        raise OptionError(f"the image {list(image.shape)} has no pixels")
