"""Fit an image to a net's input and place maps back on the image. No TensorFlow here.

Coordinates are half-pixel: pixel i covers [i, i + 1) and its centre is i + 0.5, as in cv2.INTER_LINEAR and
tf.compat.v2.image.resize. Sizes are (height, width); boxes are (top, left, bottom, right), the last two exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import cv2
import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.images.resampling import centres as centres
from gradcam_tf1.images.resampling import in_cells, interpolate
from gradcam_tf1.images.resampling import resample as resample
from gradcam_tf1.images.resampling import stretched as stretched
from gradcam_tf1.images.resampling import upsample as upsample
from gradcam_tf1.types import Cells

Size = Tuple[int, int]
FreeSize = Tuple[Optional[int], Optional[int]]
Box = Tuple[int, int, int, int]

SHORT_SIDE = 224
# The usual ImageNet evaluation crop: short side to 256, the central 224 of it.
CROP_SHARE = 224 / 256
# Mid-gray is close to zero after every usual preprocessing, so that the bars affect the net little.
LETTERBOX_GRAY = 127.0
MAX_FITTED_PIXELS = 25_000_000
_AT_ONCE = (2, 3, 4)  # numbers of channels that cv2 resizes together with every interpolation


@dataclass(frozen=True)
class Placement:
    """How one image was fitted to the net's input.

    Attributes
    ----------
    original : tuple of int
        (height, width) of the image.
    fitted : tuple of int
        (height, width) of the net's input.
    seen : tuple of int
        Box (top, left, bottom, right) of the image that the net saw, the last two exclusive.
    inside : tuple of int
        Box of the input that those pixels fill.
    """

    original: Size
    fitted: Size
    seen: Box
    inside: Box

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """Place a map over the net's input on the original image.

        The interpolation is bilinear, in one step from the map's cells to the image's pixels, and clamped at the
        centres of the outer cells.

        Parameters
        ----------
        map : np.ndarray
            Float [h, w] or [h, w, C], of any size.
        cells : Cells, optional
            Where the map's cells lie on the input. By default they divide it evenly.

        Returns
        -------
        np.ndarray
            float32 [H, W] or [H, W, C]; 0 outside `seen`.

        Raises
        ------
        OptionError
            If the map has another number of axes, or is empty.
        """
        map = np.asarray(map, np.float32)
        if map.ndim not in (2, 3) or 0 in map.shape:
            raise OptionError(f"a map is [h, w] or [h, w, C] and not empty, got shape {list(map.shape)}")
        top, left, bottom, right = self.seen
        rows = interpolate(map, 0, self._positions(0, map.shape[0], cells))
        # transposed: numpy takes whole rows several times faster than single cells of each row
        columns = interpolate(_transposed(rows), 0, self._positions(1, map.shape[1], cells))
        seen = _transposed(columns)
        if self.seen == _whole(self.original):
            return seen
        placed = np.zeros(self.original + map.shape[2:], np.float32)
        placed[top:bottom, left:right] = seen
        return placed

    def _positions(self, axis: int, count: int, cells: Optional[Cells]) -> np.ndarray:
        """Return the positions of the pixels of `seen` along an axis, counted in the map's `count` cells."""
        first, last = self.seen[axis], self.seen[axis + 2]
        start, stop = self.inside[axis], self.inside[axis + 2]
        centres = (np.arange(last - first) + 0.5) / (last - first)
        return in_cells(start + centres * (stop - start), self.fitted[axis], count, cells, axis)


@dataclass(frozen=True)
class Fitted:
    """An image at the size of the net's input.

    Attributes
    ----------
    pixels : np.ndarray
        float32 [h, w, 3], RGB, 0..255; [h, w, bands] for a net with other than 1 or 3 channels.
    placement : Placement
        How the image was fitted; it places maps back on the original.
    """

    pixels: np.ndarray
    placement: Placement


