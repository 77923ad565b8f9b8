"""Decode the bytes of an image file to pixels: RGB or bands, upright. No TensorFlow here."""

from __future__ import annotations

from typing import BinaryIO, Callable, NamedTuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import AS_PHOTOGRAPH, ReadOptions
from gradcam_tf1.images.dicom import is_dicom, read_dicom
from gradcam_tf1.images.nifti import is_nifti, read_nifti
from gradcam_tf1.images.numpy_files import is_npy, read_npy
from gradcam_tf1.images.pillow_files import FORMATS as FORMATS
from gradcam_tf1.images.pillow_files import read_common
from gradcam_tf1.images.pnm import is_pnm, read_pnm
from gradcam_tf1.images.tiff import is_tiff_file, read_tiff

MAX_PIXELS = 100_000_000
HEAD_BYTES = 512


class Format(NamedTuple):
    """A kind of image file.

    Attributes
    ----------
    recognise : callable
        (first HEAD_BYTES bytes, name) -> whether the file is of this kind.
    read : callable
        (file, name, max_pixels, wanted) -> pixels; may raise any exception on damaged files.
    """

    recognise: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, str, int, ReadOptions], np.ndarray]


def decode(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS, wanted: ReadOptions = AS_PHOTOGRAPH) -> np.ndarray:
    """Decode one image as RGB, upright.

    EXIF orientation is applied, transparency is composited on white, 16-bit values are scaled to 8 bit, gray becomes
    three equal channels, and of an animation the first frame is read. Colour profiles are not applied. The size is
    checked in the header, before decoding.

    Parameters
    ----------
    file : binary file
        Open for reading, at its start.
    name : str
        Name of the image, for messages and, where the content is ambiguous, for its kind.
    max_pixels : int
        Maximum number of pixels, height times width.
    wanted : ReadOptions
        Channels, bands and window.

    Returns
    -------
    np.ndarray
        uint8 [H, W, 3], RGB, 0..255. For a net with other than 1 or 3 channels, uint8 or float32 [H, W, channels],
        0..255. With `Window(stored=True)` float32, values as stored.

    Raises
    ------
    ImageFileError
        If it is not a complete image, is too large, or has other channels; says why.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    form = next(form for form in IMAGE_FORMATS if form.recognise(head, name))
    try:
        return form.read(file, name, max_pixels, wanted)
    except ImageFileError:
        raise
    except Exception as error:  # the readers raise nearly any exception on damaged data, from struct.error to KeyError
        raise ImageFileError(f"{name!r} cannot be decoded: {error or type(error).__name__}") from error


IMAGE_FORMATS = (
    Format(is_dicom, read_dicom),
    Format(is_nifti, read_nifti),
    Format(is_tiff_file, read_tiff),
    Format(is_pnm, read_pnm),
    Format(is_npy, read_npy),
    Format(lambda _head, _name: True, read_common),
)
