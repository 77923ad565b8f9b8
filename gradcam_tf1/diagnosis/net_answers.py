"""What a net answers to images under one preprocessing: probabilities, and the features at its first batch norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.diagnosis.norm_records import NormRecord
from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.engine.input_batches import input_batch
from gradcam_tf1.images.preprocessing import Preprocessing

CHUNK = 8  # images at a time; their features are large
_CROP = 16  # the "crop" view leaves out one pixel in so many on each side
_DIM = 0.85  # contrast of the "dark" and "bright" views


@dataclass(frozen=True)
class Answers:
    """The answers to N images.

    Attributes
    ----------
    probabilities : np.ndarray
        float64 [N, C], NaN where the net's scores are not finite.
    mean, square : np.ndarray or None
        float64 [N, K], see `NormRecord.moments`.
    """

    probabilities: np.ndarray
    mean: Optional[np.ndarray] = None
    square: Optional[np.ndarray] = None

    @property
    def finite(self) -> bool:
        """Whether every answer is."""
        return bool(np.isfinite(self.probabilities).all())

    @property
    def independent(self) -> bool:
        """Whether each class has a probability of its own, instead of a share of 1."""
        sums = self.probabilities.sum(axis=1)
        return bool(np.isfinite(sums).all() and np.abs(sums - 1).max() > 1e-2)


def ask(explainer: NetExplainer, pixels: np.ndarray, preset: Preprocessing, norm: Optional[NormRecord]) -> Answers:
    """Run a net on images.

    Parameters
    ----------
    explainer : NetExplainer
        The bound net.
    pixels : np.ndarray
        float32 [N, H, W, 3], RGB 0..255, or bands, at the input's size.
    preset : Preprocessing
        Their preprocessing.
    norm : NormRecord or None
        Batch norm whose input is measured.

    Raises
    ------
    RunError
        If the net fails.
    """
    parts: Dict[str, List[np.ndarray]] = {"probabilities": [], "mean": [], "square": []}
    tensors = [] if norm is None else [norm.tensor]
    for start in range(0, len(pixels), CHUNK):
        batch = input_batch(pixels[start : start + CHUNK], preset, explainer.binding)
        found = explainer.engine.evaluate(batch, tensors)
        parts["probabilities"].append(found["probabilities"].astype(np.float64))
        if norm is not None:
            mean, square = norm.moments(found[norm.tensor])
            parts["mean"].append(mean)
            parts["square"].append(square)
    arrays = {name: np.concatenate(values) for name, values in parts.items() if values}
    return Answers(**arrays)


def views(pixels: np.ndarray) -> Sequence[np.ndarray]:
    """Return the images and four small changes of them, each like `pixels`: mirrored, cropped, dark and bright."""
    height, width = pixels.shape[1:3]
    rows = np.linspace(height // _CROP, height - 1 - height // _CROP, height).round().astype(int)
    columns = np.linspace(width // _CROP, width - 1 - width // _CROP, width).round().astype(int)
    cropped = pixels[:, rows][:, :, columns]
    return [pixels, pixels[:, :, ::-1], cropped, pixels * _DIM, 255 - (255 - pixels) * _DIM]
