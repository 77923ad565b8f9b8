"""What the readers share: bringing kernels and biases together, and the limit on what a file may unpack to."""

from __future__ import annotations

from typing import Dict, Iterable, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.vgg_layers import Layers

SIZE_LIMIT = 2**31  # bytes; VGG-19 has 575 million, and no graph can hold more than 2 GiB


def pair_up(arrays: Iterable[Tuple[str, np.ndarray]], source: str) -> Layers:
    """(layer, array) in any order -> layer -> (kernel, bias): the bias is the one with a single axis.

    Raises WeightsError where a layer has not exactly one of each.
    """
    found: Dict[str, Dict[bool, np.ndarray]] = {}
    for layer, array in arrays:
        parts = found.setdefault(layer, {})
        is_bias = array.ndim == 1
        if is_bias in parts:
            raise WeightsError(f"{source}: {layer} has two {'biases' if is_bias else 'kernels'}")
        parts[is_bias] = array
    for layer, parts in found.items():
        if len(parts) != 2:
            raise WeightsError(f"{source}: {layer} has no {'kernel' if True in parts else 'bias'}")
    return {layer: (parts[False], parts[True]) for layer, parts in found.items()}
