"""The formats in which drawn images are written: one row of `IMAGE_FORMATS` each. No TensorFlow here."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple

import cv2
import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.drawing.overlay import check_rgb, write_png
from gradcam_tf1.drawing.png_files import PHOTOGRAPH
from gradcam_tf1.errors import OptionError

LOSSLESS = "png"


class ImageFormat(NamedTuple):
    """A format of image files.

    Attributes
    ----------
    ending : str
        Of file names.
    longest : int
        Most pixels of a side that the format allows.
    parameters : tuple of int
        cv2's: the quality.
    """

    ending: str
    longest: int
    parameters: Tuple[int, ...] = ()


# A quality at which heat maps on photographs look like the originals, in a quarter of the bytes of a PNG file.
IMAGE_FORMATS: Dict[str, ImageFormat] = {
    LOSSLESS: ImageFormat(".png", 2**31 - 1),
    "jpeg": ImageFormat(".jpg", 65_500, (cv2.IMWRITE_JPEG_QUALITY, 95)),
    "webp": ImageFormat(".webp", 16_383, (cv2.IMWRITE_WEBP_QUALITY, 90)),
}


def check_image_format(name: Any) -> None:
    """Raise OptionError for an unknown format."""
    if not isinstance(name, str) or name not in IMAGE_FORMATS:
        raise OptionError(f"unknown image_format {name!r}; possible: {', '.join(IMAGE_FORMATS)}")


def format_for(name: str, rgb: np.ndarray) -> str:
    """Return the format of an image: the one of this name, or PNG where the image is too large for it."""
    return name if max(rgb.shape[:2]) <= IMAGE_FORMATS[name].longest else LOSSLESS


def write_image(path: str, rgb: np.ndarray, name: str, strategy: int = PHOTOGRAPH) -> None:
    """Write an image atomically.

    Parameters
    ----------
    path : str
        Where to write. The folder must exist.
    rgb : np.ndarray
        uint8 [H, W, 3], RGB.
    name : str
        A format from IMAGE_FORMATS.
    strategy : int
        As in `write_png`.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    OptionError
        If the array is not uint8 [H, W, 3] or is empty, or the format cannot hold it.
    """
    if name == LOSSLESS:
        write_png(path, rgb, strategy)
        return
    check_rgb(rgb)
    row = IMAGE_FORMATS[name]
    done, data = cv2.imencode(row.ending, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), row.parameters)
    if not done:
        raise OptionError(f"the image {list(rgb.shape)} for {path!r} cannot be written as {name}")
    write_whole(path, data.data, "image")
