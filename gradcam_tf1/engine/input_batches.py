"""Turn fitted images into the array that is fed, and the channels of its maps back into RGB."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.fitted_clips import FittedClip
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.preprocessing import PRESETS
from gradcam_tf1.methods import METHODS
from gradcam_tf1.tf_runtime import numpy_dtype
from gradcam_tf1.types import Binding, MapKey

_RGB = [0, 1, 2]


def check_batch_size(batch_size: Any) -> None:
    """Raise OptionError if this is not a positive number of images."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise OptionError(f"batch_size is the number of images per run, at least 1, not {batch_size!r}")


def stack_pixels(fitted: Sequence[Union[Fitted, FittedClip]]) -> np.ndarray:
    """Return images of one size as float32 [N, H, W, C], RGB 0..255 or bands. Raises OptionError if sizes differ."""
    sizes = {item.pixels.shape for item in fitted}
    if len(sizes) > 1:
        raise OptionError(
            f"the images have different sizes {sorted(shape[:2] for shape in sizes)}, since this net accepts any size; "
            "give `size`, or explain one size at a time"
        )
    return np.array([item.pixels for item in fitted], np.float32)


def input_batch(pixels: np.ndarray, preprocess: Callable[[np.ndarray], np.ndarray], binding: Binding) -> np.ndarray:
    """Preprocess images and convert them to the dtype of the input.

    Parameters
    ----------
    pixels : np.ndarray
        float32 [N, H, W, 3], RGB 0..255, or bands.
    preprocess : callable
        `GradCamGraph.preprocess` of the net.
    binding : Binding
        Its key tensors.

    Returns
    -------
    np.ndarray
        [N, H, W, C]. For an integer input the values are rounded and clipped to the range of its dtype.

    Raises
    ------
    OptionError
        If `preprocess` returns another shape than the net takes.
    """
    batch = np.asarray(preprocess(pixels))
    expected = (*pixels.shape[:3], binding.channels)
    if batch.shape != expected:
        fitting = [name for name, preset in PRESETS.items() if preset.channels == binding.channels]
        presets = f"; presets with {binding.channels} channels: {', '.join(fitting)}"
        hint = presets if batch.ndim == 4 and fitting else ""
        raise OptionError(f"preprocess returned {list(batch.shape)}, the net takes {list(expected)}{hint}")
    dtype = numpy_dtype(binding.dtype)
    if dtype.kind in "ui":
        batch = np.clip(np.rint(batch), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return batch.astype(dtype)


def rgb_order(preprocess: Callable[[np.ndarray], np.ndarray], size: Tuple[int, int]) -> List[int]:
    """Return the channels of the net's input that hold red, green and blue, by changing one colour at a time.

    Parameters
    ----------
    preprocess : callable
        `GradCamGraph.preprocess` of the net.
    size : (int, int)
        Height and width of the input.

    Returns
    -------
    list of int
        Three channel numbers; [0, 1, 2] if the channels are not a rearrangement of the colours.
    """
    gray = np.full((4, *size, 3), 100, np.float32)
    for colour in range(3):
        gray[colour + 1, ..., colour] += 100
    values = np.asarray(preprocess(gray), np.float64)
    if values.ndim != 4 or values.shape[-1] != 3:
        return _RGB
    changes = np.abs(values[1:] - values[:1]).sum((1, 2))
    order = changes.argmax(axis=1).tolist()
    return order if sorted(order) == _RGB else _RGB


def in_rgb(
    maps: Dict[MapKey, np.ndarray], preprocess: Callable[[np.ndarray], np.ndarray], size: Tuple[int, int]
) -> Dict[MapKey, np.ndarray]:
    """Return the maps with the channels of pixel maps, [N, T, H, W, 3], in the order red, green, blue."""
    colour_maps = [key for key, values in maps.items() if METHODS[key[0]].space == "pixels" and values.shape[-1] == 3]
    order = rgb_order(preprocess, size) if colour_maps else _RGB
    return maps if order == _RGB else {**maps, **{key: _ordered(maps[key], order) for key in colour_maps}}


def _ordered(maps: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return a copy with the channels in this order; a channel at a time, which is faster than pixel by pixel."""
    copy = np.empty(maps.shape, maps.dtype)
    for channel, given in enumerate(order):
        copy[..., channel] = maps[..., given]
    return copy
