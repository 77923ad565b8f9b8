"""TF-Slim's `vgg_16.ckpt`, `vgg_19.ckpt` (vgg_a for VGG-11), old single-file format as well as the new one."""

from __future__ import annotations

import re
from typing import Any, List, Tuple

import numpy as np

from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.graphdef.checkpoint_files import private_checkpoint
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers
from gradcam_tf1.nets.weights.pairs import SIZE_LIMIT, pair_up
from gradcam_tf1.tf_runtime import tf

_KEY = re.compile(r"(?:^|/)(?:conv\d/)?(?P<layer>conv\d_\d|fc\d)/(?P<part>weights|biases)$")


def read_slim(path: str) -> Layers:
    """Layers of a TF-Slim checkpoint, given its prefix or one of its files.

    Slim trains on RGB minus mean; the first kernel's input channels are reversed here, so that these weights take
    BGR minus mean ("caffe") like those of the other TensorFlow formats.

    Raises WeightsError.
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


def _named_arrays(reader: Any, path: str) -> List[Tuple[str, np.ndarray]]:
    shapes = reader.get_variable_to_shape_map()
    matches = {name: _KEY.search(name) for name in sorted(shapes)}
    wanted = {name: match.group("layer") for name, match in matches.items() if match}
    wanted = {name: layer for name, layer in wanted.items() if layer in KNOWN_LAYERS}
    size = sum(4 * int(np.prod(shapes[name], dtype=np.float64)) for name in wanted)
    if size > SIZE_LIMIT:
        raise WeightsError(f"{path} holds {size} bytes of weights; no VGG is larger than {SIZE_LIMIT}")
    return [(layer, reader.get_tensor(name)) for name, layer in wanted.items()]
