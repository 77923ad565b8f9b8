"""Fitting an image to a net's input and placing maps back on the image. No TensorFlow here.

All coordinates are half-pixel: pixel i covers [i, i + 1) and its centre is i + 0.5, as in cv2.INTER_LINEAR and
tf.compat.v2.image.resize. Sizes are (height, width), boxes (top, left, bottom, right), the last two exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.types import Cells

Size = Tuple[int, int]
FreeSize = Tuple[Optional[int], Optional[int]]
Box = Tuple[int, int, int, int]

SHORT_SIDE = 224
# The usual ImageNet evaluation crop: short side to 256, the central 224 of it.
CROP_SHARE = 224 / 256
# Mid-gray: close to zero after every usual preprocessing, so the bars excite the net little.
LETTERBOX_GRAY = 127.0
MAX_FITTED_PIXELS = 25_000_000
_AT_ONCE = (2, 3, 4)  # channels that cv2 resizes together and in every way


@dataclass(frozen=True)
class Placement:
    """How one image was fitted to the net's input.

    original: size of the image. fitted: size of the net's input.
    seen: box of the image that the net saw. inside: box of the input that those pixels fill.
    """

    original: Size
    fitted: Size
    seen: Box
    inside: Box

    def place(self, map: np.ndarray, cells: Optional[Cells] = None) -> np.ndarray:
        """A map over the net's input, [h, w] or [h, w, C] of any size, on the image: float32 [H, W] or [H, W, C].

        Bilinear, in one step from the map's cells to the image's pixels; clamped at the centres of the outer cells,
        0 outside `seen`. cells: where the map's cells lie on the input; None: stretched, they share it evenly.
        Raises OptionError for another number of axes.
        """
        map = np.asarray(map, np.float32)
        if map.ndim not in (2, 3) or 0 in map.shape:
            raise OptionError(f"a map is [h, w] or [h, w, C] and not empty, got shape {list(map.shape)}")
        top, left, bottom, right = self.seen
        placed = np.zeros(self.original + map.shape[2:], np.float32)
        rows = _interpolate(map, 0, self._positions(0, map.shape[0], cells))
        # with the columns laid down as rows: whole rows are picked several times faster than one cell of each
        columns = _interpolate(_turned(rows), 0, self._positions(1, map.shape[1], cells))
        placed[top:bottom, left:right] = _turned(columns)
        return placed

    def _positions(self, axis: int, count: int, cells: Optional[Cells]) -> np.ndarray:
        """Where among `count` cells along the axis the centres of the pixels of `seen` lie."""
        first, last = self.seen[axis], self.seen[axis + 2]
        start, stop = self.inside[axis], self.inside[axis + 2]
        centres = (np.arange(last - first) + 0.5) / (last - first)
        return _among(start + centres * (stop - start), self.fitted[axis], count, cells, axis)


@dataclass(frozen=True)
class Fitted:
    """An image at the size of the net's input. placement: the way back.

    pixels: float32 [h, w, 3] RGB, 0..255, or [h, w, bands] for a net of other than 1 and 3 channels.
    """

    pixels: np.ndarray
    placement: Placement


def fit(image: np.ndarray, size: FreeSize, mode: str = "stretch", short_side: int = SHORT_SIDE) -> Fitted:
    """Bring an image, [H, W, 3] RGB 0..255 or [H, W, bands], to the net's input size; a free side of `size` is None.

    stretch: both sides to `size`, a free side keeps its length. short-side: the shorter side to `short_side`, the other
    by ratio, for inputs free in both. center-crop: the largest central box of the input's shape, 0.875 of it, then
    resized. letterbox: the whole image, gray (127) bars around it. In these two a free side is as long as the
    other, or `short_side`. Shrinking averages areas, enlarging is bilinear.
    Raises OptionError for an unknown mode, a wrong image shape, or short-side on an input of fixed size.
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
    """`fit` to an input of this size, whose free sides become as long as was wanted.

    With short-side the size that was wanted says how long the shorter side becomes. Raises: OptionError as `fit`, and
    where another size was wanted than the input has.
    """
    for side, have, want in zip(("height", "width"), fixed, wanted):
        if have is not None and want not in (None, have):
            raise OptionError(f"the net's input has {side} {have}, not {want}; leave the size out")
    if mode == "short-side":
        return fit(image, fixed, mode, wanted[0] or wanted[1] or SHORT_SIDE)
    return fit(image, (fixed[0] or wanted[0], fixed[1] or wanted[1]), mode)


