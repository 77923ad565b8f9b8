"""Tensors of layers as feature maps [N, h, w, K]: layouts, tokens, the frames of clips; and layer methods on them.

A layer of a clip net holds the frames of all clips on its first axis. A layer method is applied to each frame by
itself: Grad-CAM of frame t is ReLU(sum_k mean_ij(g_tk) A_tk), with the mean over the positions of that frame, A_t its
features and g_t = dy/dA_t of the clip's score. The maps of the frames are parts of one gradient, so they compare.
"""

from __future__ import annotations

from typing import Callable, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.scoring.map_layout import layout_of
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import Binding, LayerInfo

FRAME_AXES = 5  # of the frames of clips in a layer: [N, T, h, w, K]

Compute = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]  # (features, grads) -> map


def channels_last(tensor: tf.Tensor, layer: LayerInfo) -> tf.Tensor:
    """Return a layer's tensor, or its gradient, as float32 with the channels last."""
    tensor = tf.cast(tensor, tf.float32)
    if layer.channels_last and not layer.order:
        return tensor
    layout, rank = layout_of(layer), tensor.shape.rank
    left_out = layout.left_out(rank)
    kept = tf.squeeze(tensor, left_out) if left_out else tensor
    return tf.transpose(kept, np.argsort(np.argsort(layout.to_last(rank))))


def apart(tensor: tf.Tensor, binding: Binding, clips: tf.Tensor) -> tf.Tensor:
    """Split a layer's frames, [N * T, h, w, K], into those of each clip: [N, T, h, w, K]. clips: the input."""
    frames = tf.shape(clips)[1]
    first = [-1, frames] if binding.frame_order == "clips" else [frames, -1]
    parted = tf.reshape(tensor, tf.concat([first, tf.shape(tensor)[1:]], axis=0))
    parted = parted if binding.frame_order == "clips" else tf.transpose(parted, [1, 0, 2, 3, 4])
    parted.set_shape([None, clips.shape[1], *tensor.shape[1:]])
    return parted


def together(features: np.ndarray, binding: Binding) -> np.ndarray:
    """Return [N, T, ...] as the layer has it, the inverse of `apart`: [N * T, ...] or [T * N, ...]."""
    frames = features if binding.frame_order == "clips" else np.swapaxes(features, 0, 1)
    return frames.reshape((-1, *features.shape[2:]))


def by_frame(compute: Compute) -> Compute:
    """Return a layer method of images as one of clips: (features, grads), [N, T, h, w, K] each -> map [N, T, h, w]."""

    def of_clips(features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
        sides = tf.shape(features)
        images = []
        for tensor in (features, grads):
            image = tf.reshape(tensor, tf.concat([[-1], sides[2:]], axis=0))
            image.set_shape([None, *features.shape[2:]])
            images.append(image)
        return tf.reshape(compute(*images), sides[:-1])

    return of_clips


def by_channel(compute: Compute, features: tf.Tensor, grads: tf.Tensor) -> tf.Tensor:
    """Return what each channel adds to a layer method's map: float32 [N, h, w, K].

    Each channel is computed as if it were alone. Layer methods are sums over the channels, so these add up to the map.
    """
    last = features.shape.rank - 1
    sides = tf.shape(features)
    alone = tf.concat([[-1], sides[1:last], [1]], axis=0)
    channels_first = [0, last, *range(1, last)]
    parts = [tf.reshape(tf.transpose(tensor, channels_first), alone) for tensor in (features, grads)]
    maps = tf.reshape(compute(*parts), tf.gather(sides, channels_first))
    return tf.transpose(maps, [0, *range(2, last + 1), 1])


def tokens_map(values: tf.Tensor, reshape: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """Return one number for each token, [N, tokens], as a map [N, h, w]; reshape: as in `MapEngine`."""
    return reshape(values[..., tf.newaxis])[..., 0]


def has_class_token(tokens: int, reshape: Callable[[tf.Tensor], tf.Tensor]) -> bool:
    """Return whether there is one token more than cells; it is taken to be the first.

    Raises
    ------
    GradientError
        If the tokens are no grid, or there are other tokens besides.
    """
    cells = int(np.prod(tokens_map(tf.zeros([1, tokens]), reshape).shape.as_list()))
    if tokens - cells not in (0, 1):
        raise GradientError(
            f"of {tokens} tokens {cells} are a grid: which of the others is the class token is not known; use "
            "'gradcam' at a layer of tokens"
        )
    return tokens > cells


def tokens_as_map(features: tf.Tensor, size: Tuple[Optional[int], Optional[int]] = (None, None)) -> tf.Tensor:
    """Reshape the tokens of an image, row by row; one token more than a grid has is a class token in front.

    Parameters
    ----------
    features : tf.Tensor
        [N, h * w, K] or [N, 1 + h * w, K].
    size : tuple
        (height, width) of the image, whose shape the grid has; 1:1 where a side is unknown.

    Returns
    -------
    tf.Tensor
        [N, h, w, K].

    Raises
    ------
    GradientError
        For any other number of tokens.
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