def fit(image: np.ndarray, size: FreeSize, mode: str = "stretch", short_side: int = SHORT_SIDE) -> Fitted:
    """Fit an image to the input size of a net. Shrinking averages areas, enlarging is bilinear.

    Parameters
    ----------
    image : np.ndarray
        uint8 or float [H, W, 3], RGB, 0..255, or [H, W, bands].
    size : tuple
        (height, width) of the input, None for a free side.
    mode : {"stretch", "short-side", "center-crop", "letterbox"}
        "stretch" resizes each side to `size`; a free side keeps its length. "short-side" resizes the shorter side to
        `short_side` and keeps the aspect ratio, for inputs with two free sides. "center-crop" cuts out the largest
        central box of the input's aspect ratio, scaled by 0.875, and resizes it. "letterbox" resizes the whole image
        and adds gray bars (127). In the last two, a free side is as long as the other one, or `short_side`.
    short_side : int
        Length of the shorter side, in pixels.

    Returns
    -------
    Fitted

    Raises
    ------
    OptionError
        If the mode is unknown or does not suit `size`, or the image is not [H, W, channels].
    ImageFileError
        If "short-side" makes more than 25 million pixels of a very long image.
    """
    check_fit(mode)
    image = np.asarray(image)
    if image.ndim != 3 or 0 in image.shape:
        raise OptionError(f"an image is [H, W, channels] and not empty, got shape {list(image.shape)}")
    placement = _MODES[mode]((image.shape[0], image.shape[1]), size, short_side)
    top, left, bottom, right = placement.seen
    start, first, stop, last = placement.inside
    pixels = _resize(image[top:bottom, left:right], (stop - start, last - first))
    if pixels.shape[:2] != placement.fitted:
        canvas = np.full((*placement.fitted, image.shape[2]), LETTERBOX_GRAY, np.float32)
        canvas[start:stop, first:last] = pixels
        pixels = canvas
    return Fitted(pixels, placement)


def fit_to_input(image: np.ndarray, fixed: FreeSize, wanted: FreeSize, mode: str) -> Fitted:
    """Fit an image to an input whose free sides get the requested length.

    Parameters
    ----------
    image : np.ndarray
        uint8 or float [H, W, 3], RGB, 0..255, or [H, W, bands].
    fixed : tuple
        (height, width) of the net's input, None for a free side.
    wanted : tuple
        Requested (height, width), None for a side that is left to the mode. With "short-side" it is the length of the
        shorter side.
    mode : {"stretch", "short-side", "center-crop", "letterbox"}
        How the sides are matched; see `fit`.

    Returns
    -------
    Fitted

    Raises
    ------
    OptionError
        As `fit`, and if `wanted` differs from a fixed side.
    ImageFileError
        As `fit`.
    """
    for side, have, want in zip(("height", "width"), fixed, wanted):
        if have is not None and want not in (None, have):
            raise OptionError(f"the net's input has {side} {have}, not {want}; leave the size out")
    return fit(image, *_sides(fixed, wanted, mode))


def placement_on_input(original: Size, fixed: FreeSize, wanted: FreeSize, mode: str) -> Placement:
    """Return how `fit_to_input` places an image of this size, without the image; the same arguments and errors."""
    check_fit(mode)
    size, _, short_side = _sides(fixed, wanted, mode)
    return _MODES[mode](original, size, short_side)


def _sides(fixed: FreeSize, wanted: FreeSize, mode: str) -> Tuple[FreeSize, str, int]:
    """Return the arguments of `fit` besides the image."""
    if mode == "short-side":
        return fixed, mode, wanted[0] or wanted[1] or SHORT_SIDE
    return (fixed[0] or wanted[0], fixed[1] or wanted[1]), mode, SHORT_SIDE


def _transposed(values: np.ndarray) -> np.ndarray:
    """Swap rows and columns: float32 [H, W] to [W, H], [H, W, C] to [W, H, C]."""
    if values.shape[2:] in ((), (3,), (4,)):
        return cv2.transpose(values)
    return np.ascontiguousarray(values.swapaxes(0, 1))  # cv2 drops an axis of one channel, and refuses many channels


