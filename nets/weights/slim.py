"""Read TF-Slim's `vgg_16.ckpt`, `vgg_19.ckpt` (vgg_a for VGG-11), in the single-file format and the newer one."""

from __future__ import annotations

import re
from typing import List, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.graphdef.checkpoint_files import private_checkpoint
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers, check_size, pair_up
from gradcam_tf1.tf_runtime import tf

_KEY = re.compile(r"(?:^|/)(?:conv\d/)?(?P<layer>conv\d_\d|fc\d)/(?P<part>weights|biases)$")


def read_slim(path: str) -> Layers:
    """Read the layers of a TF-Slim checkpoint.

    Slim trains on RGB minus mean. The input channels of the first kernel are reversed here, so that the weights take
    BGR minus mean ("caffe"), as those of the other TensorFlow formats do.

    Parameters
    ----------
    path : str
        The prefix of the checkpoint or one of its files.

    Returns
    -------
    Layers
        Layer -> (kernel, bias), kernels HWIO.

    Raises
    ------
    WeightsError
        If the checkpoint is missing, damaged or too large.
    """
    prefix = re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", path)
    try:
        layers = pair_up(_arrays(prefix, path), path)
    except tf.errors.OpError as error:
        raise WeightsError(f"{path} is damaged or not a checkpoint: {error.message}") from error
    if "conv1_1" in layers:
        kernel, bias = layers["conv1_1"]
        layers["conv1_1"] = (kernel[:, :, ::-1], bias)
    return layers


def _arrays(prefix: str, path: str) -> List[Tuple[str, np.ndarray]]:
    try:
        with private_checkpoint(prefix) as copy:
            return _named_arrays(tf.train.NewCheckpointReader(copy), path)
    except ModelFileError as error:
        raise WeightsError(str(error)) from error


def _named_arrays(reader: tf.train.CheckpointReader, path: str) -> List[Tuple[str, np.ndarray]]:
    shapes = reader.get_variable_to_shape_map()
    matches = {name: _KEY.search(name) for name in sorted(shapes)}
    layers = {name: match.group("layer") for name, match in matches.items() if match}
    layers = {name: layer for name, layer in layers.items() if layer in KNOWN_LAYERS}
    check_size(sum(4 * int(np.prod(shapes[name], dtype=np.float64)) for name in layers), path)
    return [(layer, reader.get_tensor(name)) for name, layer in layers.items()]
