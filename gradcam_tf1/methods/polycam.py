"""Poly-CAM's map of one layer: channels weighted by what the image loses without them, and has by them alone.

The maps of several layers become one by the fusion "polycam", see `engine.layer_refinement`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.masking import Baseline, baseline_input, baseline_option, scores_of
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import LayerInfo

_OUTLIERS = 0.1  # percent at each end of a channel's values
_SIDES = ("shown", "hidden", "both")


def polycam(probe: ProbeBase, layer: LayerInfo, *, weights: str, baseline: Baseline) -> np.ndarray:
    """ReLU(sum_k w_k A_k), with the image masked by H_k = up(minmax(A_k)), 0.1 % of the values cut off at each end.

        PCAM+   w_k = y(x * H_k + b * (1 - H_k)) - y(b)
        PCAM-   w_k = ReLU(y(x) - y(x * (1 - H_k) + b * H_k))
        PCAM+-  w_k = ReLU of the sum of both differences

    A constant channel marks nothing: it has no run and the weight 0.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    layer : LayerInfo
        A single layer.
    weights : {"both", "shown", "hidden"}
        PCAM+-, PCAM+ or PCAM-.
    baseline : Baseline
        b, what replaces the masked parts, see `baseline_input`.

    Returns
    -------
    np.ndarray
        float32 [T, h, w], before the ReLU.

    References
    ----------
    Poly-CAM, https://arxiv.org/abs/2204.13359
    """
    features = probe.own_features(layer)
    live = [k for k in range(features.shape[-1]) if np.ptp(features[..., k]) > 0]
    fill = baseline_input(probe, baseline)
    whole, none = probe.scores(np.stack([probe.image, fill]))
    shown, hidden = np.zeros((2, len(live), probe.targets))
    if weights != "hidden":
        shown = scores_of(probe, (_mask(probe, layer, features[..., k]) for k in live), fill) - none
    if weights != "shown":
        hidden = whole - scores_of(probe, (1 - _mask(probe, layer, features[..., k]) for k in live), fill)
    probe.step((features.shape[-1] - len(live)) * _times(weights))
    gains = shown if weights == "shown" else np.maximum(shown + hidden, 0)
    return np.asarray(np.einsum("...k,kt->t...", features[..., live], gains), np.float32)


def _mask(probe: ProbeBase, layer: LayerInfo, channel: np.ndarray) -> np.ndarray:
    """Return up(minmax(channel)), outliers cut off: [h, w] -> float32 [H, W], 0..1."""
    low, high = np.percentile(channel, (_OUTLIERS, 100 - _OUTLIERS))
    # where nearly all values are equal, what is above them is all that is marked
    scaled = np.clip((channel - low) / (high - low), 0, 1) if high > low else channel > low
    return upsample(np.asarray(scaled, np.float32), probe.image.shape[:-1], probe.cells(layer))


def _times(weights: str) -> int:
    return 2 if weights == "both" else 1


def polycam_runs(probe: ProbeBase, layer: LayerInfo, *, weights: str, **_options: Any) -> int:
    """Return one or two masked images for each channel, and 2 for the image and its baseline."""
    return int(probe.own_features(layer).shape[-1]) * _times(weights) + 2


POLY_ROWS = (
    IteratedMethod(
        "polycam",
        "channels weighed by the score with each alone and without it, for fuse='polycam'",
        "https://arxiv.org/abs/2204.13359",
        polycam,
        polycam_runs,
        uses_layer=True,
        rectified=True,
        options=(Option("weights", "both", choices=_SIDES), baseline_option("zero")),
    ),
)
