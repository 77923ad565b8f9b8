"""From the images that an exported model takes to the input of its net, in ops."""

from __future__ import annotations

import numpy as np

from gradcam_tf1.images.preprocessing import GRAYS, Preprocessing
from gradcam_tf1.tf_runtime import numpy_dtype, tf
from gradcam_tf1.types import Binding


def prepared(images: tf.Tensor, preset: Preprocessing) -> tf.Tensor:
    """Return what `Preprocessing.__call__` makes of images: float32 [N, H, W, channels].

    Parameters
    ----------
    images : tf.Tensor
        float32 [N, H, W, 3], RGB, 0..255, or [N, H, W, bands].
    preset : Preprocessing
        The preprocessing.
    """
    if preset.gray is not None:
        images = tf.reduce_sum(images * np.array(GRAYS[preset.gray], np.float32), axis=-1, keepdims=True)
    elif preset.order == "bgr":
        images = tf.reverse(images, [-1])
    mean, std = np.array(preset.mean, np.float64), np.array(preset.std, np.float64)
    factor, shift = (preset.scale / std).astype(np.float32), (mean / std).astype(np.float32)
    values = images if (factor == 1).all() else images * factor
    return values - shift if shift.any() else values


def as_net_input(values: tf.Tensor, binding: Binding) -> tf.Tensor:
    """Bring prepared images [N, H, W, C] to the dtype and layout of the net's input, as a run feeds them."""
    dtype = numpy_dtype(binding.dtype)
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        values = tf.clip_by_value(tf.round(values), float(limits.min), float(limits.max))
    values = tf.cast(values, tf.as_dtype(dtype))
    if not binding.input_channels_last:
        values = tf.transpose(values, [0, 3, 1, 2])
    return values if binding.has_batch_axis else values[0]
