"""Methods that change the image or its features and compare the scores. They need no gradients."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from gradcam_tf1.methods.black_box import BLACK_BOX_ROWS
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import baseline_option, in_chunks
from gradcam_tf1.methods.occlusion import occlusion, occlusion_runs, rise, rise_runs
from gradcam_tf1.methods.options import MAX_SEED, MOST_FACTOR, MOST_RUNS, Option
from gradcam_tf1.methods.scorecam import fasterscorecam, iscam, scorecam, scorecam_runs, sscam
from gradcam_tf1.types import LayerInfo


def ablationcam(probe: ProbeBase, layer: LayerInfo) -> np.ndarray:
    """ReLU(sum_k w_k A_k), w_k = (y - y_k) / |y|, y_k the score with channel k zero.

    The paper divides by y, for scores above 0. Below, that would show what is against the class, so it is |y| here, and
    1 where y is 0 (the scale of the map means nothing). A channel that is zero already has weight 0, and no run is
    spent on it.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    layer : LayerInfo
        A single layer.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Ablation-CAM, https://doi.org/10.1109/WACV45572.2020.9093360
    """
    features = probe.own_features(layer)
    live = [k for k in range(features.shape[-1]) if features[..., k].any()]
    whole = probe.scores_at(layer, features[np.newaxis]).astype(np.float64)
    without = [probe.scores_at(layer, _ablated(features, group)) for group in in_chunks(live, probe.chunk)]
    probe.step(features.shape[-1] - len(live))
    drops = whole - np.concatenate([np.empty((0, probe.targets)), *without])
    weights = drops / np.where(whole == 0, 1, np.abs(whole))
    return np.asarray(np.einsum("...k,kt->t...", features[..., live], weights), np.float32)


def _ablated(features: np.ndarray, channels: Sequence[int]) -> np.ndarray:
    """Return copies of the features, each with one channel zero: float32 [m, h, w, K]."""
    copies = np.repeat(features[np.newaxis], len(channels), axis=0)
    for copy, channel in zip(copies, channels):
        copy[..., channel] = 0
    return copies


def ablation_runs(probe: ProbeBase, layer: LayerInfo) -> int:
    """Return 1 for the features as they are, and 1 for each channel."""
    return int(probe.own_features(layer).shape[-1]) + 1


def _of_layer(
    name: str, summary: str, paper: str, compute: Callable[..., np.ndarray], runs: Callable[..., int], **more: Any
) -> IteratedMethod:
    return IteratedMethod(name, summary, paper, compute, runs, uses_layer=True, rectified=True, **more)


_MASKED = (baseline_option("zero"), Option("softmax", False))

PERTURBATION_ROWS = (
    _of_layer(
        "scorecam",
        "channels weighed by the score of the image that each one masks",
        "https://arxiv.org/abs/1910.01279",
        scorecam,
        scorecam_runs,
        options=_MASKED,
    ),
    _of_layer(
        "fasterscorecam",
        "Score-CAM of the channels that vary most",
        "https://github.com/tabayashi0117/Score-CAM",
        fasterscorecam,
        scorecam_runs,
        options=(Option("channels", 10, low=1), *_MASKED),
    ),
    _of_layer(
        "sscam",
        "Score-CAM averaged over noise",
        "https://arxiv.org/abs/2006.14255",
        sscam,
        scorecam_runs,
        options=(
            Option("samples", 10, low=1, high=MOST_RUNS),
            Option("level", 0.15, low=0, high=MOST_FACTOR),
            Option("seed", 0, low=0, high=MAX_SEED),
            *_MASKED,
        ),
    ),
    _of_layer(
        "iscam",
        "Score-CAM averaged over masks ramped up from 0",
        "https://arxiv.org/abs/2010.03023",
        iscam,
        scorecam_runs,
        options=(Option("steps", 10, low=1, high=MOST_RUNS), *_MASKED),
    ),
    _of_layer(
        "ablationcam",
        "channels weighed by how much the score drops without them",
        "https://doi.org/10.1109/WACV45572.2020.9093360",
        ablationcam,
        ablation_runs,
        unit="forward passes from the layer on",
    ),
    IteratedMethod(
        "occlusion",
        "how much the score drops where a window hides the image",
        "https://arxiv.org/abs/1311.2901",
        occlusion,
        occlusion_runs,
        options=(
            Option("window", None, kind=int, low=1),
            Option("stride", None, kind=int, low=1),
            baseline_option("mean"),
        ),
    ),
    IteratedMethod(
        "rise",
        "which pixels the score needs, by random masks",
        "https://arxiv.org/abs/1806.07421",
        rise,
        rise_runs,
        options=(
            Option("masks", 4000, low=2, high=MOST_RUNS),
            Option("cells", 7, low=1, high=10_000),
            Option("p", 0.5, above=0, below=1),
            Option("seed", 0, low=0, high=MAX_SEED),
            baseline_option("zero"),
        ),
    ),
    *BLACK_BOX_ROWS,
)
