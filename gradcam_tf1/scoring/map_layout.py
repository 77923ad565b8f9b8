"""Where the channels of a feature map are, and in which order its other axes. No TensorFlow here."""

from __future__ import annotations

from typing import NamedTuple, Tuple

import numpy as np

from gradcam_tf1.types import LayerInfo


class MapLayout(NamedTuple):
    """The axes of a map.

    Attributes
    ----------
    channels_last : bool
        Whether the channels are the last axis, otherwise they are axis 1, if `order` is empty.
    order : tuple of int
        For any other layout the axes that hold the images, the positions and the channels, in this order, so that
        `tf.transpose(map, order)` has the channels last. Axes that are left out have the length 1.
    """

    channels_last: bool = True
    order: Tuple[int, ...] = ()

    def to_last(self, rank: int) -> Tuple[int, ...]:
        """Return the order that brings a map of this many axes to channels last."""
        if self.order:
            return self.order
        return tuple(range(rank)) if self.channels_last else (0, *range(2, rank), 1)

    def left_out(self, rank: int) -> Tuple[int, ...]:
        """Return the axes of length 1 that a map of this many axes has besides."""
        return tuple(sorted(set(range(rank)).difference(self.to_last(rank))))

    def put_back(self, features: np.ndarray, rank: int) -> np.ndarray:
        """Return features with the channels last as a tensor of this layout and this many axes has them."""
        values = np.transpose(features, np.argsort(self.to_last(features.ndim)))
        for axis in self.left_out(rank):
            values = np.expand_dims(values, axis)
        return values

    def positions(self, rank: int) -> Tuple[int, int]:
        """Return the axes of rows and columns of a map of this many axes, 3 or more."""
        if len(self.order) == rank:
            return self.order[-3], self.order[-2]
        return (rank - 3, rank - 2) if self.channels_last else (rank - 2, rank - 1)


def layout_of(layer: LayerInfo) -> MapLayout:
    """Return the layout of a single layer's tensor."""
    return MapLayout(layer.channels_last, layer.order)
