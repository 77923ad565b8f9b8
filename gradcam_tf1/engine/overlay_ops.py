"""Draw maps on images with symbolic ops, as `drawing.overlay` does with arrays: one function of the two tensors."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from gradcam_tf1.drawing.overlay import color_table, tints
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.preprocessing import LUMINANCE
from gradcam_tf1.images.resampling import in_cells
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Cells


def overlay_images(
    images: tf.Tensor, maps: tf.Tensor, cells: Optional[Cells], style: Style, rectified: bool, against: bool = False
) -> tf.Tensor:
    """Return the maps drawn on the images: uint8 [N, H, W, 3], RGB.

    It equals `Map.overlay(style)` of images at the input's size, up to one gray level from rounding.

    Parameters
    ----------
    images : tf.Tensor
        uint8 [N, H, W, 3], RGB. H and W are fixed.
    maps : tf.Tensor
        float32 [N, h, w], before the closing ReLU. h and w are fixed.
    cells : Cells or None
        Where the maps' cells lie on the images; None divides them evenly.
    style : Style
        How the maps are drawn.
    rectified : bool
        Whether a ReLU closes the maps.
    against : bool
        Whether high values are evidence against the class.

    Raises
    ------
    OptionError
        If the style has no symbolic form, or a size is not fixed.
    """
    check_symbolic(style)
    sides = fixed_sides(images, 1)
    fixed_sides(maps, 1)
    maps = usable_maps(maps)
    heat = placed_maps(tf.maximum(maps, 0.0) if rectified else maps, sides, cells)
    return tinted(images, heat, maps, style, rectified, against)


def usable_maps(maps: tf.Tensor) -> tf.Tensor:
    """Return the maps, float32 [N, ...], with zeros in place of each that holds NaN or infinity."""
    usable = tf.reduce_all(tf.math.is_finite(maps), axis=list(range(1, maps.shape.rank)), keepdims=True)
    return tf.where_v2(usable, maps, 0.0)


def placed_maps(maps: tf.Tensor, sides: Sequence[int], cells: Optional[Cells]) -> tf.Tensor:
    """Return maps of a layer on the pixels of the input, as `resampling.upsample` does.

    Parameters
    ----------
    maps : tf.Tensor
        float32 [N, h, w], or as many axes behind the first as there are sides. All of these are fixed.
    sides : sequence of int
        The sides of the input.
    cells : Cells or None
        Where the maps' cells lie on it; None divides it evenly.

    Returns
    -------
    tf.Tensor
        float32 [N, H, W].
    """
    for axis, side in enumerate(sides):
        count = int(maps.shape[axis + 1])
        maps = _interpolated(maps, axis + 1, in_cells(np.arange(side) + 0.5, side, count, cells, axis), count)
    return maps


def tinted(
    images: tf.Tensor, heat: tf.Tensor, maps: tf.Tensor, style: Style, rectified: bool, against: bool
) -> tf.Tensor:
    """Draw placed maps, float32 [N, H, W], on images, uint8 or float 0..255; `maps` before the ReLU make the scale."""
    high = tf.reduce_max(maps, axis=[1, 2], keepdims=True)
    scale = tf.reduce_max(tf.abs(maps), axis=[1, 2], keepdims=True) if style.signed else high
    shown = tf.reduce_max(maps if rectified else tf.abs(maps), axis=[1, 2]) > 0
    levels = _levels(-heat if against and style.signed else heat, scale, style.signed)
    images = tf.cast(images, tf.float32)
    # an empty map in colours would look like a result; this op takes whole images, and where_v2 pixel by pixel
    drawn = tf.raw_ops.Select(condition=shown, x=_DRAWN[style.style](images, levels, style), y=images)
    return tf.cast(tf.clip_by_value(drawn + 0.5, 0.0, 255.0), tf.uint8)


def check_symbolic(style: Style) -> None:
    """Raise OptionError for a style without symbolic form."""
    if style.style not in _DRAWN:
        raise OptionError(f"style {style.style!r} has no symbolic form; possible: {', '.join(_DRAWN)}")
    if style.box is not None:
        raise OptionError("a box has no symbolic form; leave box out, or draw the map with overlay")


def fixed_sides(tensor: tf.Tensor, first: int) -> Sequence[int]:
    """Return the lengths of two axes. Raises OptionError if one is free."""
    sides: Sequence[int] = tensor.shape.as_list()[first : first + 2]
    if None in sides:
        raise OptionError(f"'{tensor.name}' has the shape {tensor.shape}; a symbolic overlay needs fixed sides")
    return sides


def _interpolated(maps: tf.Tensor, axis: int, positions: np.ndarray, count: int) -> tf.Tensor:
    """Interpolate as `resampling.interpolate`, bit by bit: a level more or less is another colour.

    A gather copies what lies behind its axis at once, number by number along the last; so the axis goes to the front.
    """
    clamped = np.clip(np.round(positions, 9), 0, count - 1)
    low = clamped.astype(np.int32)
    order = list(range(maps.shape.rank))
    order[1], order[axis] = axis, 1
    maps = maps if axis == 1 else tf.transpose(maps, order)
    below, above = (tf.gather(maps, index, axis=1) for index in (low, np.minimum(low + 1, count - 1)))
    between = (clamped - low).astype(np.float32).reshape([-1] + [1] * (maps.shape.rank - 2))
    placed = below + (above - below) * between
    return placed if axis == 1 else tf.transpose(placed, order)


def _levels(heat: tf.Tensor, scale: tf.Tensor, signed: bool) -> tf.Tensor:
    """Return the numbers of the colours: int32 0..255; see `overlay.normalize`."""
    share = tf.math.divide_no_nan(heat, scale)
    share = 0.5 + 0.5 * tf.clip_by_value(share, -1.0, 1.0) if signed else tf.clip_by_value(share, 0.0, 1.0)
    return tf.cast(tf.round(255.0 * share), tf.int32)


def _coloured(table: np.ndarray, levels: tf.Tensor, factor: float = 1.0) -> tf.Tensor:
    return tf.gather(tf.cast(tf.constant(np.asarray(table[:, 0], np.uint8)), tf.float32) * factor, levels)


def _overlay(images: tf.Tensor, levels: tf.Tensor, style: Style) -> tf.Tensor:
    kept, added = tints(style.colormap, float(style.alpha))
    return images * _coloured(kept, levels, 1 / 255) + _coloured(added, levels)


def _blend(images: tf.Tensor, levels: tf.Tensor, style: Style) -> tf.Tensor:
    return (1.0 - style.alpha) * images + style.alpha * _coloured(color_table(style.colormap), levels)


def _gray_background(images: tf.Tensor, levels: tf.Tensor, style: Style) -> tf.Tensor:
    weights = tf.constant(LUMINANCE, tf.float32)
    return _blend(tf.round(tf.reduce_sum(images * weights, axis=-1, keepdims=True)), levels, style)


_DRAWN: Dict[str, Callable[[Any, Any, Style], Any]] = {
    "overlay": _overlay,
    "blend": _blend,
    "gray-background": _gray_background,
}
