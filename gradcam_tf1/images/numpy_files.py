"""Read .npy arrays as images: [H, W] or [H, W, channels]. Arrays of objects, which can hold code, are never read.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import functools
import operator
from typing import BinaryIO, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.safe_open import check_bytes, check_size
from gradcam_tf1.images.samples import Samples, as_wanted
from gradcam_tf1.images.window import finite_ends

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 4096  # longer headers belong to structured arrays, or are made to keep the parser busy


def is_npy(head: bytes, _name: str) -> bool:
    """Recognise a .npy file by its first bytes."""
    return head[:6] == _MAGIC


def read_npy(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Read an array as an image; raise ImageFileError, or ValueError on damaged headers."""
    shape, fortran, dtype = read_header(file, name)
    if dtype.kind not in "uif" or len(shape) not in (2, 3) or 0 in shape:
        raise ImageFileError(
            f"{name!r} is an array {dtype} {list(shape)}; an image is [H, W] or [H, W, channels] of integers or floats"
        )
    check_size(name, shape[1], shape[0], max_pixels)
    size = size_of(shape, dtype)
    check_bytes(name, size, max_pixels)
    data = file.read(size)
    if len(data) < size:
        raise ImageFileError(f"{name!r} is cut off: it ends {size - len(data)} bytes too early")
    values = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    values = values.astype(dtype.newbyteorder("="))
    values = values[..., np.newaxis] if values.ndim == 2 else values
    rgb = {1: "gray", 3: "rgb"}.get(values.shape[2])
    return as_wanted(_samples(values, name, wanted), wanted, rgb)


def size_of(shape: Tuple[int, ...], dtype: np.dtype) -> int:
    """Return the number of bytes of an array; numpy's own product overflows at 2^63."""
    return functools.reduce(operator.mul, map(int, shape), int(dtype.itemsize))


def read_header(file: BinaryIO, name: str) -> Tuple[Tuple[int, ...], bool, np.dtype]:
    """Read the header of a .npy file.

    Parameters
    ----------
    file : binary file
        At its start; afterwards at the first number.
    name : str
        Name of the file, for messages.

    Returns
    -------
    tuple of int
        The shape.
    bool
        Whether the array is in Fortran order.
    np.dtype
        The type of its numbers.

    Raises
    ------
    ImageFileError
        If the version is unknown, or the header is too long or damaged.
    ValueError
        If numpy cannot read the header.
    """
    version = np.lib.format.read_magic(file)
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if version not in ((1, 0), (2, 0)) or length > _MOST_HEADER:
        raise ImageFileError(
            f"{name!r} is an array of a kind that is not supported; save an array of numbers with numpy.save"
        )
    file.seek(len(_MAGIC) + 2)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if min(shape, default=0) < 0:
        raise ImageFileError(f"{name!r} is a damaged array: its header says the shape {list(shape)}")
    return shape, fortran, dtype


def _samples(values: np.ndarray, name: str, wanted: ReadOptions) -> Samples:
    """Take numbers of 0..255 as pixels, as `explain` does; raise ImageFileError for others without a window."""
    if values.dtype == np.uint8:
        return Samples(values, name, (0.0, 255.0))
    window = wanted.window
    if window.ends is None and not window.stored:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ImageFileError(f"{name!r} holds NaN or infinite values; with --window LOW,HIGH NaN is black")
        low, high = finite_ends(values) or (float(values.flat[0]),) * 2
        least = 1.0 if values.dtype.kind == "f" else 0.0
        if low < 0 or high > 255 or high <= least:
            raise ImageFileError(
                f"{name!r} holds {values.dtype} from {low:g} to {high:g}, not pixels of 0..255; say what is black and "
                "white, --window LOW,HIGH (in Python run=RunOptions(window=(low, high))), or none to keep the "
                "values as they are stored"
            )
    return Samples(values, name, (0.0, 255.0))
