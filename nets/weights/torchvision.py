"""Read torchvision's `vgg19-*.pth` and similar files: state dicts with features.N and classifier.N."""

from __future__ import annotations

import re
from typing import Dict, List

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.vgg_layers import BLOCKS, DENSE, POOLED_SIZE, Layers, conv_names, pair_up
from gradcam_tf1.nets.weights.torch_file import read_state_dict

_KEY = re.compile(r"(?:^|\.)(?P<part>features|classifier)\.(?P<index>\d+)\.(?P<kind>weight|bias|running_mean)$")


def read_torchvision(path: str) -> Layers:
    """Read the layers of a torchvision VGG, in TensorFlow's axis order.

    Convolutions [out, in, height, width] become HWIO. classifier.0 [D, C * 7 * 7] takes pool5 flattened in the order
    channel, height, width; it becomes [7, 7, C, D]. Images are RGB, normalised by ImageNet's mean and deviation
    ("torch").

    Parameters
    ----------
    path : str
        The .pth file.

    Returns
    -------
    Layers
        Layer -> (kernel, bias), kernels HWIO.

    Raises
    ------
    WeightsError
        If the file is damaged or its layers are not those of a VGG.
    """
    arrays = []
    indices: Dict[str, List[int]] = {"features": [], "classifier": []}
    for key, array in read_state_dict(path).items():
        match = _KEY.search(key)
        if match is None:
            continue
        if match.group("kind") == "running_mean":
            raise WeightsError(f"{path}: {key}: VGG nets with batch norm (vgg*_bn) are not among the reference nets")
        part, index = match.group("part"), int(match.group("index"))
        if index not in indices[part]:
            indices[part].append(index)
        arrays.append((part, index, array))
    names = {part: dict(zip(sorted(numbers), _names(part, len(numbers), path))) for part, numbers in indices.items()}
    return pair_up(
        [(names[part][index], _hwio(array, names[part][index], path)) for part, index, array in arrays], path
    )


def _names(part: str, count: int, path: str) -> List[str]:
    """Return the names of the `count` layers of one part, in order."""
    if part == "classifier" and count in (0, len(DENSE)):
        return list(DENSE)[:count]
    for depth in BLOCKS:
        if part == "features" and len(conv_names(depth)) == count:
            return list(conv_names(depth))
    raise WeightsError(f"{path} has {count} layers called {part}.N, unlike any VGG of torchvision")


def _hwio(array: np.ndarray, name: str, path: str) -> np.ndarray:
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    if array.ndim == 2 and name == "fc6":
        if array.shape[1] % POOLED_SIZE**2:
            raise WeightsError(f"{path}: classifier.0 takes {array.shape[1]} inputs, not a multiple of 7 * 7")
        return np.ascontiguousarray(array.reshape(array.shape[0], -1, POOLED_SIZE, POOLED_SIZE).transpose(2, 3, 1, 0))
    return np.ascontiguousarray(array.T)
