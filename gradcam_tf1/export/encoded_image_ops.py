"""Decode images inside a graph and fit them to the net's input, as `images.decode` and `images.geometry.fit` do."""

from __future__ import annotations

from typing import Callable, Dict, Tuple

import numpy as np

from gradcam_tf1.images.geometry import CROP_SHARE, LETTERBOX_GRAY, Size
from gradcam_tf1.tf_runtime import tf

DIFFERENCES = "orientation records (EXIF) are not applied and 16-bit values lose their lower half"


def decoded_images(encoded: tf.Tensor, sides: Size, mode: str) -> tf.Tensor:
    """Decode images and fit each to the size of the input.

    Parameters
    ----------
    encoded : tf.Tensor
        string [N], JPEG, PNG, or GIF of one frame.
    sides : (int, int)
        Height and width of the input.
    mode : {"stretch", "center-crop", "letterbox"}
        As in `geometry.fit`.

    Returns
    -------
    tf.Tensor
        float32 [N, H, W, 3], RGB, 0..255.
    """
    images = tf.map_fn(lambda data: _FITS[mode](_decoded(data), sides), encoded, tf.float32)
    images.set_shape([encoded.shape[0], *sides, 3])
    return images


def _decoded(data: tf.Tensor) -> tf.Tensor:
    """Decode one image to float32 [h, w, 3], transparency on white. The kernel of this op reads the other kinds too."""
    raw = tf.io.decode_jpeg(data, channels=0, dct_method="INTEGER_ACCURATE")  # the method of other readers
    pixels = tf.cast(raw, tf.float32)  # gray, gray and alpha, RGB, or RGB and alpha
    channels = tf.shape(pixels)[2]
    colours = tf.gather(pixels, tf.where_v2(channels < 3, [0, 0, 0], [0, 1, 2]), axis=2)
    opaque = tf.where_v2(tf.equal(channels % 2, 0), pixels[..., -1:] / 255.0, 1.0)
    return tf.round(colours * opaque + 255.0 * (1.0 - opaque))


def _resized(image: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Resize as `geometry.fit`: shrinking averages areas, enlarging is bilinear. int32 [2] -> float32 [h, w, 3]."""
    smaller = tf.minimum(size, tf.shape(image)[:2])
    image = tf.raw_ops.ResizeArea(images=image[tf.newaxis], size=smaller)
    return tf.raw_ops.ResizeBilinear(images=image, size=size, half_pixel_centers=True)[0]


def _stretch(image: tf.Tensor, sides: Size) -> tf.Tensor:
    return _resized(image, tf.constant(sides))


def _center_crop(image: tf.Tensor, sides: Size) -> tf.Tensor:
    original = tf.shape(image)[:2]
    unit = CROP_SHARE * tf.reduce_min(tf.cast(original, tf.float64) / np.float64(sides))
    box = _scaled(tf.constant(sides), unit)
    start = (original - box) // 2
    return _resized(tf.slice(image, tf.concat([start, [0]], 0), tf.concat([box, [3]], 0)), tf.constant(sides))


def _letterbox(image: tf.Tensor, sides: Size) -> tf.Tensor:
    original = tf.shape(image)[:2]
    unit = tf.reduce_min(np.float64(sides) / tf.cast(original, tf.float64))
    size = _scaled(original, unit)
    before = (tf.constant(sides) - size) // 2
    bars = tf.stack([before, tf.constant(sides) - size - before], axis=1)
    inside = _resized(image, size) - LETTERBOX_GRAY
    return tf.pad(inside, tf.concat([bars, [[0, 0]]], axis=0)) + LETTERBOX_GRAY


def _scaled(lengths: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    scaled = tf.round(tf.cast(lengths, tf.float64) * factor)
    return tf.maximum(tf.cast(scaled, tf.int32), 1)


_FITS: Dict[str, Callable[[tf.Tensor, Tuple[int, int]], tf.Tensor]] = {
    "stretch": _stretch,
    "center-crop": _center_crop,
    "letterbox": _letterbox,
}
