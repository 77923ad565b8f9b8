"""Methods that change the image or its features and watch the score. No gradients."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from gradcam_tf1.methods.families import IteratedMethod
from gradcam_tf1.methods.masking import in_chunks
from gradcam_tf1.methods.occlusion import occlusion, occlusion_runs, rise, rise_runs
from gradcam_tf1.methods.scorecam import fasterscorecam, iscam, scorecam, scorecam_runs, sscam


def ablationcam(probe: Any, layer: Any) -> np.ndarray:
    """Ablation-CAM: ReLU(sum_k w_k A_k), w_k = (y - y_k) / |y|. https://doi.org/10.1109/WACV45572.2020.9093360

    y_k is the score with channel k zero. The paper divides by y, for scores above 0; below, that would turn the map
    round and show what speaks against the class, so it is |y| here, and 1 where y is 0 (the map's scale says nothing).
    A channel that is zero already has weight 0, and no run is spent on it.
    Returns: float32 [T, h, w], before the ReLU.
    """
    features = probe.own_features(layer)
    live = [k for k in range(features.shape[-1]) if features[..., k].any()]
    whole = probe.scores_at(layer, features[np.newaxis]).astype(np.float64)
    without = [probe.scores_at(layer, _ablated(features, group)) for group in in_chunks(live, probe.chunk)]
    probe.step(features.shape[-1] - len(live))
    drops = whole - np.concatenate([np.empty((0, probe.targets)), *without])
    weights = drops / np.where(whole == 0, 1, np.abs(whole))
    return np.einsum("...k,kt->t...", features[..., live], weights).astype(np.float32)


def _ablated(features: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Copies of the features, each with one channel zero: float32 [m, h, w, K]."""
    copies = np.repeat(features[np.newaxis], len(channels), axis=0)
    for copy, channel in zip(copies, channels):
        copy[..., channel] = 0
    return copies


def ablation_runs(probe: Any, layer: Any) -> int:
    """The features as they are, and once without each channel."""
    return probe.own_features(layer).shape[-1] + 1


def _of_layer(name: str, summary: str, paper: str, compute: Any, runs: Any, **more: Any) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, uses_layer=True, rectified=True, runs=runs, **more)


_SCORECAM = "https://arxiv.org/abs/1910.01279"
_FASTER = "https://github.com/tabayashi0117/Score-CAM"
_ABLATION = "https://doi.org/10.1109/WACV45572.2020.9093360"
_OCCLUSION = "https://arxiv.org/abs/1311.2901"
_RISE = "https://arxiv.org/abs/1806.07421"

PERTURBATION_ROWS = (
    _of_layer("scorecam", "channels weighed by what the net sees through them", _SCORECAM, scorecam, scorecam_runs),
    _of_layer("fasterscorecam", "Score-CAM of the most varied channels", _FASTER, fasterscorecam, scorecam_runs),
    _of_layer("sscam", "Score-CAM averaged over noise", "https://arxiv.org/abs/2006.14255", sscam, scorecam_runs),
    _of_layer("iscam", "Score-CAM averaged from nothing on", "https://arxiv.org/abs/2010.03023", iscam, scorecam_runs),
    _of_layer(
        "ablationcam",
        "channels weighed by what their absence costs",
        _ABLATION,
        ablationcam,
        ablation_runs,
        unit="forward passes from the layer on",
    ),
    IteratedMethod("occlusion", "what hiding a window costs", _OCCLUSION, occlusion, runs=occlusion_runs),
    IteratedMethod("rise", "what random masks leave of the score", _RISE, rise, runs=rise_runs),
)
