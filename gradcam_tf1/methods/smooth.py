"""Layer methods that average over noisy copies of the picture."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.families import IteratedMethod


def noisy_copies(image: np.ndarray, samples: int, noise: float, seed: int) -> np.ndarray:
    """Copies of a picture with Gaussian noise of its own on each. https://arxiv.org/abs/1706.03825

    Args: image: float32 [H, W, C]. noise: standard deviation as a share of the range of the image.
    Returns: float32 [samples, H, W, C]. Raises: OptionError where samples < 1 or noise < 0.
    """
    if samples < 1 or noise < 0:
        raise OptionError(f"samples={samples}, noise={noise}: at least one sample, and no noise below 0")
    deviation = noise * float(np.ptp(image))
    drawn = np.random.RandomState(seed).standard_normal((samples, *image.shape))
    return (image + deviation * drawn).astype(np.float32)


def smoothgradcampp(probe: Any, layer: Any, *, samples: int = 16, noise: float = 0.15, seed: int = 0) -> np.ndarray:
    """Smooth Grad-CAM++: ReLU(sum_k w_k A_k), w_k = sum_ij a ReLU(D1_k). https://arxiv.org/abs/1908.01224

    a = D2 / (2 D2 + D3 sum_ab A_k), 0 where that is 0 / 0; Dn = the mean of g^n over noisy copies of the picture; A are
    the features of the picture itself. One copy without noise gives Grad-CAM++.
    Returns: float32 [T, h, w], before the ReLU. Raises: OptionError where samples < 1 or noise < 0.
    """
    copies = noisy_copies(probe.image, samples, noise, seed)
    features = probe.own_features(layer).astype(np.float64)
    positions = tuple(range(features.ndim - 1))
    sums = features.sum(axis=positions)
    maps = []
    for target in range(probe.targets):
        first, second, third = _mean_powers(probe, layer, copies, target)
        below = 2.0 * second + sums * third
        alphas = np.divide(second, below, out=np.zeros_like(second), where=below != 0)
        weights = (alphas * np.maximum(first, 0)).sum(axis=positions)
        maps.append(features @ weights)
    return np.array(maps, np.float32)


def _mean_powers(probe: Any, layer: Any, copies: np.ndarray, target: int) -> np.ndarray:
    """Means of g, g^2 and g^3 over the copies: float64 [3, h, w, K]."""
    sums: Any = 0.0
    for start in range(0, len(copies), probe.chunk):  # no more gradients in memory than one run gives
        grads = probe.layer_grads(layer, copies[start : start + probe.chunk], target)[1].astype(np.float64)
        sums = sums + np.stack([(grads**power).sum(axis=0) for power in (1, 2, 3)])
    return sums / len(copies)


def _runs(probe: Any, _layer: Any, *, samples: int = 16, **_options: Any) -> int:
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
        unit="forward and backward passes of the whole net",
    ),
)
