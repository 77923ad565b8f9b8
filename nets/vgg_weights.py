"""Read VGG weights from the usual files; the format is recognised by content, not by file name."""

from __future__ import annotations

import glob
import os
import struct
import tokenize
import zipfile
import zlib
from typing import Callable, Dict, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.vgg_layers import DENSE, POOLED_SIZE, Layers, VggWeights, check_layers
from gradcam_tf1.nets.weights.keras import read_keras
from gradcam_tf1.nets.weights.numpy_weights import read_npy, read_npz
from gradcam_tf1.nets.weights.slim import read_slim
from gradcam_tf1.nets.weights.torchvision import read_torchvision

# format -> its reader, and the preprocessing that its nets were trained with
FORMATS: Dict[str, Tuple[Callable[[str], Layers], str]] = {
    "npy": (read_npy, "caffe"),
    "npz": (read_npz, "caffe"),
    "slim": (read_slim, "caffe"),
    "keras": (read_keras, "caffe"),
    "torchvision": (read_torchvision, "torch"),
}
_POSSIBLE = (
    "possible: .npy (pickled dict), .npz, TF-Slim checkpoint, Keras .h5 (tf kernels), torchvision .pth state dict"
)
# Errors that the readers of zip, npy, h5 and checkpoint files raise for damaged files.
_DAMAGE = (
    OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError, RuntimeError, MemoryError,
    SyntaxError, tokenize.TokenError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip
_TABLE_MAGIC = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # ends every .index file and every checkpoint of the old format


def read_weights(path: str, depth: int) -> VggWeights:
    """Read the weights of a VGG.

    Parameters
    ----------
    path : str
        A .npy, .npz, TF-Slim checkpoint, Keras .h5 or torchvision .pth file.
    depth : {11, 13, 16, 19}
        The number of layers with weights.

    Returns
    -------
    VggWeights
        The weights and the preprocessing that they were trained with.

    Raises
    ------
    WeightsError
        If the file is missing, of another kind, damaged or hostile, or its layers do not fit.
    """
    path = os.fspath(path)
    try:
        reader, preset = FORMATS[file_format(path)]
        layers = {name: _canonical(name, *pair) for name, pair in reader(path).items()}
    except WeightsError:
        raise
    except _DAMAGE as error:
        raise WeightsError(f"{path} is damaged or not what its content looks like: {error}") from error
    check_layers(layers, depth, path)
    return VggWeights(layers, preset)


def file_format(path: str) -> str:
    """Return which of FORMATS a file has, by its content. Raises WeightsError if it has none of them."""
    if glob.glob(glob.escape(path) + ".data-*") or os.path.exists(path + ".index"):
        return "slim"
    if not os.path.isfile(path):
        raise WeightsError(f"no weights file {path}; {_POSSIBLE}")
    with open(path, "rb") as stream:
        head = stream.read(16)
        stream.seek(max(0, os.path.getsize(path) - len(_TABLE_MAGIC)))
        tail = stream.read()
        if head.startswith(b"\x93NUMPY"):
            return "npy"
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return "keras"
        if tail == _TABLE_MAGIC or ".data-" in os.path.basename(path):
            return "slim"
        if zipfile.is_zipfile(stream):
            return _zip_format(path)
    if head.startswith(b"\x80") and head[1:2] in b"\x02\x03\x04\x05":
        return "torchvision"
    raise WeightsError(f"{path} is no weights file of a known kind ({_opening(head)}); {_POSSIBLE}")


def _zip_format(path: str) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    return "npz" if any(name.endswith(".npy") for name in names) else "torchvision"


def _opening(head: bytes) -> str:
    return f"it begins with {head!r}" if head else "it is empty"


def _canonical(name: str, kernel: np.ndarray, bias: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Return a float32 pair with an HWIO kernel: dense matrices [in, out] become 7 x 7 (fc6) or 1 x 1 kernels."""
    if kernel.ndim == 2 and name in DENSE:
        side = POOLED_SIZE if name == "fc6" else 1
        if kernel.shape[0] % side**2 == 0:
            kernel = kernel.reshape(side, side, -1, kernel.shape[1])
    return np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
