"""A slice of a NIfTI volume as an image, through nibabel (the extra "medical").

The slice lies across the third axis, of the first volume where there are several; the first axis goes to the right and
the second upwards, as they are stored. Gray by a window, else by the header's cal_min and cal_max, else by the slice.
nibabel reads the header; the slice is one run of bytes, of which no more is unpacked or turned to floats than is shown.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any, BinaryIO, Optional

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.safe_open import MAX_BYTES, check_size
from gradcam_tf1.images.window import Ends, Window, as_stored, finite_ends, import_extra, pick_slice, shades, three

_SINGLE, _PAIR = (b"n+1\0", b"n+2\0"), (b"ni1\0", b"ni2\0")
_MOST_UNPACKED = 1 << 32  # bytes of a packed file in front of the slice


def is_nifti(head: bytes, name: str) -> bool:
    """By the letters in the header, packed or not, or the name."""
    return _magic(_unpacked(head)) is not None or name.lower().endswith((".nii", ".nii.gz"))


def _magic(head: bytes) -> Any:
    """The letters that every NIfTI header has: at byte 344 in version 1, at byte 4 in version 2."""
    places = (head[344:348], head[4:8])
    return next((magic for magic in places if magic in (*_SINGLE, *_PAIR)), None)


def _unpacked(head: bytes) -> bytes:
    if head[:2] != b"\x1f\x8b":
        return head
    try:
        return zlib.decompressobj(31).decompress(head, 512)
    except zlib.error:
        return b""


def read_nifti(file: BinaryIO, name: str, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """One slice as uint8 [H, W, 3], RGB. Raises: ImageFileError, and what nibabel raises on damaged files."""
    nibabel = import_extra("nibabel", "NIfTI", name)
    head = file.read(540)
    file.seek(0)
    magic = _magic(_unpacked(head))
    if magic in _PAIR:
        raise ImageFileError(f"{name!r} is the header of a NIfTI pair; save it as one file, .nii or .nii.gz")
    if magic is None:
        raise ImageFileError(f"{name!r} is not a NIfTI file")
    stream: Any = gzip.GzipFile(fileobj=file) if head[:2] == b"\x1f\x8b" else file
    second = magic == b"n+2\0" and _unpacked(head)[4:8] == magic
    form = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    header = form(stream.read(form.sizeof_hdr))
    values = np.rot90(_slice(stream, name, header, max_pixels, wanted))
    wanted.fits(3 if values.dtype.names else 1, name)
    if values.dtype.names:
        return np.ascontiguousarray(np.stack([values[channel] for channel in ("R", "G", "B")], axis=-1))
    return three(_gray(values, name, header, wanted.window))


def _slice(stream: Any, name: str, header: Any, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """The slice that is wanted, as it is stored: [first axis, second axis]."""
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if len(shape) < 2 or min(shape) < 1:
        raise ImageFileError(f"{name!r} has the shape {shape}, which is no image")
    check_size(name, shape[0], shape[1], max_pixels)
    if dtype.kind not in "uif" and dtype.names is None:
        raise ImageFileError(f"{name!r} holds {dtype} numbers, which are no image; save their magnitude as floats")
    size = int(shape[0]) * int(shape[1]) * dtype.itemsize
    if size > MAX_BYTES:
        raise ImageFileError(f"{name!r} has slices of {size:,} bytes, more than the {MAX_BYTES:,} that are read")
    index = pick_slice(wanted.window, shape[2], name) if len(shape) > 2 else 0
    start = max(int(header.get_data_offset()), header.sizeof_hdr + 4) + index * size
    if isinstance(stream, gzip.GzipFile) and start > _MOST_UNPACKED:
        raise ImageFileError(f"{name!r} has {start:,} packed bytes in front of the slice; unpack it first (gunzip)")
    stream.seek(start)
    data = stream.read(size)
    if len(data) < size:
        raise ImageFileError(f"{name!r} cannot be decoded: it ends {size - len(data)} bytes too early")
    return np.frombuffer(data, dtype).reshape((shape[0], shape[1]), order="F")


def _gray(stored: np.ndarray, name: str, header: Any, window: Window) -> np.ndarray:
    """[H, W], uint8, or float32 without a window. The header's slope and intercept are taken into the ends."""
    said = header.get_slope_inter()
    slope, inter = (1.0, 0.0) if said[0] is None else (float(said[0]), float(said[1] or 0))
    if window.stored:
        return as_stored(stored * np.float64(slope) + inter, name)
    ends = window.ends or _calibrated(header) or _stored_ends(stored, slope, inter)
    if ends is None:
        return np.zeros(stored.shape, np.uint8)
    low, high = sorted((end - inter) / slope for end in ends)
    if not -1e300 < low < high < 1e300:
        raise ImageFileError(
            f"{name!r} says the slope {slope:g} and intercept {inter:g}, which leave nothing to be seen"
        )
    return shades(stored, low, high, invert=slope < 0)


def _calibrated(header: Any) -> Optional[Ends]:
    least, greatest = float(header["cal_min"]), float(header["cal_max"])
    return (least, greatest) if np.isfinite([least, greatest]).all() and greatest > least else None


def _stored_ends(stored: np.ndarray, slope: float, inter: float) -> Optional[Ends]:
    """Of the slice itself."""
    ends = finite_ends(stored)
    if ends is None:
        return None
    low, high = sorted(end * slope + inter for end in ends)
    return (low, high) if low < high else None
