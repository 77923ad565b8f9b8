"""From the bytes of an image file to pixels: RGB or bands, upright, whatever the file holds. No TensorFlow here."""

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
    """A kind of image file: how its first bytes or its name give it away, and what reads it."""

    recognise: Callable[[bytes, str], bool]
    read: Callable[[BinaryIO, str, int, ReadOptions], np.ndarray]


def decode(file: BinaryIO, name: str, max_pixels: int = MAX_PIXELS, wanted: ReadOptions = AS_PHOTOGRAPH) -> np.ndarray:
    """One image as uint8 [H, W, 3], RGB, upright; the size is checked in the header, before decoding.

    EXIF orientation is applied, transparency is laid on white, 16-bit values are scaled to 8 bit, gray becomes three
    equal channels, of an animation the first frame is taken; colour profiles are not applied. Where bands are wanted,
    the channels as they are, uint8 or float32 [H, W, channels], 0..255. Values that have no window, where that is
    asked for, are float32.
    Args: file: open for reading, at its start. name: for messages. wanted: see `ReadOptions`.
    Raises: ImageFileError with the reason for anything that is not a whole image.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    form = next(form for form in IMAGE_FORMATS if form.recognise(head, name))
    try:
        return form.read(file, name, max_pixels, wanted)
    except ImageFileError:
        raise
    except Exception as error:  # the readers raise nearly anything on damaged data, struct.error to KeyError
        raise ImageFileError(f"{name!r} cannot be decoded: {error or type(error).__name__}") from error


IMAGE_FORMATS = (
    Format(is_dicom, read_dicom),
    Format(is_nifti, read_nifti),
    Format(is_tiff_file, read_tiff),
    Format(is_pnm, read_pnm),
    Format(is_npy, read_npy),
    Format(lambda _head, _name: True, read_common),
)
