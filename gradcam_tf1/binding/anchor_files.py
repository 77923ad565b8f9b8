"""The anchors of SSD boxes, as an array or from a .npy file. Arrays of objects, which can hold code, are never read."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from gradcam_tf1.errors import ImageFileError, TargetError
from gradcam_tf1.images.numpy_files import is_npy, read_header, size_of
from gradcam_tf1.images.safe_open import open_regular

_HEAD = 6  # bytes that say what a file is


def anchor_bytes(given: Any) -> bytes:
    """Return anchors as the bytes of float32 [anchors, 4]; no bytes without anchors. Raises TargetError."""
    if given is None:
        return b""
    values = _read(os.path.expanduser(os.fspath(given))) if isinstance(given, (str, os.PathLike)) else _array(given)
    if values.ndim != 2 or values.shape[-1] != 4 or not len(values):
        raise TargetError(f"anchors are [anchors, 4], centre x, centre y, width, height; given: {list(values.shape)}")
    if not (np.isfinite(values).all() and (values[:, 2:] > 0).all() and np.abs(values).max() <= 4):
        raise TargetError("anchors are centre x, centre y, width, height as shares of the input; divide pixels by it")
    return values.tobytes()


def _array(given: Any) -> np.ndarray:
    try:
        values = np.asarray(given)
        return values.astype(np.float32) if values.dtype.kind in "uif" else np.zeros(0, np.float32)
    except (TypeError, ValueError):
        return np.zeros(0, np.float32)


def _read(path: str) -> np.ndarray:
    """Return the numbers of a .npy file, whose header may claim more bytes than there are. Raises TargetError."""
    advice = "give an .npy file of numbers, as np.save('anchors.npy', anchors) writes it"
    try:
        with open_regular(path, "a .npy file") as file:
            if not is_npy(file.read(_HEAD), path):
                raise TargetError(f"the anchors {path!r} are no .npy file; {advice}")
            file.seek(0)
            shape, fortran, dtype = read_header(file, path)
            if dtype.kind not in "uif":
                raise TargetError(f"the anchors {path!r} are an array of {dtype}; {advice}")
            size = size_of(shape, dtype)
            data = file.read(min(size, os.fstat(file.fileno()).st_size))
    except TargetError:
        raise
    except (OSError, ImageFileError, ValueError, TypeError, SyntaxError, OverflowError) as error:
        raise TargetError(f"the anchors {path!r} cannot be read ({error}); {advice}") from error
    if len(data) < size:
        raise TargetError(f"the anchors {path!r} are cut off: {size - len(data)} bytes are missing; {advice}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C").astype(np.float32)
