"""Ablation-CAM: each channel is put out at the layer, and only what follows the layer is computed again."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from gradcam_tf1.methods.masking import in_chunks


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
