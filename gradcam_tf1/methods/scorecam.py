"""Score-CAM and its kin: each channel masks the image, and its weight is what the net says of what is left.

Common to all, for an image x, a baseline b (0 where nothing else is said) and the score y:

    ReLU(sum_k w_k A_k),  w_k = mean over the channel's masks H of y(x * H + b * (1 - H)) - y(b)

Masks are made by minmax(up(.)): bilinear to the input's size, by where the layer's cells lie on it, then its range
brought to 0..1. Of a constant
channel that is 0 / 0; it tells no place, so its mask is 0, its weight 0, and no run is spent on it.

The paper's equation has these differences as weights; its Algorithm 1 takes their softmax over the channels, which
`softmax=True` does. With scores before softmax that leaves little but the single best channel, so it is not the
default. The papers' programs mask with y a probability: `score="probability"`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional, Sequence

import numpy as np

from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import Baseline, baseline_input, scores_of
from gradcam_tf1.types import LayerInfo

Masks = Callable[[np.ndarray], Iterator[np.ndarray]]


def scorecam(probe: ProbeBase, layer: LayerInfo, *, baseline: Baseline, softmax: bool) -> np.ndarray:
    """Score-CAM: one mask a channel, H = minmax(up(A_k)). https://arxiv.org/abs/1910.01279

    Returns: float32 [T, h, w], before the ReLU. Raises: OptionError for an unknown baseline.
    """
    channels = range(probe.own_features(layer).shape[-1])
    return _weighted(probe, layer, channels, _one_mask(probe, layer), 1, baseline, softmax)


def fasterscorecam(
    probe: ProbeBase, layer: LayerInfo, *, channels: int, baseline: Baseline, softmax: bool
) -> np.ndarray:
    """Faster-Score-CAM: Score-CAM of the channels whose features vary most. https://github.com/tabayashi0117/Score-CAM

    channels: how many. Returns: float32 [T, h, w], before the ReLU. Raises: OptionError where channels < 1.
    """
    features = probe.own_features(layer)
    variances = features.reshape(-1, features.shape[-1]).var(axis=0, dtype=np.float64)
    best = np.argsort(-variances, kind="stable")[:channels]
    return _weighted(probe, layer, best, _one_mask(probe, layer), 1, baseline, softmax)


def sscam(
    probe: ProbeBase,
    layer: LayerInfo,
    *,
    samples: int,
    level: float,
    seed: int,
    baseline: Baseline,
    softmax: bool,
) -> np.ndarray:
    """SS-CAM, smoothed features: H = minmax(up(A_k + n)), several noises n a channel. https://arxiv.org/abs/2006.14255

    level: standard deviation of n as a share of the channel's range; the paper's 2 is in units of the features, which
    differ from net to net. samples: masks of each channel.
    Returns: float32 [T, h, w], before the ReLU. Raises: OptionError where samples < 1 or level < 0.
    """
    random = np.random.RandomState(seed)

    def masks(channel: np.ndarray) -> Iterator[np.ndarray]:
        for _ in range(samples):
            noisy = channel + level * np.ptp(channel) * random.standard_normal(channel.shape)
            yield _mask(probe, layer, noisy)

    channels = range(probe.own_features(layer).shape[-1])
    return _weighted(probe, layer, channels, masks, samples, baseline, softmax)


def iscam(probe: ProbeBase, layer: LayerInfo, *, steps: int, baseline: Baseline, softmax: bool) -> np.ndarray:
    """IS-CAM: the mask comes up from nothing, H = i / n minmax(up(A_k)), i = 1..n. https://arxiv.org/abs/2010.03023

    The mean score over the way, as the integral it stands for. (Some programs add the steps up instead, to an image
    several times too bright.) steps: n.
    Returns: float32 [T, h, w], before the ReLU. Raises: OptionError where steps < 1.
    """

    def masks(channel: np.ndarray) -> Iterator[np.ndarray]:
        full = _mask(probe, layer, channel)
        return (full * np.float32(i / steps) for i in range(1, steps + 1))

    channels = range(probe.own_features(layer).shape[-1])
    return _weighted(probe, layer, channels, masks, steps, baseline, softmax)


def _weighted(
    probe: ProbeBase,
    layer: LayerInfo,
    channels: Sequence[int],
    masks: Masks,
    count: int,
    baseline: Baseline,
    softmax: bool,
) -> np.ndarray:
    """sum_k w_k A_k over the given channels, with `count` masks of each: float32 [T, h, w]."""
    features = probe.own_features(layer)
    live = [k for k in channels if np.ptp(features[..., k]) > 0]
    fill = baseline_input(probe, baseline)
    nothing = probe.scores(fill[np.newaxis])
    scores = scores_of(probe, (mask for k in live for mask in masks(features[..., k])), fill)
    probe.step((len(channels) - len(live)) * count)
    weights = scores.reshape(len(live), count, probe.targets).mean(axis=1) - nothing
    if softmax:
        weights = np.exp(weights - weights.max(axis=0, initial=-np.inf))
        weights /= weights.sum(axis=0)
    return np.einsum("...k,kt->t...", features[..., live], weights).astype(np.float32)


def _one_mask(probe: ProbeBase, layer: LayerInfo) -> Masks:
    return lambda channel: iter((_mask(probe, layer, channel),))


def _mask(probe: ProbeBase, layer: LayerInfo, channel: np.ndarray) -> np.ndarray:
    """minmax(up(channel)): [h, w] -> float32 [H, W], 0..1; 0 where the channel is constant."""
    large = upsample(channel, probe.image.shape[:-1], probe.cells(layer))
    low, high = large.min(), large.max()
    return (large - low) / (high - low) if high > low else np.zeros_like(large)


def scorecam_runs(
    probe: ProbeBase,
    layer: LayerInfo,
    *,
    channels: Optional[int] = None,
    samples: int = 1,
    steps: int = 1,
    **_others: Any,
) -> int:
    """The masks of every channel, or of so many, and the baseline."""
    count = probe.own_features(layer).shape[-1]
    return (count if channels is None else min(channels, count)) * samples * steps + 1
