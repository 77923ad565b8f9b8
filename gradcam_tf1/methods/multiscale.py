"""CAMERAS: features and gradients of the image at several sizes, averaged on its pixels before they are multiplied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.base import GRADIENT_IS_ZERO, Job
from gradcam_tf1.methods.interfaces import GraphOpsBase, ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import Cells, LayerInfo

_CHANNELS = 32  # at the size of the input at a time
_ONE_SIZE = (
    "cameras runs the net on the image at several sizes, and this net takes one size, or resizes every image itself; "
    "use 'hirescam', or a net without a fixed size"
)


def cameras(probe: ProbeBase, layer: LayerInfo, *, sizes: int, largest: float) -> np.ndarray:
    """ReLU(sum_k mean_s(up(A_sk)) * mean_s(up(g_sk))), A_s and g_s of the image enlarged s times.

    The sizes are even steps from the image's own to `largest` times it. `up` is bilinear, to the size of the image.
    One size alone is HiResCAM, with features and gradients upsampled before they are multiplied.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    sizes : int
        How many.
    largest : float
        The last one, in sides of the image.

    Returns
    -------
    np.ndarray
        float32 [T, H, W], before the ReLU.

    Raises
    ------
    GradientError
        If the layer does not grow with the image.

    References
    ----------
    CAMERAS, https://arxiv.org/abs/2106.10649
    """
    sides = probe.image.shape[:-1]
    maps = np.zeros((probe.targets, *sides))
    for target in range(probe.targets):
        scales = [_scale(probe, layer, target, factor) for factor in np.linspace(1, largest, sizes)]
        if not _grows(scales[0], scales[-1]):
            raise GradientError(_ONE_SIZE)
        for first in range(0, scales[0].features.shape[-1], _CHANNELS):
            some = slice(first, first + _CHANNELS)
            features = _mean([scale.features for scale in scales], scales, sides, some)
            grads = _mean([scale.grads for scale in scales], scales, sides, some)
            maps[target] += np.einsum("k...,k...->...", features, grads)
    return maps.astype(np.float32)


@dataclass(frozen=True)
class ScaledMaps:
    """What a layer holds for the image at one size.

    Attributes
    ----------
    features, grads : np.ndarray
        float32 [h, w, K].
    sides : tuple of int
        (H, W) of the enlarged image.
    cells : Cells, optional
        Where the layer's cells lie on it.
    """

    features: np.ndarray
    grads: np.ndarray
    sides: Tuple[int, ...]
    cells: Optional[Cells]

    def relative(self, sides: Sequence[int]) -> Optional[Cells]:
        """Return where the cells lie on the image of its own size."""
        if self.cells is None:
            return None
        shares = [own / large for own, large in zip(sides, self.sides)]
        offset, stride = (
            tuple(value * share for value, share in zip(values, shares))
            for values in (self.cells.offset, self.cells.stride)
        )
        return Cells(offset, stride)


def _scale(probe: ProbeBase, layer: LayerInfo, target: int, factor: float) -> ScaledMaps:
    sides = tuple(int(round(side * factor)) for side in probe.image.shape[:-1])
    image = np.moveaxis(upsample(np.moveaxis(probe.image, -1, 0), sides), 0, -1)
    features, grads = (found[0] for found in probe.layer_grads(layer, image[np.newaxis], target))
    return ScaledMaps(features, grads, sides, probe.cells_of(layer.name, features.shape[:-1], sides))


def _grows(first: ScaledMaps, last: ScaledMaps) -> bool:
    """Return whether an image larger by two cells of the layer, or more, has more of them."""
    rows = zip(first.sides, last.sides, first.features.shape, last.features.shape)
    return all(more > cells for own, large, cells, more in rows if (large - own) * cells >= 2 * own)


def _mean(values: Sequence[np.ndarray], scales: Sequence[ScaledMaps], sides: Sequence[int], some: slice) -> np.ndarray:
    """Return the mean over the sizes of some channels, upsampled: float64 [k, H, W]."""
    large = (
        upsample(np.moveaxis(each[..., some], -1, 0), sides, scale.relative(sides))
        for each, scale in zip(values, scales)
    )
    return np.asarray(sum(each.astype(np.float64) for each in large) / len(scales))


def cameras_runs(probe: ProbeBase, _layer: LayerInfo, *, sizes: int, **_options: Any) -> int:
    """Return one pass for each size and target. Raises GradientError for a net of one size."""
    if not probe.takes_any_size:
        raise GradientError(_ONE_SIZE)
    return probe.targets * sizes


@dataclass(frozen=True)
class ScaledMethod(IteratedMethod):
    """An iterated method of a layer that enlarges the image, one input at a time, and makes maps of its own size."""

    uses_layer: bool = True
    copies: bool = False

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return GRADIENT_IS_ZERO

    def _job(self, probes: Sequence[ProbeBase], layer: Optional[LayerInfo], options: Dict[str, Any]) -> Job:
        return replace(super()._job(probes, layer, options), on_grid=False)

    def build(self, ops: GraphOpsBase, layers: Tuple[LayerInfo, ...]) -> None:
        """Build the gradients that the method will request. Raises GradientError for a net of one size."""
        if not ops.takes_any_size():
            raise GradientError(_ONE_SIZE)
        super().build(ops, layers)

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse layers taken together."""
        raise GradientError(
            f"{self.name} averages one layer over the sizes of the image; {parts} are several. Name one of "
            "them as layer"
        )


SCALE_ROWS = (
    ScaledMethod(
        "cameras",
        "HiResCAM in finer detail, of the image at several sizes; for nets of any size",
        "https://arxiv.org/abs/2106.10649",
        cameras,
        cameras_runs,
        rectified=True,
        unit=BACKWARD,
        inputs=("images",),
        options=(Option("sizes", 8, low=1), Option("largest", 4.0, low=1, high=16)),
    ),
)
