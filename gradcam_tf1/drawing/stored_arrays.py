"""Arrays of numbers in an .npz file whose members are not compressed: reading takes no more memory than its size."""

from __future__ import annotations

import io
import os
import struct
import tokenize
import zipfile
from typing import Any, BinaryIO, Dict, Mapping

import numpy as np

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.errors import ExplanationFileError, ImageFileError
from gradcam_tf1.images.numpy_files import read_header, size_of
from gradcam_tf1.images.safe_open import open_regular

_ENDING = ".npy"
_ENCRYPTED = 1
# what zipfile and numpy raise on damaged files
_DAMAGED = (
    *(zipfile.BadZipFile, tokenize.TokenError, struct.error, SyntaxError, NotImplementedError, RuntimeError),
    *(ValueError, TypeError, KeyError, AttributeError, OverflowError, EOFError, MemoryError),
)


def write_arrays(path: str, arrays: Mapping[str, Any], what: str) -> None:
    """Write arrays to an .npz file, whole or not at all.

    Parameters
    ----------
    path : str
        The file.
    arrays : mapping
        Name -> array of numbers.
    what : str
        What the file is, for the error message.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    """
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    write_whole(path, packed.getbuffer(), what)


def read_arrays(path: str, what: str) -> Dict[str, np.ndarray]:
    """Read the arrays that `write_arrays` wrote. Arrays of objects, which can hold code, are never read.

    Parameters
    ----------
    path : str
        The file.
    what : str
        What the file should be, for messages.

    Returns
    -------
    dict
        Name -> array of numbers.

    Raises
    ------
    ExplanationFileError
        If the file cannot be opened, is damaged, or holds anything else.
    """
    try:
        file = open_regular(path, what)
    except ImageFileError as error:
        raise ExplanationFileError(str(error)) from error
    try:
        with file:
            return _read(file)
    except _Unwanted as error:
        raise ExplanationFileError(f"{path!r} is not {what}: {error}") from error
    except OSError as error:
        raise ExplanationFileError(f"{path!r} cannot be read: {error.strerror}") from error
    except _DAMAGED as error:
        reason = " ".join(str(error).split())  # numpy's may have several lines
        raise ExplanationFileError(f"{path!r} is not {what}, or is damaged: {reason}") from error


class _Unwanted(ValueError):
    """Why a file is refused."""


def _read(file: BinaryIO) -> Dict[str, np.ndarray]:
    size = os.fstat(file.fileno()).st_size
    arrays: Dict[str, np.ndarray] = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED or each.flag_bits & _ENCRYPTED for each in members):
            raise _Unwanted("its members are compressed or encrypted")
        # of members that share bytes, a small file could hold any number
        if any(each.file_size != each.compress_size for each in members) or sum(m.file_size for m in members) > size:
            raise _Unwanted("it says that it holds more bytes than it has")
        for member in members:
            name = member.filename
            if not name.endswith(_ENDING) or name in arrays:
                raise _Unwanted(f"it holds {name!r}, which is not an array or comes twice")
            arrays[name] = _array(archive.read(member), name)
    return {name[: -len(_ENDING)]: values for name, values in arrays.items()}


def _array(data: bytes, name: str) -> np.ndarray:
    stream = io.BytesIO(data)
    shape, fortran, dtype = read_header(stream, name)
    if dtype.kind not in "uif":
        raise _Unwanted(f"{name!r} is an array of {dtype}, not of numbers")
    start = stream.tell()
    if size_of(shape, dtype) != len(data) - start:
        raise _Unwanted(f"{name!r} says that its shape is {list(shape)}, which does not fit its {len(data)} bytes")
    values = np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")
    return values.astype(dtype.newbyteorder("="))  # a copy, which can be written to
