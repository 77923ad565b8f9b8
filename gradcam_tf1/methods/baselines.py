"""Pictures that show nothing, from which the path methods start."""

from __future__ import annotations

from typing import Any, Callable, Dict, Union

import numpy as np
from scipy.ndimage import gaussian_filter

from gradcam_tf1.errors import OptionError

Baseline = Union[str, np.ndarray]

# of the longer side; about 11 pixels at 224
_BLUR = 0.05

# name -> (pixels float32 [H, W, 3], RGB 0..255, seed) -> the same
_PICTURES: Dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "black": lambda pixels, _seed: np.zeros_like(pixels),
    "white": lambda pixels, _seed: np.full_like(pixels, 255),
    "mean": lambda pixels, _seed: np.broadcast_to(pixels.mean(axis=(0, 1)), pixels.shape),
    "blur": lambda pixels, _seed: gaussian_filter(pixels, [_BLUR * max(pixels.shape)] * 2 + [0], mode="nearest"),
    "random": lambda pixels, seed: np.random.RandomState(seed).uniform(0, 255, pixels.shape),
}
BASELINES = tuple(_PICTURES)


def baseline_input(probe: Any, baseline: Baseline, seed: int = 0) -> np.ndarray:
    """A baseline as the net takes it, preprocessed like a picture: float32 [H, W, C].

    baseline: black, white, mean (one colour, the picture's own), blur (the picture out of focus), random (uniform noise
    by `seed`), or a picture [H, W, 3], RGB 0..255, of the input's size.
    Raises: OptionError.
    """
    if isinstance(baseline, str):
        if baseline not in _PICTURES:
            raise OptionError(f"no baseline {baseline!r}; possible: {', '.join(BASELINES)}, or a picture [H, W, 3]")
        picture = _PICTURES[baseline](probe.pixels, seed)
    else:
        picture = np.asarray(baseline)
        if picture.shape != probe.pixels.shape:
            raise OptionError(
                f"the baseline is {list(picture.shape)}; it must be a picture like the net's, "
                f"{list(probe.pixels.shape)}, RGB 0..255"
            )
    return probe.to_input(np.asarray(picture, np.float32)[np.newaxis])[0]
