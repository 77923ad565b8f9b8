"""Score-CAM and its variants: each channel masks the image, and its weight is the score of the masked image.

Common to all, for an image x, a baseline b (0 by default) and the score y:

    ReLU(sum_k w_k A_k),  w_k = mean over the channel's masks H of y(x * H + b * (1 - H)) - y(b)

Masks are made by minmax(up(.)): bilinear to the input's size, by where the layer's cells lie on it, then scaled to
0..1. For a constant channel that is 0 / 0: it marks no position, so its mask and its weight are 0, and no run is spent
on it.

The paper's equation has these differences as weights; its Algorithm 1 takes their softmax over the channels, which
`softmax=True` does. With scores before softmax that leaves little but the single best channel, so it is not the
default. The papers' programs mask with y a probability: `score="probability"`.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Sequence

import numpy as np

from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.masking import Baseline, baseline_input, scores_of
from gradcam_tf1.types import LayerInfo

Masks = Callable[[np.ndarray], Iterator[np.ndarray]]


def scorecam(probe: ProbeBase, layer: LayerInfo, *, baseline: Baseline, softmax: bool) -> np.ndarray:
    """One mask for each channel, H = minmax(up(A_k)).

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    baseline : Baseline
        What replaces the masked parts, see `baseline_input`.
    softmax : bool
        Whether the weights are a softmax over the channels.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Score-CAM, https://arxiv.org/abs/1910.01279
    """
    channels = range(probe.own_features(layer).shape[-1])
    return _weighted(probe, layer, channels, _one_mask(probe, layer), 1, baseline, softmax)


def fasterscorecam(
    probe: ProbeBase, layer: LayerInfo, *, channels: int, baseline: Baseline, softmax: bool
) -> np.ndarray:
    """One mask, H = minmax(up(A_k)), for each of the channels whose features vary most.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    channels : int
        How many.
    baseline : Baseline
        What replaces the masked parts, see `baseline_input`.
    softmax : bool
        Whether the weights are a softmax over the channels.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Faster-Score-CAM, https://github.com/tabayashi0117/Score-CAM
    """
    features = probe.own_features(layer)
    variances = features.reshape(-1, features.shape[-1]).var(axis=0, dtype=np.float64)
    best = np.argsort(-variances, kind="stable")[:channels].tolist()
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
    """Several masks for each channel, H = minmax(up(A_k + n)), with noise n.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    samples : int
        Masks of each channel.
    level : float
        Standard deviation of n as a share of the channel's range. The paper's 2 is in units of the features, which
        differ from net to net.
    seed : int
        Of the noise.
    baseline : Baseline
        What replaces the masked parts, see `baseline_input`.
    softmax : bool
        Whether the weights are a softmax over the channels.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    SS-CAM, https://arxiv.org/abs/2006.14255
    """
    random = np.random.RandomState(seed)

    def masks(channel: np.ndarray) -> Iterator[np.ndarray]:
        for _ in range(samples):
            noisy = channel + level * np.ptp(channel) * random.standard_normal(channel.shape)
            yield _mask(probe, layer, noisy)

    channels = range(probe.own_features(layer).shape[-1])
    return _weighted(probe, layer, channels, masks, samples, baseline, softmax)


def iscam(probe: ProbeBase, layer: LayerInfo, *, steps: int, baseline: Baseline, softmax: bool) -> np.ndarray:
    """Masks ramped up from 0 for each channel, H = i / n minmax(up(A_k)), i = 1..n.

    The weight is the mean score over the steps, as the integral that it stands for. (Some programs add up the steps
    instead, which makes an image several times too bright.)

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.
    steps : int
        n.
    baseline : Baseline
        What replaces the masked parts, see `baseline_input`.
    softmax : bool
        Whether the weights are a softmax over the channels.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    IS-CAM, https://arxiv.org/abs/2010.03023
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
    """Return sum_k w_k A_k over the given channels, with `count` masks of each: float32 [T, h, w]."""
    features = probe.own_features(layer)
    live = [k for k in channels if np.ptp(features[..., k]) > 0]
    fill = baseline_input(probe, baseline)
    hidden = probe.scores(fill[np.newaxis])
    scores = scores_of(probe, (mask for k in live for mask in masks(features[..., k])), fill)
    probe.step((len(channels) - len(live)) * count)
    weights = scores.reshape(len(live), count, probe.targets).mean(axis=1) - hidden
    if softmax:
        weights = np.exp(weights - weights.max(axis=0, initial=-np.inf))
        weights /= weights.sum(axis=0)
    return np.asarray(np.einsum("...k,kt->t...", features[..., live], weights), np.float32)


def _one_mask(probe: ProbeBase, layer: LayerInfo) -> Masks:
    return lambda channel: iter((_mask(probe, layer, channel),))


def _mask(probe: ProbeBase, layer: LayerInfo, channel: np.ndarray) -> np.ndarray:
    """Return minmax(up(channel)): [h, w] -> float32 [H, W], 0..1; 0 where the channel is constant."""
    large = upsample(channel, probe.image.shape[:-1], probe.cells(layer))
    low, high = large.min(), large.max()
    return np.asarray((large - low) / (high - low) if high > low else np.zeros_like(large))


def scorecam_runs(probe: ProbeBase, layer: LayerInfo, **options: Any) -> int:
    """Return the number of masks of all channels, or of the chosen ones, and 1 for the baseline."""
    count = probe.own_features(layer).shape[-1]
    channels = min(options.get("channels", count), count)
    return int(channels * options.get("samples", 1) * options.get("steps", 1) + 1)
