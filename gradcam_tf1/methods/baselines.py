"""What stands for nothing: where the path methods start, and what is seen in place of what is masked."""

from __future__ import annotations

from typing import Any, Callable, Dict, Union

import numpy as np

from gradcam_tf1.errors import OptionError

Baseline = Union[str, float, np.ndarray]

# of the longer side; about 11 pixels at 224
_BLUR = 0.05


def _out_of_focus(pixels: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # imported late: it takes a while

    sigma = _BLUR * max(pixels.shape[:-1])
    return gaussian_filter(pixels, [sigma] * (pixels.ndim - 1) + [0], mode="nearest")


# name -> (pixels float32 [H, W, 3], RGB 0..255, seed) -> the same
_PICTURES: Dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "black": lambda pixels, _seed: np.zeros_like(pixels),
    "white": lambda pixels, _seed: np.full_like(pixels, 255),
    "mean": lambda pixels, _seed: np.broadcast_to(pixels.mean(axis=tuple(range(pixels.ndim - 1))), pixels.shape),
    "blur": lambda pixels, _seed: _out_of_focus(pixels),
    "random": lambda pixels, seed: np.random.RandomState(seed).uniform(0, 255, pixels.shape),
}
BASELINES = ("zero", *_PICTURES)


def baseline_input(probe: Any, baseline: Baseline, seed: int = 0) -> np.ndarray:
    """A baseline as the net takes it, preprocessed like a picture: float32 [H, W, C].

    baseline: black, white, mean (one colour, the picture's own), blur (the picture out of focus), random (uniform noise
    by `seed`), a gray level 0..255, or a picture [H, W, 3], RGB 0..255, of the input's size; or zero, 0 after
    preprocessing, which is no picture.
    Raises: OptionError.
    """
    if isinstance(baseline, str):
        if baseline not in BASELINES:
            names = ", ".join(BASELINES)
            raise OptionError(
                f"no baseline {baseline!r}; possible: {names}, a gray level 0..255, or a picture [H, W, 3]"
            )
        if baseline == "zero":
            return np.zeros_like(probe.image)
        picture = _PICTURES[baseline](probe.pixels, seed)
    else:
        picture = np.asarray(baseline)
        if picture.shape not in ((), probe.pixels.shape) or picture.dtype.kind not in "uif":
            raise OptionError(
                f"the baseline is {picture.dtype} {list(picture.shape)}; it must be a gray level or a picture like the "
                f"net's, {list(probe.pixels.shape)}, RGB 0..255"
            )
        picture = np.broadcast_to(picture, probe.pixels.shape)
    return probe.to_input(np.asarray(picture, np.float32)[np.newaxis])[0]
