"""Fitted images to the array that is fed."""

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


def check_batch_size(batch_size: Any) -> None:
    """Raises: OptionError where it is no number of images."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
        raise OptionError(f"batch_size is the number of images per run, at least 1, not {batch_size!r}")


def stack_pixels(fitted: Sequence[Union[Fitted, FittedClip]]) -> np.ndarray:
    """Images of one size: float32 [N, H, W, 3], RGB 0..255, or bands. Raises: OptionError where sizes differ."""
    sizes = {item.pixels.shape for item in fitted}
    if len(sizes) > 1:
        raise OptionError(
            f"the images came to different sizes {sorted(shape[:2] for shape in sizes)} because this net takes any; "
            "give `size`, or explain them one size at a time"
        )
    return np.stack([item.pixels for item in fitted]).astype(np.float32)


def input_batch(pixels: np.ndarray, preprocess: Callable[[np.ndarray], Any], binding: Binding) -> np.ndarray:
    """Preprocessed pixels: [N, H, W, C] of the input's dtype.

    Args: pixels: float32 [N, H, W, 3], RGB 0..255.
    Raises: OptionError when `preprocess` returns another shape than the net takes.
    """
    batch = np.asarray(preprocess(pixels))
    expected = (*pixels.shape[:3], binding.channels)
    if batch.shape != expected:
        fitting = [name for name, preset in PRESETS.items() if preset.channels == binding.channels]
        hint = f"; presets that make so many channels: {', '.join(fitting)}" if batch.ndim == 4 and fitting else ""
        raise OptionError(f"preprocess returned {list(batch.shape)}, the net takes {list(expected)}{hint}")
    dtype = numpy_dtype(binding.dtype)
    if dtype.kind in "ui":
        batch = np.clip(np.rint(batch), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return batch.astype(dtype)


def rgb_order(preprocess: Callable[[np.ndarray], Any], size: Tuple[int, int]) -> List[int]:
    """Which channel of the net's input holds red, green and blue, found by changing one colour at a time.

    Args: size: (height, width) of the input. Returns: three channel numbers; [0, 1, 2] where the channels are not a
    rearrangement of the colours.
    """
    gray = np.full((4, *size, 3), 100, np.float32)
    for colour in range(3):
        gray[colour + 1, ..., colour] += 100
    values = np.asarray(preprocess(gray), np.float64)
    if values.ndim != 4 or values.shape[-1] != 3:
        return [0, 1, 2]
    changes = np.abs(values[1:] - values[:1]).sum((1, 2))
    order = changes.argmax(axis=1).tolist()
    return order if sorted(order) == [0, 1, 2] else [0, 1, 2]


def in_rgb(
    maps: Dict[MapKey, np.ndarray], preprocess: Callable[[np.ndarray], Any], size: Tuple[int, int]
) -> Dict[MapKey, np.ndarray]:
    """Maps of the input's size, [N, T, H, W, 3], with their channels as red, green, blue; the others as they are."""
    coloured = [key for key, values in maps.items() if METHODS[key[0]].space == "pixels" and values.shape[-1] == 3]
    order = rgb_order(preprocess, size) if coloured else [0, 1, 2]
    return {**maps, **{key: maps[key][..., order] for key in coloured}}
