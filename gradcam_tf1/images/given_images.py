"""Read the images that `explain` accepts: arrays, PIL images, paths. No TensorFlow here."""

from __future__ import annotations

import io
import os
import warnings
from typing import Any, List, Union

import numpy as np
from PIL import Image, ImageOps

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.decode import decode
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.images.image_files import read_image

EXPECTED = "RGB [H, W, 3] with values 0..255, a PIL image, or the path of an image"
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_ALPHA_MODES = ("PA", "La", "RGBa")
_SLACK = 16  # bicubic and Lanczos resizing overshoot 0..255
_SMALL = 16  # a photograph in 0..255 has higher values, unless all are whole numbers


def as_images(images: Any, own_range: bool = False, channels: int = 3) -> List[Union[np.ndarray, Fitted]]:
    """Return the images as a list of arrays.

    Parameters
    ----------
    images : array, PIL image, path or list
        One image, an array [N, H, W, 3], or a list of images; gray images [H, W] get three channels.
    own_range : bool
        Whether the preprocessing may expect other values than 0..255. Then such values only cause a warning.
    channels : int
        Channels of the images; 3 for RGB.

    Returns
    -------
    list
        Arrays [H, W, channels], RGB 0..255 for three channels; Fitted images are unchanged.

    Raises
    ------
    OptionError
        If an image has the wrong type, shape or values.
    ImageFileError
        If a file cannot be read.
    """
    images = _as_numpy(images)
    is_single = isinstance(images, (Fitted, Image.Image, str, os.PathLike))
    if is_single or (isinstance(images, np.ndarray) and images.ndim in (2, 3)):
        images = [images]
    try:
        items = list(images)
    except TypeError:
        raise OptionError(f"an image is {_kind(images)}; expected {EXPECTED}, or a list of these") from None
    if not items:
        raise OptionError(f"no images were given; give {EXPECTED}, or a list of these")
    return [item if isinstance(item, Fitted) else as_image(item, own_range, channels) for item in items]


def as_image(image: Any, own_range: bool = False, channels: int = 3) -> np.ndarray:
    """Return one image as an array [H, W, channels], 0..255; for parameters and errors see `as_images`."""
    if isinstance(image, (str, os.PathLike)):
        return read_image(os.path.expanduser(os.fspath(image)), channels=channels)
    if isinstance(image, Image.Image):
        return _pixels(image, channels)
    if isinstance(image, (list, tuple)):
        raise OptionError(
            f"an image is a {type(image).__name__}; give an array, np.asarray(image), or a list of arrays"
        )
    pixels = np.asarray(_as_numpy(image))
    if channels == 3 and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 1)):
        pixels = np.repeat(pixels.reshape((*pixels.shape[:2], 1)), 3, axis=2)
    if pixels.ndim != 3 or pixels.shape[2] != channels or 0 in pixels.shape or pixels.dtype.kind not in "uif":
        expected = EXPECTED if channels == 3 else f"an array [H, W, {channels}], as many channels as the net takes"
        raise OptionError(f"an image is {_kind(image)}; expected {expected}")
    _check_values(pixels, own_range)
    return pixels


def _as_numpy(images: Any) -> Any:
    """Return an array of another library as a numpy array, since its rows are no images; anything else unchanged."""
    if isinstance(images, (np.ndarray, Image.Image)) or not hasattr(images, "__array__"):
        return images
    try:
        return np.asarray(images)
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:  # a tensor without values
        raise OptionError(f"an image is {_kind(images)} without values; expected {EXPECTED}") from error


def _kind(image: Any) -> str:
    """Describe the type of an image, for messages."""
    if image is None or isinstance(image, (bool, int, float)):
        return repr(image)
    array = image if isinstance(image, np.ndarray) else None
    return type(image).__name__ if array is None else f"{array.dtype} {list(array.shape)}"


def _pixels(image: Image.Image, channels: int) -> np.ndarray:
    """Convert a PIL image as a file: upright, transparency on white, 16-bit gray scaled to 8 bit."""
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        raise OptionError(
            f"a PIL image of mode {image.mode!r} has no defined white, and Pillow clips its values; give an array "
            "scaled to 0..255, such as np.asarray(image) * (255 / white)"
        )
    if image.mode == "I":  # Pillow before 10 opens 16-bit gray in this mode
        image = Image.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    upright = ImageOps.exif_transpose(image)
    plain = (
        upright if upright.mode in _PNG_MODES else upright.convert("RGBA" if upright.mode in _ALPHA_MODES else "RGB")
    )
    packed = io.BytesIO()
    plain.save(packed, "PNG", compress_level=0)
    packed.seek(0)
    return decode(packed, "the PIL image", wanted=ReadOptions(channels))


def _check_values(pixels: np.ndarray, own_range: bool) -> None:
    """Refuse values that are not colours 0..255, since their map would be wrong. Raises OptionError."""
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
        cure = "multiply it by 255" if low >= 0 and high <= 1 else "give the image before preprocessing"
    elif not own_range and (low < -_SLACK or high > 255 + _SLACK):
        cure = "scale it to 0..255"
    else:
        return
    message = f"the image has {pixels.dtype} values {low:.3g} to {high:.3g}, but images are RGB 0..255: {cure}"
    if not own_range:
        raise OptionError(message)
    warnings.warn(f"{message}, unless your preprocessing expects these values", UserWarning, stacklevel=2)
