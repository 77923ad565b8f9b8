"""Layer methods that average over noisy copies of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.methods.families import IteratedMethod
from gradcam_tf1.methods.noise import BACKWARD, Noise, in_chunks


def smoothgradcampp(probe: Any, layer: Any, *, samples: int = 16, level: float = 0.15, seed: int = 0) -> np.ndarray:
    """Smooth Grad-CAM++: ReLU(sum_k w_k A_k), w_k = sum_ij a ReLU(D1_k). https://arxiv.org/abs/1908.01224

    a = D2 / (2 D2 + D3 sum_ab A_k), 0 where that is 0 / 0; Dn = the mean of g^n over noisy copies of the picture; A are
    the features of the picture itself. One copy without noise gives Grad-CAM++.
    Options: as `Noise`. Returns: float32 [T, h, w], before the ReLU.
    """
    noise = Noise("smoothgrad", samples, level, seed)
    features = probe.own_features(layer).astype(np.float64)
    positions = tuple(range(features.ndim - 1))
    maps = []
    for target in range(probe.targets):
        first, second, third = _mean_powers(probe, layer, noise, target)
        below = 2.0 * second + features.sum(axis=positions) * third
        alphas = np.divide(second, below, out=np.zeros_like(second), where=below != 0)
        maps.append(features @ (alphas * np.maximum(first, 0)).sum(axis=positions))
    return np.array(maps, np.float32)


def _mean_powers(probe: Any, layer: Any, noise: Noise, target: int) -> np.ndarray:
    """Means of g, g^2 and g^3 over the copies: float64 [3, h, w, K]."""
    sums: Any = 0.0
    for inputs in in_chunks(noise.copies(probe.image, probe.image.ndim), probe.chunk):
        grads = probe.layer_grads(layer, inputs, target)[1].astype(np.float64)
        sums = sums + np.stack([(grads**power).sum(axis=0) for power in (1, 2, 3)])
    return sums / noise.samples


def _runs(probe: Any, _layer: Any, samples: int, **_others: Any) -> int:
    return samples * probe.targets


SMOOTH_ROWS = (
    IteratedMethod(
        "smoothgradcampp",
        "Grad-CAM++ averaged over noisy copies",
        "https://arxiv.org/abs/1908.01224",
        smoothgradcampp,
        uses_layer=True,
        rectified=True,
        runs=_runs,
        unit=BACKWARD,
    ),
)
