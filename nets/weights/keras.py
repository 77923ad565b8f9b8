"""Read Keras' `vgg16_weights_tf_dim_ordering_tf_kernels.h5`, `vgg19_...h5` and .h5 files of whole or nested VGGs."""

from __future__ import annotations

import os
import re
from typing import Iterator, Tuple, Union

import h5py
import numpy as np

from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.loaders.hdf5 import find_damage
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers, check_size, pair_up

_KEY = re.compile(r"(?:^|/)(?:block(?P<block>\d)_conv(?P<conv>\d)|(?P<dense>fc1|fc2|predictions))[_/]")
_DENSE = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def read_keras(path: str) -> Layers:
    """Read the layers of a Keras .h5 with TensorFlow kernels, for BGR images. Raises WeightsError if it is damaged."""
    with private_folder() as folder:
        copy = os.path.join(folder, "weights.h5")
        try:
            copy_file(path, copy)
        except ModelFileError as error:
            raise WeightsError(str(error)) from error
        damage = find_damage(copy)
        if damage:
            raise WeightsError(f"{path} is damaged: {damage.replace(copy, path)}")
        return _read_copy(path, copy)


def _read_copy(path: str, copy: str) -> Layers:
    with h5py.File(copy, "r") as file:
        datasets = [(name, data) for name, data in _datasets(file) if name in KNOWN_LAYERS]
        size = sum(4 * int(np.prod(data.shape, dtype=np.float64)) for _, data in datasets)
        check_size(size, path)
        return pair_up([(name, np.asarray(data, np.float32)) for name, data in datasets], path)


def _datasets(file: h5py.File) -> Iterator[Tuple[str, h5py.Dataset]]:
    """Yield (layer, dataset) in the order of Keras' attributes layer_names and weight_names."""
    root = file.get("model_weights", file)
    for group_name in root.attrs.get("layer_names", ()):
        group = root[_text(group_name)]
        for weight_name in group.attrs.get("weight_names", ()):
            match = _KEY.search(_text(weight_name))
            if match:
                dense = match.group("dense")
                layer = _DENSE[dense] if dense else f"conv{match.group('block')}_{match.group('conv')}"
                yield layer, group[_text(weight_name)]


def _text(name: Union[bytes, str]) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
