"""`vgg16_weights.npz` (conv1_1_W, conv1_1_b) and its kin with conv1_1/kernel or conv1_1/weights."""

from __future__ import annotations

import re
import zipfile

import numpy as np

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets.vgg_layers import KNOWN_LAYERS, Layers
from gradcam_tf1.nets.weights.pairs import SIZE_LIMIT, pair_up

_KEY = re.compile(r"(?:^|/)(?P<layer>conv\d_\d|fc\d)(?:_|/)(?P<part>W|b|kernel|bias|weights|biases)(?::0)?$")


def read_npz(path: str) -> Layers:
    """Layers of a .npz file; kernels HWIO for BGR images. Pickled members are refused. Raises WeightsError."""
    arrays = []
    with open(path, "rb") as stream:
        with zipfile.ZipFile(stream) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > SIZE_LIMIT:
            raise WeightsError(f"{path} unpacks to {size} bytes; no VGG is larger than {SIZE_LIMIT}")
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as members:
            for key in members.files:
                match = _KEY.search(key)
                if match and match.group("layer") in KNOWN_LAYERS:
                    arrays.append((match.group("layer"), members[key]))
    return pair_up(arrays, path)
