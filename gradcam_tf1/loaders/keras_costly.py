"""Layers that Keras builds piece by piece, one for each position: no more pieces than is bearable.

How many there are follows from the layers before, so they are counted when such a layer is built or called.
"""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import numpy as np

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.tf_runtime import tf

_REPEATED = "positions that are repeated one by one"
# What Keras goes through one by one, and how many are allowed for all layers together.
_LIMITS = {
    "positions with weights of their own": 1 << 12,  # some ops for each
    "pairs of positions with weights of their own": 1 << 23,  # in a table
    "connections with weights of their own": 1 << 18,  # in a list
    _REPEATED: 1 << 16,  # by the tensors that are put together
}
_BY_IMPLEMENTATION = dict(enumerate(list(_LIMITS)[:3], 1))


def counting_layers(path: str) -> Dict[str, Any]:
    """Class name -> class that counts before it builds, for a net of the file at `path`.

    Raises (the classes, not this function): ModelFileError beyond the limits.
    """
    spent = dict.fromkeys(_LIMITS, 0.0)

    def spend(layer: Any, shape: List[Any]) -> None:
        if None in shape[1:]:
            return  # not built by positions, or Keras says what is wrong
        what, count = _pieces(layer, shape)
        spent[what] = spent.get(what, 0.0) + count
        if spent[what] > _LIMITS.get(what, np.inf):
            raise ModelFileError(
                f"{path}: with the layer {layer.name!r} its architecture has {spent[what]:,.0f} {what}; "
                f"{_LIMITS[what]:,} are allowed"
            )

    there = runtime.keras().layers
    names = [name for name in _PIECES if hasattr(there, name)]
    return {name: _counting(getattr(there, name), spend) for name in names}


def _counting(base: Any, spend: Any) -> Any:
    class Counting(base):
        def build(self, input_shape: Any) -> None:
            spend(self, tf.TensorShape(input_shape).as_list())
            super().build(input_shape)

        def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            if self.built and getattr(self, "implementation", 1) == 1:  # its ops are made again
                spend(self, inputs.shape.as_list())
            return super().__call__(inputs, *args, **kwargs)

    Counting.__name__ = base.__name__
    return Counting


def _local(layer: Any, shape: List[Any]) -> Tuple[str, float]:
    what = _BY_IMPLEMENTATION.get(layer.implementation, "")
    made = list(layer.compute_output_shape(tuple(shape)))
    last = layer.data_format == "channels_last"
    before, after = (_product(sizes[1:-1] if last else sizes[2:]) for sizes in (shape, made))
    if layer.implementation != 3:
        return what, after * (before if layer.implementation == 2 else 1)
    channels = shape[-1 if last else 1]
    return what, after * min(_product(layer.kernel_size), before) * channels * layer.filters


def _repeating(layer: Any, shape: List[Any]) -> Tuple[str, float]:
    places = shape[2:] if getattr(layer, "data_format", "") == "channels_first" else shape[1:-1]
    sizes = np.ravel(layer.size).tolist()
    return _REPEATED, float(sum(place * abs(size) for place, size in zip(places, sizes)))


_PIECES = {
    "LocallyConnected1D": _local,
    "LocallyConnected2D": _local,
    "UpSampling1D": _repeating,
    "UpSampling3D": _repeating,
}


def _pieces(layer: Any, shape: List[Any]) -> Tuple[str, float]:
    return _PIECES[type(layer).__name__](layer, shape)


def _product(sizes: Any) -> float:
    return float(np.prod([int(size) for size in sizes], dtype=np.float64))
