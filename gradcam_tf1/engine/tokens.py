"""Token layers, [N, tokens, K], as feature maps."""

from __future__ import annotations

from typing import Optional, Tuple

from gradcam_tf1.errors import GradientError
from gradcam_tf1.tf_runtime import tf


def tokens_as_map(features: tf.Tensor, size: Tuple[Optional[int], Optional[int]] = (None, None)) -> tf.Tensor:
    """Tokens of a picture, row by row, as [N, h, w, K]; one token more is taken for a class token in front.

    The grid has the shape of the picture: h / w is that of `size`, (height, width), or 1 where a side is not known.
    Args: features: [N, h * w, K] or [N, 1 + h * w, K]. Raises: GradientError for any other number of tokens.
    """
    tokens, channels = features.shape.as_list()[1:]
    high, wide = size if None not in size else (1, 1)
    for extra in (0, 1) if tokens is not None else ():
        rows = round(((tokens - extra) * high / wide) ** 0.5)
        columns = (tokens - extra) // max(rows, 1)
        if rows * columns + extra == tokens and rows * wide == columns * high and rows:
            return tf.reshape(features[:, extra:], [-1, rows, columns, channels])
    shape = "a square picture" if None in size else f"a picture of {high}x{wide}"
    raise GradientError(
        f"a layer of tokens {features.shape} is no grid over {shape}, with or without a class token; override "
        "`reshape` of GradCamGraph to bring it to [N, h, w, K], or name another layer"
    )
