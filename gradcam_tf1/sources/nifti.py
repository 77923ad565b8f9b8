"""A slice of a NIfTI volume as a picture, through nibabel (the extra "medical").

The slice lies across the third axis, of the first volume where there are several; the first axis goes to the right and
the second upwards, as they are stored. Gray by a window, else by the header's cal_min and cal_max, else by the slice.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any, BinaryIO

import numpy as np

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.sources.files import check_size
from gradcam_tf1.sources.window import Window, import_extra, linear_exact, pick_slice, span, to_gray

_SINGLE, _PAIR = (b"n+1\0", b"n+2\0"), (b"ni1\0", b"ni2\0")


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


def read_nifti(file: BinaryIO, name: str, max_pixels: int, window: Window) -> np.ndarray:
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
    form = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    image = form.from_file_map({"image": nibabel.FileHolder(fileobj=stream)}, mmap=False)
    shape = image.shape
    if len(shape) < 2 or 0 in shape:
        raise ImageFileError(f"{name!r} has the shape {shape}, which is no picture")
    check_size(name, shape[0], shape[1], max_pixels)
    index = (slice(None), slice(None), pick_slice(window, shape[2], name)) if len(shape) > 2 else ()
    values = np.asarray(image.dataobj[(*index, *(0 for _ in shape[3:]))])
    values = np.rot90(values)
    if values.dtype.names:
        return np.ascontiguousarray(np.stack([values[channel] for channel in ("R", "G", "B")], axis=-1))
    return to_gray(_gray(values.astype(np.float64), image.header, window))


def _gray(values: np.ndarray, header: Any, window: Window) -> np.ndarray:
    if window.centre is not None and window.width is not None:
        return linear_exact(values, window.centre, window.width)
    least, greatest = float(header["cal_min"]), float(header["cal_max"])
    if np.isfinite([least, greatest]).all() and greatest > least:
        return linear_exact(values, (least + greatest) / 2, greatest - least)
    return span(values)
