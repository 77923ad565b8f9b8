"""The families of methods: one signature each. A method is one function and one row in a family's module.

Words and shapes, everywhere in this package: y is the score that is explained (before softmax, unless the target says
otherwise); `features` A and `grads` g = dy/dA are float32 [N, h, w, K] (channels last, any number of spatial axes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Union

import numpy as np

from gradcam_tf1.tf_runtime import tf


@dataclass(frozen=True)
class LayerMethod:
    """A map of a layer's size, made of symbolic ops in the one pass that serves everything asked.

    compute: (features, grads) -> map float32 [N, h, w] before the closing ReLU.
    rectified: a ReLU closes the map. It is applied on the host, so that an all-negative map can be told from a missing
    gradient. head: what is differentiated, a key of `scores.SCORES`; "logit" is whatever the target asks.
    curvature: how much of H A, the Hessian-vector product at the layer, is added to g (one more backward pass).
    needs: (logits, layer tensor, channels last) raises GradientError where the method does not apply.
    """

    name: str
    summary: str
    paper: str
    compute: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    rectified: bool = True
    head: str = "logit"
    curvature: float = 0.0
    needs: Optional[Callable[[tf.Tensor, tf.Tensor, bool], None]] = None
    space: str = "layer"
    uses_layer: bool = True
    needs_grads: bool = True

    @property
    def signed(self) -> bool:
        """Whether the map keeps negative values."""
        return not self.rectified


@dataclass(frozen=True)
class HostMethod:
    """A map of a layer's size, made in numpy from one image's features and, where needed, gradients.

    compute: (features [h, w, K], grads [h, w, K] or None, **options) -> map [h, w] before the closing ReLU; the
    options, all with defaults, are keyword-only parameters. Without grads it is called once for all targets.
    adds_up: the map is a sum over the channels, so that the maps of several layers taken together are added up.
    """

    name: str
    summary: str
    paper: str
    compute: Callable[..., np.ndarray]
    needs_grads: bool = False
    adds_up: bool = False
    rectified: bool = True
    head: str = "logit"
    space: str = "layer"
    uses_layer: bool = True

    @property
    def signed(self) -> bool:
        """Whether the map keeps negative values."""
        return not self.rectified


@dataclass(frozen=True)
class PixelMethod:
    """A signed map of the input's size and channels, made of dy/dx.

    rule: how activations hand the gradient down, one of `guided.MODES`.
    compute: (images, grads) -> map, all float32 [N, H, W, C]; None: the gradient is the map.
    """

    name: str
    summary: str
    paper: str
    rule: str = "plain"
    compute: Optional[Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = None
    head: str = "logit"
    space: str = "pixels"
    signed: bool = True
    uses_layer: bool = False
    needs_grads: bool = True


@dataclass(frozen=True)
class ProductMethod:
    """A pixel map times a layer map brought to the input's size by half-pixel bilinear interpolation."""

    name: str
    summary: str
    paper: str
    pixels: str
    cam: str
    space: str = "pixels"
    signed: bool = True
    uses_layer: bool = True
    needs_grads: bool = True


@dataclass(frozen=True)
class IteratedMethod:
    """A map that takes many runs of the net on inputs of its own making.

    compute: (probe, layer or None, **options) -> float32 [T, ...], one map for each target of the probe's image; the
    options, all with defaults, are keyword-only parameters. space: "layer" is drawn as heat, "pixels" as saliency.
    runs: with the same arguments and all options, how many inputs `compute` will run; it is told before that starts.
    unit: what a run is. copies: whether it puts several inputs of its own making into one batch.
    """

    name: str
    summary: str
    paper: str
    compute: Callable[..., np.ndarray]
    runs: Callable[..., int]
    space: str = "layer"
    uses_layer: bool = False
    rectified: bool = False
    unit: str = "forward passes of the whole net"
    copies: bool = True

    @property
    def needs_grads(self) -> bool:
        """Whether its runs go backward too."""
        return "backward" in self.unit

    @property
    def signed(self) -> bool:
        """Whether the map keeps negative values."""
        return not self.rectified


Method = Union[LayerMethod, HostMethod, PixelMethod, ProductMethod, IteratedMethod]
