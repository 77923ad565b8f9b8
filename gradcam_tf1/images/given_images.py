"""What people hand to `explain` as images: arrays, PIL images, paths. No TensorFlow here."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, List

import numpy as np
from PIL import Image, ImageOps

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.decode import decode
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import read_image

WANTED = "RGB [H, W, 3] with values 0..255, a PIL image, or the path of an image"
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_SEEN_THROUGH = ("PA", "La", "RGBa")
_SLACK = 16  # bicubic and Lanczos resizing overshoot 0..255
_SMALL = 16  # of a photograph in 0..255 some value is higher, unless all are whole numbers


def as_images(images: Any, own_range: bool = False, channels: int = 3) -> List[Any]:
    """A list of images: RGB arrays [H, W, 3], 0..255, arrays [H, W, channels], or Fitted.

    Args:
        images: one image (an array, a PIL image, a path), an array [N, H, W, 3], or a list of images; gray images
            [H, W] get three channels.
        own_range: the net's preprocessing may want other values than 0..255, so that small ones are only warned of.
        channels: of the images, 3 stands for RGB.
    Raises: OptionError naming what does not fit; ImageFileError for a file that cannot be read.
    """
    one = isinstance(images, (Fitted, Image.Image, str, os.PathLike))
    if one or (isinstance(images, np.ndarray) and images.ndim in (2, 3)):
        images = [images]
    try:
        given = list(images)
    except TypeError:
        raise OptionError(f"an image is {_kind(images)}; expected {WANTED}, or a list of these") from None
    if not given:
        raise OptionError(f"no images were given; give {WANTED}, or a list of these")
    return [item if isinstance(item, Fitted) else as_image(item, own_range, channels) for item in given]


def as_image(image: Any, own_range: bool = False, channels: int = 3) -> np.ndarray:
    """One image as an array [H, W, channels] of values 0..255. Arguments and what is raised as in `as_images`."""
    if isinstance(image, (str, os.PathLike)):
        return read_image(os.path.expanduser(os.fspath(image)), channels=channels)
    if isinstance(image, Image.Image):
        return _pixels(image, channels)
    pixels = np.asarray(image)
    if channels == 3 and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1)):
        pixels = np.repeat(pixels.reshape((*pixels.shape[:2], 1)), 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != channels or 0 in pixels.shape or pixels.dtype.kind not in "uif":
        wanted = WANTED if channels == 3 else f"an array [H, W, {channels}], as many channels as the net takes"
        raise OptionError(f"an image is {_kind(image)}; expected {wanted}")
    _check_values(pixels, own_range)
    return pixels


def _kind(image: Any) -> str:
    if image is None or isinstance(image, (bool, int, float)):
        return repr(image)
    array = image if isinstance(image, np.ndarray) else None
    return type(image).__name__ if array is None else f"{array.dtype} {list(array.shape)}"


def _pixels(image: Image.Image, channels: int) -> np.ndarray:
    """By the same rules as a file: upright, transparency on white, 16-bit gray scaled to 8 bit."""
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise OptionError(
            f"a PIL image of mode {image.mode!r} has no white, and Pillow cuts its values when it converts it; give an "
            "array that is scaled to 0..255, such as np.asarray(image) * (255 / white)"
        )
    if image.mode == "I":  # how Pillow before 10 opens 16-bit gray
        image = Image.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    upright = ImageOps.exif_transpose(image)
    plain = (
        upright if upright.mode in _PNG_MODES else upright.convert("RGBA" if upright.mode in _SEEN_THROUGH else "RGB")
    )
    packed = io.BytesIO()
    plain.save(packed, "PNG", compress_level=0)
    packed.seek(0)
    return decode(packed, "the PIL image", wanted=ReadOptions(channels))


def _check_values(pixels: np.ndarray, own_range: bool) -> None:
    """Raises: OptionError where the values are no colours 0..255, since the map of such an image would be wrong."""
    if pixels.dtype == np.uint8:
        return
    low, high = float(pixels.min()), float(pixels.max())
    if not np.isfinite([low, high]).all():
        broken = int(pixels.size - np.isfinite(pixels).sum())
        raise OptionError(f"{broken} of the image's {pixels.size} values are NaN or infinite; give finite ones, 0..255")
    if low == high == 0:
        return
    small = high <= 1 or (not own_range and high < _SMALL and not np.equal(np.rint(pixels), pixels).all())
    if small and pixels.dtype.kind == "f":
        cure = "multiply it by 255" if low >= 0 and high <= 1 else "give it as it was before preprocessing"
    elif not own_range and (low < -_SLACK or high > 255 + _SLACK):
        cure = "scale it to 0..255"
    else:
        return
    told = f"the image has {pixels.dtype} values {low:.3g} to {high:.3g}, but images are RGB 0..255: {cure}"
    if not own_range:
        raise OptionError(told)
    warnings.warn(f"{told}, unless your preprocessing is made for such values", UserWarning, stacklevel=2)