def _resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize to float32 [h, w, channels], axis by axis: cv2.INTER_AREA averages areas only where both axes shrink."""
    if image.shape[2] not in _AT_ONCE:
        bands = [_resize(np.repeat(image[..., [k]], 3, axis=2), size)[..., :1] for k in range(image.shape[2])]
        return np.concatenate(bands, axis=2)
    image = np.ascontiguousarray(image, np.float32)
    smaller = (min(size[0], image.shape[0]), min(size[1], image.shape[1]))
    for target, interpolation in ((smaller, cv2.INTER_AREA), (size, cv2.INTER_LINEAR)):
        if image.shape[:2] != target:
            image = cv2.resize(image, target[::-1], interpolation=interpolation)
    return image


def _whole(size: Size) -> Box:
    return (0, 0, size[0], size[1])


def check_fit(mode: Any) -> None:
    """Raise OptionError for an unknown fit mode."""
    if mode not in FIT_MODES:
        raise OptionError(f"unknown fit {mode!r}; possible: {', '.join(FIT_MODES)}")


def free_size(size: Any) -> FreeSize:
    """Return a size as (height, width), None for a free side.

    Parameters
    ----------
    size : int, tuple or None
        224 stands for (224, 224), None for two free sides.

    Returns
    -------
    tuple

    Raises
    ------
    OptionError
        If `size` is anything else.
    """
    sides: Union[Tuple[Any, ...], List[Any]] = (size, size) if size is None or _is_length(size) else size
    if isinstance(sides, (tuple, list)) and len(sides) == 2 and all(s is None or _is_length(s) for s in sides):
        return (None if sides[0] is None else int(sides[0]), None if sides[1] is None else int(sides[1]))
    raise OptionError(f"size is {size!r}; give pixels: 224, or (height, width), None for a side that is free")


def _is_length(side: Any) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and bool(side > 0)


def _stretch(original: Size, size: FreeSize, _short_side: int) -> Placement:
    fitted = (size[0] or original[0], size[1] or original[1])
    return Placement(original, fitted, _whole(original), _whole(fitted))


def _short_side(original: Size, size: FreeSize, short_side: int) -> Placement:
    if size != (None, None):
        raise OptionError(
            f"fit 'short-side' needs an input of free size, this one is {size[0]}x{size[1]}; "
            "possible: stretch, center-crop, letterbox"
        )
    shorter = min(original)
    fitted = (_scaled(original[0], short_side / shorter), _scaled(original[1], short_side / shorter))
    if fitted[0] * fitted[1] > MAX_FITTED_PIXELS:
        raise ImageFileError(
            f"an image of {original[0]}x{original[1]} (height x width) becomes {fitted[0]}x{fitted[1]} with its short "
            f"side at {short_side}, more than {MAX_FITTED_PIXELS:,} pixels; use a smaller side or another fit"
        )
    return Placement(original, fitted, _whole(original), _whole(fitted))


def _center_crop(original: Size, size: FreeSize, short_side: int) -> Placement:
    fitted = _fixed(size, short_side)
    # Cropped before resizing: the box has whole pixels of the original, so that a map is placed back exactly.
    unit = CROP_SHARE * min(original[0] / fitted[0], original[1] / fitted[1])
    height, width = _scaled(fitted[0], unit), _scaled(fitted[1], unit)
    top, left = (original[0] - height) // 2, (original[1] - width) // 2
    return Placement(original, fitted, (top, left, top + height, left + width), _whole(fitted))


def _letterbox(original: Size, size: FreeSize, short_side: int) -> Placement:
    fitted = _fixed(size, short_side)
    unit = min(fitted[0] / original[0], fitted[1] / original[1])
    height, width = _scaled(original[0], unit), _scaled(original[1], unit)
    top, left = (fitted[0] - height) // 2, (fitted[1] - width) // 2
    return Placement(original, fitted, _whole(original), (top, left, top + height, left + width))


def _scaled(length: int, factor: float) -> int:
    return max(1, round(length * factor))


def _fixed(size: FreeSize, short_side: int) -> Size:
    return (size[0] or size[1] or short_side, size[1] or size[0] or short_side)


_MODES: Dict[str, Callable[[Size, FreeSize, int], Placement]] = {
    "stretch": _stretch,
    "short-side": _short_side,
    "center-crop": _center_crop,
    "letterbox": _letterbox,
}
FIT_MODES = tuple(_MODES)
