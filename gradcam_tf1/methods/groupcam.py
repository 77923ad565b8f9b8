"""Group-CAM: maps of groups of channels mask the image, and the weight of each is what the score gains by it."""

from __future__ import annotations

from typing import Any, List

import numpy as np

from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option, scores_of
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import LayerInfo


def groupcam(probe: ProbeBase, layer: LayerInfo, *, groups: int, percentile: float, baseline: Baseline) -> np.ndarray:
    """ReLU(sum_l a_l H_l), a_l = y(x * H_l + b * (1 - H_l)) - y(b), for groups l of neighbouring channels.

    H_l = minmax(up(M_l)) with M_l = ReLU(sum_k mean_ij(g_k) A_k) over the channels of the group, 0 where it is not
    above its own percentile. A group whose M_l is constant marks nothing and has no run. Groups differ by one channel
    at most where their number does not divide the channels.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    layer : LayerInfo
        A single layer.
    groups : int
        How many; at most one for each channel.
    percentile : float
        0 to 100: what is not above it is noise.
    baseline : Baseline
        b, what replaces the masked parts, see `baseline_input`.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Group-CAM, https://arxiv.org/abs/2103.13859
    """
    fill = baseline_input(probe, baseline)
    hidden = probe.scores(fill[np.newaxis])[0]
    count = _group_count(probe, layer, groups)
    maps = []
    for target in range(probe.targets):
        cells = _group_maps(probe, layer, target, count, percentile)
        large = [upsample(each, probe.image.shape[:-1], probe.cells(layer)) for each in cells]
        live = [number for number, mask in enumerate(large) if np.ptp(mask) > 0]
        probe.step(count - len(live))
        lows, spreads = [[measure(large[number]) for number in live] for measure in (np.min, np.ptp)]
        masks = ((large[number] - low) / spread for number, low, spread in zip(live, lows, spreads))
        gains = scores_of(probe, masks, fill)[:, target] - hidden[target]
        # upsampling is linear: the sum of the masks is that of these cells, upsampled
        scaled = [(cells[number] - low) / spread for number, low, spread in zip(live, lows, spreads)]
        maps.append(sum((gain * one for gain, one in zip(gains, scaled)), np.zeros(cells[0].shape)))
    return np.array(maps, np.float32)


def _group_maps(probe: ProbeBase, layer: LayerInfo, target: int, count: int, percentile: float) -> List[np.ndarray]:
    """Return the denoised map of each group: `count` arrays float64 [h, w]."""
    features, grads = (found[0].astype(np.float64) for found in _own_grads(probe, layer, target))
    weighted = features * grads.mean(axis=tuple(range(grads.ndim - 1)))
    maps = [np.maximum(part.sum(axis=-1), 0) for part in np.array_split(weighted, count, axis=-1)]
    return [np.where(one > np.percentile(one, percentile), one, 0.0) for one in maps]


def _own_grads(probe: ProbeBase, layer: LayerInfo, target: int) -> List[np.ndarray]:
    return list(probe.layer_grads(layer, probe.image[np.newaxis], target))


def _group_count(probe: ProbeBase, layer: LayerInfo, groups: int) -> int:
    return min(groups, int(probe.own_features(layer).shape[-1]))


def groupcam_runs(probe: ProbeBase, layer: LayerInfo, *, groups: int, **_options: Any) -> int:
    """Return 1 for the baseline, and for each target 1 for its gradients and 1 for each group."""
    return 1 + probe.targets * (1 + _group_count(probe, layer, groups))


GROUP_ROWS = (
    IteratedMethod(
        "groupcam",
        "groups of channels, weighed by the score of the image that each one masks",
        "https://arxiv.org/abs/2103.13859",
        groupcam,
        groupcam_runs,
        uses_layer=True,
        rectified=True,
        unit=BACKWARD,
        options=(
            Option("groups", 32, low=1),
            Option("percentile", 70.0, low=0, below=100),
            baseline_option("blur"),
        ),
    ),
)
