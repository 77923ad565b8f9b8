"""Opti-CAM: the weights of the channels are found by raising the score of the image that their map masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError
from gradcam_tf1.images.geometry import stretched, upsample
from gradcam_tf1.methods.base import NOTHING_VARIES
from gradcam_tf1.methods.interfaces import GraphOpsBase, ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.methods.options import MOST_RUNS, Option
from gradcam_tf1.types import Cells, LayerInfo, Slot

_DECAYS = (0.9, 0.999)  # of Adam's means of the gradient and of its square
_TINY = 1e-8
_MOST_RATE = 1000  # one step of less leaves a single channel


def opticam(probe: ProbeBase, layer: LayerInfo, *, steps: int, rate: float, baseline: Baseline) -> np.ndarray:
    """minmax(S), S = sum_k softmax(u)_k A_k, with u that raises y(x * H + b * (1 - H)), H = minmax(up(S)).

    u begins at 0 and takes `steps` steps of Adam along the gradient of y, which goes through the net, the mask, the
    upsampling and the softmax. A note has the score of the masked image at both ends.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    layer : LayerInfo
        A single layer.
    steps : int
        Of Adam.
    rate : float
        Its learning rate.
    baseline : Baseline
        b, what replaces the masked parts, see `baseline_input`.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], 0..1 once it is upsampled; 0 where the mean over the channels is the same everywhere.

    References
    ----------
    Opti-CAM, https://arxiv.org/abs/2301.07002
    """
    features = probe.own_features(layer).astype(np.float64)
    masks = ChannelMasks(features, axis_matrices(probe.image.shape[:-1], features.shape[:-1], probe.cells(layer)))
    fill = baseline_input(probe, baseline)
    maps = [_found(probe, masks, fill, target, steps, rate) for target in range(probe.targets)]
    return np.array(maps, np.float32)


def _found(probe: ProbeBase, masks: ChannelMasks, fill: np.ndarray, target: int, steps: int, rate: float) -> np.ndarray:
    """Return the map of one target: float64 [h, w]."""
    logits = np.zeros(masks.features.shape[-1])
    if np.ptp(masks.large(logits)) == 0:
        probe.step(steps + 2)
        return np.zeros(masks.features.shape[:-1])

    def shown(logits: np.ndarray) -> np.ndarray:
        mask = masks.mask(logits)[..., np.newaxis]
        return np.asarray(probe.image * mask + fill * (1 - mask), np.float32)[np.newaxis]

    first = probe.scores(shown(logits))[0, target]
    means = [np.zeros_like(logits), np.zeros_like(logits)]
    for step in range(1, steps + 1):
        by_mask = (probe.pixel_grads(shown(logits), target)[0] * (probe.image - fill)).sum(axis=-1, dtype=np.float64)
        grads = masks.back(logits, by_mask)
        means = [b * mean + (1 - b) * power for b, mean, power in zip(_DECAYS, means, (grads, grads**2))]
        mean, square = (mean / (1 - b**step) for b, mean in zip(_DECAYS, means))
        logits = logits + rate * mean / (np.sqrt(square) + _TINY)
    last = probe.scores(shown(logits))[0, target]
    probe.note(target, f"the masked image scores {last:.4g}; with equal weights {first:.4g}")
    return masks.cells(logits)


@dataclass(frozen=True)
class ChannelMasks:
    """Masks of an image made of a layer's features: H = minmax(up(sum_k softmax(u)_k A_k)).

    Attributes
    ----------
    features : np.ndarray
        A, float64 [h, w, K].
    matrices : sequence of np.ndarray
        `axis_matrices`: up(S) = U S V^T.
    """

    features: np.ndarray
    matrices: Sequence[np.ndarray]

    def combined(self, logits: np.ndarray) -> np.ndarray:
        """Return sum_k softmax(u)_k A_k: [h, w]."""
        return np.asarray(self.features @ _softmax(logits))

    def large(self, logits: np.ndarray) -> np.ndarray:
        """Return it at the size of the input: [H, W]."""
        return _along(self.combined(logits), self.matrices)

    def mask(self, logits: np.ndarray) -> np.ndarray:
        """Return H, 0..1: [H, W]."""
        large = self.large(logits)
        return np.asarray((large - large.min()) / _spread(large))

    def cells(self, logits: np.ndarray) -> np.ndarray:
        """Return the cells that are H once they are upsampled: [h, w]."""
        large = self.large(logits)
        return np.asarray((self.combined(logits) - large.min()) / _spread(large))

    def back(self, logits: np.ndarray, grads: np.ndarray) -> np.ndarray:
        """Return dy/du [K] for dy/dH [H, W]."""
        large, weights = self.large(logits), _softmax(logits)
        small = _along(_minmax_back(large, grads), [matrix.T for matrix in self.matrices])
        by_weight = np.tensordot(small, self.features, small.ndim)
        return np.asarray(weights * (by_weight - weights @ by_weight))


def axis_matrices(size: Sequence[int], grid: Sequence[int], cells: Optional[Cells]) -> List[np.ndarray]:
    """Return for each axis the matrix that upsamples along it: float64 [H, h] for the first one."""
    places = cells or stretched(size, grid)
    axes = zip(size, grid, places.offset, places.stride)
    return [
        upsample(np.eye(count), (length,), Cells((offset,), (stride,))).T.astype(np.float64)
        for length, count, offset, stride in axes
    ]


def _along(values: np.ndarray, matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Multiply each axis by its matrix."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, (1, axis)), 0, axis)
    return values


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


def _spread(values: np.ndarray) -> float:
    return float(np.ptp(values)) or 1.0


def _minmax_back(values: np.ndarray, grads: np.ndarray) -> np.ndarray:
    """Return the gradient by `values` for that by minmax(values); equal extremes share theirs."""
    low, spread = values.min(), _spread(values)
    scaled = (values - low) / spread
    lowest, highest = (values == low), (values == values.max())
    back = grads + lowest * ((grads * (scaled - 1)).sum() / lowest.sum())
    return np.asarray((back - highest * ((grads * scaled).sum() / highest.sum())) / spread)


def opticam_runs(probe: ProbeBase, _layer: LayerInfo, *, steps: int, **_options: Any) -> int:
    """Return for each target the steps, and 2 for the scores at both ends."""
    return probe.targets * (steps + 2)


@dataclass(frozen=True)
class MaskSearch(IteratedMethod):
    """An iterated method of a layer that takes gradients by the pixels, one changed image at a time."""

    copies: bool = False
    uses_layer: bool = True

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return NOTHING_VARIES

    def build(self, ops: GraphOpsBase, layers: Tuple[LayerInfo, ...]) -> None:  # noqa: ARG002
        """Build the gradient that the method will request while it runs."""
        ops.pixel_grads(Slot(0))

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Refuse layers taken together."""
        raise GradientError(
            f"{self.name} weighs the channels of one layer against each other; {parts} are several. Name one of them "
            "as layer"
        )


OPTI_ROWS = (
    MaskSearch(
        "opticam",
        "the channels whose map keeps the score of the image that it masks up",
        "https://arxiv.org/abs/2301.07002",
        opticam,
        opticam_runs,
        rectified=True,
        unit=BACKWARD,
        options=(
            Option("steps", 100, low=1, high=MOST_RUNS),
            Option("rate", 0.1, above=0, high=_MOST_RATE),
            baseline_option("zero"),
        ),
    ),
)
