"""Arrays of numpy as images: [H, W] or [H, W, channels]. Objects, which would be code, are never read.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import functools
import operator
from typing import Any, BinaryIO, Tuple

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.safe_open import check_bytes, check_size
from gradcam_tf1.images.samples import Samples, as_wanted
from gradcam_tf1.images.window import finite_ends

_MAGIC = b"\x93NUMPY"
_MOST_HEADER = 4096  # longer ones are of structured arrays, or made to keep the parser busy


def is_npy(head: bytes, _name: str) -> bool:
    """By its first letters."""
    return head[:6] == _MAGIC


def read_npy(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """What is wanted of an array. Raises: ImageFileError, and ValueError on damaged headers."""
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


def size_of(shape: Tuple[int, ...], dtype: Any) -> int:
    """Bytes, of any shape: numpy's own product goes round at 2^63."""
    return functools.reduce(operator.mul, map(int, shape), dtype.itemsize)


def read_header(file: BinaryIO, name: str) -> Tuple[Tuple[int, ...], bool, Any]:
    """Shape, whether the first side runs fastest, and type. file: at its start.

    Raises: ImageFileError where there are no such numbers, and ValueError on damaged headers.
    """
    version = np.lib.format.read_magic(file)
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if version not in ((1, 0), (2, 0)) or length > _MOST_HEADER:
        raise ImageFileError(
            f"{name!r} is an array of a kind that is not read; save it with numpy.save, of numbers only"
        )
    file.seek(len(_MAGIC) + 2)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if min(shape, default=0) < 0:
        raise ImageFileError(f"{name!r} is a damaged array: its header says the shape {list(shape)}")
    return shape, fortran, dtype


def _samples(values: np.ndarray, name: str, wanted: ReadOptions) -> Samples:
    """As in `explain`, numbers of 0..255 are pixels; others need a window. Raises: ImageFileError where it has none."""
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
                "white, --window LOW,HIGH (in Python visualize_imgs(..., window=(low, high))), or none for values as "
                "they are stored"
            )
    return Samples(values, name, (0.0, 255.0))
