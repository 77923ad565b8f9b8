"""Masked images in chunks, their scores, and the baselines that replace what is hidden.

Only one chunk of masks and one of inputs exist at a time (512 masked images of 224 x 224 x 3 would take 300 MB). A
chunk is as many images as the net takes per run.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Sequence, Tuple, TypeVar, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.options import Option

Item = TypeVar("Item")
Baseline = Union[str, float, np.ndarray]


def scored(probe: ProbeBase, masks: Iterable[np.ndarray], fill: np.ndarray) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Score x * mask + fill * (1 - mask) for each mask, in order.

    Parameters
    ----------
    probe : ProbeBase
        Has the image x.
    masks : iterable of np.ndarray
        [H, W] each: float32, 0 (hidden) to 1 (shown), or bool; taken from the iterable one chunk at a time.
    fill : np.ndarray
        float32 [H, W, C], the baseline.

    Yields
    ------
    tuple
        A chunk of the masks, [m, H, W], with its scores, float32 [m, T].
    """
    for group in in_chunks(masks, probe.chunk):
        chunk = np.array(group, bool if group[0].dtype == bool else np.float32)
        yield chunk, probe.scores(masked_images(probe.image, chunk, fill))


def masked_images(image: np.ndarray, masks: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return the image [H, W, C] under masks [m, H, W], with `fill` [H, W, C] where it is hidden: [m, H, W, C]."""
    if masks.dtype != bool:
        shown = masks[..., np.newaxis]
        return np.asarray(image * shown + fill * (1 - shown))
    # whole pixels are copied, which takes a fifth of the time of np.where over the channels
    pixel = np.dtype((np.void, image.dtype.itemsize * image.shape[-1]))
    images = np.repeat(fill[np.newaxis].astype(image.dtype, copy=False), len(masks), axis=0)
    np.copyto(images.view(pixel)[..., 0], np.ascontiguousarray(image).view(pixel)[..., 0], where=masks)
    return images


def scores_of(probe: ProbeBase, masks: Iterable[np.ndarray], fill: np.ndarray) -> np.ndarray:
    """Return the scores of all masks, see `scored`: float64 [M, T]."""
    none = np.empty((0, probe.targets))
    return np.concatenate([none, *(scores for _, scores in scored(probe, masks, fill))])


def in_chunks(items: Iterable[Item], size: int) -> Iterator[List[Item]]:
    """Yield consecutive lists of at most `size` items."""
    iterator = iter(items)
    while True:
        group = list(islice(iterator, size))
        if not group:
            return
        yield group


# of the longer side; about 11 pixels at 224
_BLUR = 0.05


def _blurred(pixels: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter  # imported late: it takes a while

    sigma = _BLUR * max(pixels.shape[:-1])
    return np.asarray(gaussian_filter(pixels, [sigma] * (pixels.ndim - 1) + [0], mode="nearest"))


# name -> (pixels float32 [H, W, 3], RGB 0..255, seed) -> the same
_IMAGES: Dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "black": lambda pixels, _seed: np.zeros_like(pixels),
    "white": lambda pixels, _seed: np.full_like(pixels, 255),
    "mean": lambda pixels, _seed: np.broadcast_to(pixels.mean(axis=tuple(range(pixels.ndim - 1))), pixels.shape),
    "blur": lambda pixels, _seed: _blurred(pixels),
    "random": lambda pixels, seed: np.random.RandomState(seed).uniform(0, 255, pixels.shape),
}
BASELINES = ("zero", *_IMAGES)
# the baselines of RGB 0..255, which signals and volumes do not have
COLOURS = ("black", "white", "random")


_OPTIONS = ("baseline", "baselines")


def baseline_option(default: str) -> Option:
    """Return the option `baseline` of a method: what replaces the hidden parts, see `baseline_input`."""
    return Option("baseline", default, kind=object, choices=BASELINES, for_images=COLOURS, for_arrays="zero")


def check_baselines(methods: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise OptionError for a gray level or image outside 0..255, the values of images before preprocessing."""
    given = [(name, options[key]) for name, options in methods.items() for key in _OPTIONS if key in options]
    for name, value in [(name, each) for name, several in given for each in _each(several)]:
        values = np.asarray(0 if isinstance(value, str) else value)
        finite = values.dtype.kind in "uif" and values.size and np.isfinite(values).all()
        if finite and (values.min() < 0 or values.max() > 255):
            raise OptionError(
                f"the baseline of {name} has values {values.min():g} to {values.max():g}; give a gray level or image "
                "of 0..255, or 'zero' for 0 after preprocessing"
            )


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def baseline_input(probe: ProbeBase, baseline: Baseline, seed: int = 0) -> np.ndarray:
    """Return a baseline as the net takes it, preprocessed like an image.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    baseline : str, float or np.ndarray
        black, white, mean (one colour, the image's own), blur (the image out of focus), random (uniform noise), a gray
        level 0..255, an image [H, W, 3], RGB 0..255, of the input's size, or zero: 0 after preprocessing.
    seed : int
        Of the random baseline.

    Returns
    -------
    np.ndarray
        float32 [H, W, C].

    Raises
    ------
    OptionError
        For an array of another shape.
    """
    if isinstance(baseline, str):
        if baseline == "zero":
            return np.zeros_like(probe.image)
        image = _IMAGES[baseline](probe.pixels, seed)
    else:
        image = np.asarray(baseline)
        if image.shape not in ((), probe.pixels.shape) or image.dtype.kind not in "uif":
            raise OptionError(
                f"the baseline is {image.dtype} {list(image.shape)}; it must be a gray level or an image like the "
                f"net's, {list(probe.pixels.shape)}, RGB 0..255"
            )
        if not np.isfinite(image).all():
            raise OptionError("the baseline is NaN or infinite; give a finite gray level or image")
        image = np.broadcast_to(image, probe.pixels.shape)
    return np.asarray(probe.to_input(np.asarray(image, np.float32)[np.newaxis])[0])
