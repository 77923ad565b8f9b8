"""Read numpy's files of VGG weights: `vgg19.npy` (a pickled dict) and `vgg16_weights.npz` (one array for each name)."""

from __future__ import annotations

import re
import zipfile
from typing import Any, BinaryIO, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.restricted_unpickler import NUMPY_NAMES, PickledArray, RestrictedUnpickler
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers, check_size, pair_up

_KERNEL_NAMES = ("weights", "kernel", "W")
_BIAS_NAMES = ("biases", "bias", "b")
_KEY = re.compile(r"(?:^|/)(?P<layer>conv\d_\d|fc\d)(?:_|/)(?P<part>W|b|kernel|bias|weights|biases)(?::0)?$")


def read_npy(path: str) -> Layers:
    """Read the layers of a .npy file with one dict, mostly written by Python 2.

    The dict is layer name -> [kernel, bias] or {"weights": kernel, "biases": bias}. Kernels are HWIO for BGR images;
    fc6 is [7 * 7 * C, D], for pool5 flattened in the order height, width, channel.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    Layers
        Layer -> (kernel, bias).

    Raises
    ------
    WeightsError
        If the file is damaged, holds anything else, or its pickle names other functions than those of numpy arrays.
    """
    with open(path, "rb") as stream:
        shape, dtype = _header(stream)
        if dtype != np.dtype(object) or shape != ():
            raise WeightsError(
                f"{path} holds an array of shape {list(shape)} and dtype {dtype}; "
                "expected one dict, layer name -> [kernel, bias]"
            )
        content = RestrictedUnpickler(stream, path, NUMPY_NAMES).read()
    if isinstance(content, PickledArray):
        content = content.only_item()
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds a {type(content).__name__}; expected a dict, layer name -> [kernel, bias]")
    return {name: _pair(name, value, path) for name, value in content.items() if name in KNOWN_LAYERS}


def _header(stream: BinaryIO) -> Tuple[Tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    return shape, dtype


def _pair(name: str, value: Any, path: str) -> Tuple[np.ndarray, np.ndarray]:
    if isinstance(value, dict):
        value = [next((value[n] for n in names if n in value), None) for names in (_KERNEL_NAMES, _BIAS_NAMES)]
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(isinstance(v, PickledArray) for v in value):
        raise WeightsError(f"{path}: {name} is not a pair of arrays [kernel, bias]")
    try:
        return value[0].array(), value[1].array()
    except WeightsError as error:
        raise WeightsError(f"{path}: {name}: {error}") from error


def read_npz(path: str) -> Layers:
    """Read the layers of a .npz file with names such as conv1_1_W, conv1_1_b or conv1_1/kernel, conv1_1/bias.

    Kernels are HWIO for BGR images.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    Layers
        Layer -> (kernel, bias).

    Raises
    ------
    WeightsError
        If the file is too large, or a layer does not have one kernel and one bias.
    ValueError
        If a member is pickled.
    """
    arrays = []
    with open(path, "rb") as stream:
        with zipfile.ZipFile(stream) as archive:
            check_size(sum(member.file_size for member in archive.infolist()), path)
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as members:
            for key in members.files:
                match = _KEY.search(key)
                if match and match.group("layer") in KNOWN_LAYERS:
                    arrays.append((match.group("layer"), members[key]))
    return pair_up(arrays, path)
