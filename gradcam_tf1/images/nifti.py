"""Read a slice of a NIfTI volume as an image, through nibabel (the extra "medical").

The slice is taken along the third axis, of the first volume where there are several. The first axis is drawn to the
right and the second one upwards, as stored. Gray comes from a window, else from the header's cal_min and cal_max, else
from the slice's own minimum and maximum. nibabel reads the header; only the bytes of the slice are read.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any, BinaryIO, Optional, Union

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.bands import ReadOptions
from gradcam_tf1.images.safe_open import MAX_BYTES, check_size
from gradcam_tf1.images.window import Ends, Window, as_stored, finite_ends, import_extra, pick_slice, shades, three

SliceFile = Union[gzip.GzipFile, BinaryIO]

_SINGLE, _PAIR = (b"n+1\0", b"n+2\0"), (b"ni1\0", b"ni2\0")
_MOST_UNPACKED = 1 << 32  # maximum number of bytes of a compressed file before the slice


def is_nifti(head: bytes, name: str) -> bool:
    """Recognise NIfTI by the letters in the header, compressed or not, or by the name."""
    return _magic(_unpacked(head)) is not None or name.lower().endswith((".nii", ".nii.gz"))


def _magic(head: bytes) -> Optional[bytes]:
    """Return the letters of a NIfTI header: at byte 344 in version 1, at byte 4 in version 2; None for other files."""
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
    """Read one slice as uint8 [H, W, 3], RGB, or float32 without a window; raise ImageFileError or nibabel's errors."""
    nibabel = import_extra("nibabel", "NIfTI", name)
    head = file.read(540)
    file.seek(0)
    magic = _magic(_unpacked(head))
    if magic in _PAIR:
        raise ImageFileError(f"{name!r} is the header of a NIfTI pair; save it as one file, .nii or .nii.gz")
    if magic is None:
        raise ImageFileError(f"{name!r} is not a NIfTI file")
    stream: SliceFile = gzip.GzipFile(fileobj=file) if head[:2] == b"\x1f\x8b" else file
    second = magic == b"n+2\0" and _unpacked(head)[4:8] == magic
    form = nibabel.Nifti2Header if second else nibabel.Nifti1Header
    header = form(stream.read(form.sizeof_hdr))
    values = np.rot90(_slice(stream, name, header, max_pixels, wanted))
    wanted.fits(3 if values.dtype.names else 1, name)
    if values.dtype.names:
        return np.ascontiguousarray(np.stack([values[channel] for channel in ("R", "G", "B")], axis=-1))
    return three(_gray(values, name, header, wanted.window))


def _slice(stream: SliceFile, name: str, header: Any, max_pixels: int, wanted: ReadOptions) -> np.ndarray:
    """Return the requested slice as stored: [first axis, second axis]."""
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    if len(shape) < 2 or min(shape) < 1:
        raise ImageFileError(f"{name!r} has the shape {shape}, which is no image; an image has two axes or more")
    check_size(name, shape[0], shape[1], max_pixels)
    if dtype.kind not in "uif" and dtype.names is None:
        raise ImageFileError(f"{name!r} holds {dtype} numbers, which are no image; save their magnitude as floats")
    size = int(shape[0]) * int(shape[1]) * dtype.itemsize
    if size > MAX_BYTES:
        raise ImageFileError(f"{name!r} has slices of {size:,} bytes, more than the {MAX_BYTES:,} that are read")
    index = pick_slice(wanted.window, shape[2], name) if len(shape) > 2 else 0
    start = max(int(header.get_data_offset()), header.sizeof_hdr + 4) + index * size
    if isinstance(stream, gzip.GzipFile) and start > _MOST_UNPACKED:
        raise ImageFileError(f"{name!r} has {start:,} packed bytes before the slice; unpack it first (gunzip)")
    stream.seek(start)
    data = stream.read(size)
    if len(data) < size:
        raise ImageFileError(f"{name!r} cannot be decoded: it ends {size - len(data)} bytes too early")
    return np.frombuffer(data, dtype).reshape((shape[0], shape[1]), order="F")


def _gray(stored: np.ndarray, name: str, header: Any, window: Window) -> np.ndarray:
    """Return gray [H, W] as uint8, or float32 without a window; the ends include the header's slope and intercept."""
    scaling = header.get_slope_inter()
    slope, inter = (1.0, 0.0) if scaling[0] is None else (float(scaling[0]), float(scaling[1] or 0))
    if window.stored:
        return as_stored(stored * np.float64(slope) + inter, name)
    ends = window.ends or _calibrated(header) or _stored_ends(stored, slope, inter)
    if ends is None:
        return np.zeros(stored.shape, np.uint8)
    low, high = sorted((end - inter) / slope for end in ends)
    if not -1e300 < low < high < 1e300:
        raise ImageFileError(
            f"{name!r} has the slope {slope:g} and intercept {inter:g} in its header, with which nothing is visible; "
            "correct its header"
        )
    return shades(stored, low, high, invert=slope < 0)


def _calibrated(header: Any) -> Optional[Ends]:
    least, greatest = float(header["cal_min"]), float(header["cal_max"])
    return (least, greatest) if np.isfinite([least, greatest]).all() and greatest > least else None


def _stored_ends(stored: np.ndarray, slope: float, inter: float) -> Optional[Ends]:
    """Return the minimum and maximum of the slice, None where they are equal."""
    ends = finite_ends(stored)
    if ends is None:
        return None
    low, high = sorted(end * slope + inter for end in ends)
    return (low, high) if low < high else None
