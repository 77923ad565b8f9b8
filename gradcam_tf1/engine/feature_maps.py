"""Layers of tokens and of clip frames as feature maps.

A layer of a clip net holds the frames of all clips on its first axis. A layer method is taken of each frame by itself:
Grad-CAM of frame t is ReLU(sum_k mean_ij(g_tk) A_tk), with the mean over the positions of that frame, A_t its features
and g_t = dy/dA_t of the clip's score. The maps of the frames are parts of one gradient, so they compare.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding

FRAME_AXES = 5  # of what a clip's frames have in a layer: [N, T, h, w, K]


def apart(tensor: tf.Tensor, binding: Binding, clips: tf.Tensor) -> tf.Tensor:
    """A layer's frames, [N * T, h, w, K], as those of each clip: [N, T, h, w, K]. clips: the input."""
    frames = tf.shape(clips)[1]
    first = [-1, frames] if binding.frame_order == "clips" else [frames, -1]
    parted = tf.reshape(tensor, tf.concat([first, tf.shape(tensor)[1:]], axis=0))
    parted = parted if binding.frame_order == "clips" else tf.transpose(parted, [1, 0, 2, 3, 4])
    parted.set_shape([None, clips.shape[1], *tensor.shape[1:]])
    return parted


def together(features: np.ndarray, binding: Binding) -> np.ndarray:
    """The way back: [N, T, ...] as the layer has it, [N * T, ...] or [T * N, ...]."""
    frames = features if binding.frame_order == "clips" else np.swapaxes(features, 0, 1)
    return frames.reshape((-1, *features.shape[2:]))


def by_frame(compute: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A layer method of images made one of clips: (features, grads), [N, T, h, w, K] each -> map [N, T, h, w]."""

    def of_clips(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
        sides = tf.shape(features)
        images = []
        for each in (features, grads):
            image = tf.reshape(each, tf.concat([[-1], sides[2:]], axis=0))
            image.set_shape([None, *features.shape[2:]])
            images.append(image)
        return tf.reshape(compute(*images), sides[:-1])

    return of_clips


def each_frame(compute: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same of a numpy method: (features, grads or None), [T, h, w, K] each -> map [T, h, w]."""

    def of_clip(features: np.ndarray, grads: Any = None, **options: Any) -> np.ndarray:
        gradients: List[Any] = [None] * len(features) if grads is None else list(grads)
        return np.stack([compute(a, g, **options) for a, g in zip(features, gradients)])

    return of_clip


def tokens_as_map(features: tf.Tensor, size: Tuple[Optional[int], Optional[int]] = (None, None)) -> tf.Tensor:
    """Tokens of an image, row by row, as [N, h, w, K]; one token more is taken for a class token in front.

    The grid has the shape of the image: h / w is that of `size`, (height, width), or 1 where a side is not known.
    Args: features: [N, h * w, K] or [N, 1 + h * w, K]. Raises: GradientError for any other number of tokens.
    """
    tokens, channels = features.shape.as_list()[1:]
    high, wide = size if None not in size else (1, 1)
    for extra in (0, 1) if tokens is not None else ():
        rows = round(((tokens - extra) * high / wide) ** 0.5)
        columns = (tokens - extra) // max(rows, 1)
        if rows * columns + extra == tokens and rows * wide == columns * high and rows:
            return tf.reshape(features[:, extra:], [-1, rows, columns, channels])
    shape = "a square image" if None in size else f"an image of {high}x{wide}"
    raise GradientError(
        f"a layer of tokens {features.shape} is no grid over {shape}, with or without a class token; override "
        "`reshape` of GradCamGraph to bring it to [N, h, w, K], or name another layer"
    )