def upsample(maps: np.ndarray, size: Sequence[int], cells: Optional[Cells] = None) -> np.ndarray:
    """Maps of a layer, [..., h, w], on the pixels of the net's input: float32 [..., H, W]; bilinear.

    size: of the input, (H, W), or as many axes as the maps have there. cells: where the maps' cells lie on it, clamped
    at the outer centres; None: stretched, the cells share the input evenly.
    """
    return resample(maps, size, cells, [np.arange(length) + 0.5 for length in size])


def resample(maps: np.ndarray, size: Sequence[int], cells: Optional[Cells], points: Sequence[np.ndarray]) -> np.ndarray:
    """Maps [..., h, w] read at points of the net's input: float32 [..., len(points[0]), len(points[1])].

    points: for each axis coordinates on the input, in its pixels. size, cells: see `upsample`.
    """
    maps = np.asarray(maps, np.float32)
    axes = len(size)
    for axis, (length, at) in enumerate(zip(size, points)):
        place = axis - axes
        maps = _interpolate(maps, place, _among(at, length, maps.shape[place], cells, axis))
    return maps


def centres(cells: Cells, grid: Sequence[int]) -> List[np.ndarray]:
    """The centres of the cells of a map of `grid` cells on the net's input, for each axis."""
    return [offset + stride * np.arange(count) for offset, stride, count in zip(cells.offset, cells.stride, grid)]


def stretched(size: Sequence[int], grid: Sequence[int]) -> Cells:
    """The cells of a map of `grid` cells that share an input of `size` pixels evenly."""
    strides = tuple(length / count for length, count in zip(size, grid))
    return Cells(tuple(stride / 2 for stride in strides), strides)


def _among(points: np.ndarray, length: int, count: int, cells: Optional[Cells], axis: int) -> np.ndarray:
    """Points of an axis of `length` pixels, counted in cells: 0 is the centre of the first, count - 1 of the last."""
    if cells is None:
        return points / length * count - 0.5
    return (points - cells.offset[axis]) / cells.stride[axis]


def _interpolate(values: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Linear interpolation along one axis at positions counted in cells, clamped at the first and last centre.

    Two cells for each position rather than a matrix product: as exact, and six times faster for maps of 224 cells.
    """
    cells = values.shape[axis]
    at = np.clip(np.round(positions, 9), 0, cells - 1)  # rounded, so that an equal size is a plain copy
    low = at.astype(np.int64)
    result = np.take(values, low, axis)
    step = np.take(values, np.minimum(low + 1, cells - 1), axis)
    step -= result
    step *= (at - low).astype(np.float32).reshape([-1 if i == axis % values.ndim else 1 for i in range(values.ndim)])
    result += step
    return result


def _turned(values: np.ndarray) -> np.ndarray:
    """Rows and columns changed over: float32 [H, W] as [W, H], [H, W, C] as [W, H, C]."""
    if values.shape[2:] in ((), (3,), (4,)):
        return cv2.transpose(values)
    return np.ascontiguousarray(values.swapaxes(0, 1))  # cv2 loses an axis of one channel, and refuses many


def _resize(image: np.ndarray, size: Size) -> np.ndarray:
    """float32 [h, w, channels]; each axis by itself: cv2.INTER_AREA is an area mean only where both axes shrink."""
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
    """Raises: OptionError for an unknown mode."""
    if mode not in FIT_MODES:
        raise OptionError(f"unknown fit {mode!r}; possible: {', '.join(FIT_MODES)}")


def free_size(size: Any) -> FreeSize:
    """(height, width), None for a free side, of what people write: None, 224, or two numbers. Raises: OptionError."""
    sides = (size, size) if size is None or _is_length(size) else size
    if isinstance(sides, (tuple, list)) and len(sides) == 2 and all(s is None or _is_length(s) for s in sides):
        return (None if sides[0] is None else int(sides[0]), None if sides[1] is None else int(sides[1]))
    raise OptionError(f"size is {size!r}; give pixels: 224, or (height, width), None for a side that is free")


def _is_length(side: Any) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and side > 0


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
    # Cropped before resizing: whole pixels of the original, so that the map goes back exactly, and one resampling.
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
