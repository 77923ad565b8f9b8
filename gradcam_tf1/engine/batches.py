"""Pictures to the array that is fed."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.geometry import Fitted
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import Binding, MapKey


def as_images(images: Any) -> List[Any]:
    """A list of pictures: RGB arrays [H, W, 3], 0..255, or Fitted.

    Args: images: one picture, an array [N, H, W, 3], or a list; gray pictures [H, W] get three channels.
    Raises: OptionError naming the shape that does not fit.
    """
    if isinstance(images, Fitted) or (isinstance(images, np.ndarray) and images.ndim in (2, 3)):
        images = [images]
    pictures = [item if isinstance(item, Fitted) else _picture(np.asarray(item)) for item in images]
    if not pictures:
        raise OptionError("no images were given; give [N, H, W, 3], RGB, 0..255")
    return pictures


def _picture(image: np.ndarray) -> np.ndarray:
    if image.ndim == 2:
        image = np.repeat(image[..., np.newaxis], 3, axis=2)
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype.kind not in "uif":
        raise OptionError(f"an image is {image.dtype} {list(image.shape)}; expected RGB [H, W, 3], 0..255")
    return image


def stack_pixels(fitted: Sequence[Fitted]) -> np.ndarray:
    """Pictures of one size: float32 [N, H, W, 3], RGB 0..255. Raises: OptionError when they differ in size."""
    sizes = {item.pixels.shape for item in fitted}
    if len(sizes) > 1:
        raise OptionError(
            f"the pictures came to different sizes {sorted(shape[:2] for shape in sizes)} because this net takes any; "
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
        hint = "; use one of the gray- presets" if binding.channels == 1 else ""
        raise OptionError(f"preprocess returned {list(batch.shape)}, the net takes {list(expected)}{hint}")
    dtype = np.dtype(binding.dtype)
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
