"""The smallest and the largest values that a net's images can have: those of a black and a white image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict

import numpy as np

from gradcam_tf1.engine.map_request import MapRequest
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.engine.map_engine import MapEngine


def range_feed(engine: MapEngine, request: MapRequest) -> Dict[tf.Tensor, np.ndarray]:
    """Return what the placeholders of both images are fed, where a method of the request depends on them.

    Raises
    ------
    OptionError
        Where the preprocessing of the images is not known.
    """
    if not any(METHODS[name].takes_range(options) for name, options in request.methods.items()):
        return {}
    if request.to_batch is None:
        raise OptionError(
            "the rule zb needs the smallest and the largest value of the input; give to_batch, or another rule as first"
        )
    pixels = np.zeros((2, *request.sides, 3), np.float32)
    pixels[1] = 255
    black, white = engine.float_images(request.to_batch(pixels), request.scores[0].inputs)
    ends = np.minimum(black, white), np.maximum(black, white)
    placeholders = engine.ops.relevance_ops.ends()
    return {tensor: np.broadcast_to(end, (len(request.batch), *end.shape)) for tensor, end in zip(placeholders, ends)}
