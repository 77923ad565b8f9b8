"""`vgg19.npy`: a pickled dict, layer name -> [kernel, bias], as TF1 scripts pass around; mostly written by Python 2."""

from __future__ import annotations

from typing import Any, BinaryIO, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.restricted_unpickler import NUMPY_NAMES, PickledArray, RestrictedUnpickler
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers

_KERNEL_NAMES = ("weights", "kernel", "W")
_BIAS_NAMES = ("biases", "bias", "b")


def read_npy(path: str) -> Layers:
    """Layers of a .npy file that holds one dict, layer name -> [kernel, bias] or {"weights": .., "biases": ..}.

    Kernels HWIO for BGR images; fc6 [7 * 7 * C, D], for pool5 flattened in height, width, channel order.

    Raises WeightsError.
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
