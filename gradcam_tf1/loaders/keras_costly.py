"""Limit layers that Keras builds piece by piece, one piece for each position.

The number of pieces depends on the layers before, so it is counted when such a layer is built or called.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple, Type

import numpy as np

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.tf_runtime import tf

Sizes = List[Optional[int]]  # a static shape

_REPEATED = "positions that are repeated one by one"
# What Keras builds one by one, and how many are allowed in all layers together.
_LIMITS = {
    "positions with weights of their own": 1 << 12,  # some ops for each
    "pairs of positions with weights of their own": 1 << 23,  # in a table
    "connections with weights of their own": 1 << 18,  # in a list
    _REPEATED: 1 << 16,  # one tensor for each, all concatenated
}
_BY_IMPLEMENTATION = dict(enumerate(list(_LIMITS)[:3], 1))


def counting_layers(path: str) -> Dict[str, Type[tf.keras.layers.Layer]]:
    """Make layer classes that count their pieces before they build them.

    Parameters
    ----------
    path : str
        The file of the net, for messages.

    Returns
    -------
    dict
        Class name -> class, for the `custom_objects` of Keras. The classes raise ModelFileError beyond the limits,
        which hold for all layers of one net together.
    """
    totals = dict.fromkeys(_LIMITS, 0.0)

    def count_pieces(layer: tf.keras.layers.Layer, shape: Sizes) -> None:
        if None in shape[1:]:
            return  # not built by positions, or Keras reports the error
        what, count = _pieces(layer, [size or 0 for size in shape])  # None only for the batch
        totals[what] = totals.get(what, 0.0) + count
        if totals[what] > _LIMITS.get(what, np.inf):
            raise ModelFileError(
                f"{path}: with the layer {layer.name!r} its architecture has {totals[what]:,.0f} {what}; "
                f"{_LIMITS[what]:,} are allowed"
            )

    available = runtime.keras().layers
    names = [name for name in _PIECES if hasattr(available, name)]
    return {name: _counting(getattr(available, name), count_pieces) for name in names}


def _counting(
    base: Type[tf.keras.layers.Layer], count_pieces: Callable[[tf.keras.layers.Layer, Sizes], None]
) -> Type[tf.keras.layers.Layer]:
    """Return a subclass of a Keras layer that counts its pieces first."""

    def build(self: tf.keras.layers.Layer, input_shape: Any) -> None:
        count_pieces(self, tf.TensorShape(input_shape).as_list())
        base.build(self, input_shape)

    def call(self: tf.keras.layers.Layer, inputs: tf.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.built and getattr(self, "implementation", 1) == 1:  # its ops are made again
            count_pieces(self, inputs.shape.as_list())
        return base.__call__(self, inputs, *args, **kwargs)

    return type(base.__name__, (base,), {"build": build, "__call__": call})


def _local(layer: tf.keras.layers.Layer, shape: List[int]) -> Tuple[str, float]:
    what = _BY_IMPLEMENTATION.get(layer.implementation, "")
    output_shape = list(layer.compute_output_shape(tuple(shape)))
    last = layer.data_format == "channels_last"
    before, after = (_product(sizes[1:-1] if last else sizes[2:]) for sizes in (shape, output_shape))
    if layer.implementation != 3:
        return what, after * (before if layer.implementation == 2 else 1)
    channels = shape[-1 if last else 1]
    return what, after * min(_product(layer.kernel_size), before) * channels * layer.filters


def _repeating(layer: tf.keras.layers.Layer, shape: List[int]) -> Tuple[str, float]:
    lengths = shape[2:] if getattr(layer, "data_format", "") == "channels_first" else shape[1:-1]
    factors = np.ravel(layer.size).tolist()
    return _REPEATED, float(sum(length * abs(factor) for length, factor in zip(lengths, factors)))


_PIECES = {
    "LocallyConnected1D": _local,
    "LocallyConnected2D": _local,
    "UpSampling1D": _repeating,
    "UpSampling3D": _repeating,
}


def _pieces(layer: tf.keras.layers.Layer, shape: List[int]) -> Tuple[str, float]:
    """Return what a layer builds one by one, a key of _LIMITS, and how many of it."""
    return _PIECES[type(layer).__name__](layer, shape)


def _product(sizes: Iterable[int]) -> float:
    return float(np.prod([int(size) for size in sizes], dtype=np.float64))
