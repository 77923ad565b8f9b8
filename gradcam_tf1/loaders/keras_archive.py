"""Load .keras files of Keras 2 and 3: an archive with the architecture as JSON and the weights as HDF5.

The net is rebuilt as that of a .h5. The weights are found by the layers' classes, in their order, as Keras names them:
`layers/conv2d_1/vars/0`. Keras 3 stores the names of the layers too, which then decide.
"""

from __future__ import annotations

import os
import re
import zipfile
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.errors import ModelFileError
from gradcam_tf1.graphdef.private_files import copy_file, private_folder
from gradcam_tf1.loaders.hdf5 import find_damage
from gradcam_tf1.loaders.keras_config import MAX_TEXT, Part, name_of, parse_config
from gradcam_tf1.loaders.keras_h5 import rebuild
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LoadedModel

Weight = Tuple[Any, np.ndarray]  # a tf.Variable and its value
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
# Where a layer keeps its weights, in their order: itself, its cell, its inner layer, two directions, attention.
_HOLDERS = (
    *("vars", "cell/vars", "layer/vars", "layer/cell/vars", "forward_layer/cell/vars", "backward_layer/cell/vars"),
    *(f"{mark}{part}_dense/vars" for mark in ("", "_") for part in ("query", "key", "value", "output")),
)
_INSTEAD = (
    "in Python with TensorFlow 2 load it, model = keras.models.load_model(PATH), and give GradCamGraph(model), or "
    "write model.export(FOLDER) and give that folder"
)


def load_keras_archive(path: str, trusted: bool = False) -> LoadedModel:
    """Load a frozen graph from a .keras file.

    Parameters
    ----------
    path : str
        The file.
    trusted : bool
        Run program code in the file (Lambda layers).

    Returns
    -------
    LoadedModel
        The frozen graph.

    Raises
    ------
    ModelFileError
        If the file is damaged, needs trust, or this Keras cannot rebuild the net; the message says what else to type.
    """
    with private_folder() as folder:
        text, weights = _unpacked(path, folder)
        layers = _layers_of(parse_config(text, path), path)
        damage = find_damage(weights)
        if damage:
            raise ModelFileError(f"{path} is damaged: its {_WEIGHTS}: {damage.replace(weights, _WEIGHTS)}")
        stored = StoredWeights(path, weights)
        try:
            return rebuild(path, text, stored.size, trusted, lambda model: stored.fill(model, layers), "Keras file")
        except ModelFileError as error:
            raise ModelFileError(f"{error}; or {_INSTEAD}") from error


def _unpacked(path: str, folder: str) -> Tuple[bytes, str]:
    """Return the text of the architecture, and the path of a copy of the weights in the folder.

    Keras stores both uncompressed, so that neither can be larger than the file.
    """
    copy = os.path.join(folder, "net.keras")
    copy_file(path, copy)
    weights = os.path.join(folder, "weights.h5")
    try:
        with zipfile.ZipFile(copy) as archive:
            for name in (_CONFIG, _WEIGHTS):
                entry = archive.getinfo(name)
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                    raise ModelFileError(f"{path}: its {name} is compressed, as Keras never does; save the model again")
            if archive.getinfo(_CONFIG).file_size > MAX_TEXT:
                raise ModelFileError(f"{path}: its architecture is longer than {MAX_TEXT:,} bytes")
            text = archive.read(_CONFIG)
            with archive.open(_WEIGHTS) as source, open(weights, "xb") as target:
                for piece in iter(lambda: source.read(1 << 24), b""):
                    target.write(piece)
    except ModelFileError:
        raise
    except (zipfile.BadZipFile, LookupError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise ModelFileError(f"{path} is damaged: it is no complete .keras file ({error}); save it again") from error
    return text, weights


def _layers_of(part: Part, path: str) -> List[Part]:
    """Return the layers of a model in its configuration."""
    config = part.get("config")
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise ModelFileError(f"{path}: its architecture is no list of layers (a subclassed model); {_INSTEAD}")
    return layers


class StoredWeights:
    """The weights of a .keras file.

    Parameters
    ----------
    path : str
        The file, for messages.
    weights : str
        A checked copy of its HDF5 part.

    Attributes
    ----------
    size : int
        How many numbers it holds.
    """

    def __init__(self, path: str, weights: str) -> None:
        import h5py

        self._path = path
        self._values: Dict[str, np.ndarray] = {}
        self._names: Dict[str, str] = {}  # group -> name of its layer, which Keras 3 stores

        def note(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                if not name.startswith("optimizer"):
                    self._values[name] = item[()]
            elif "name" in item.attrs and name.endswith("/vars"):
                self._names[name[: -len("/vars")]] = str(item.attrs["name"])

        with h5py.File(weights, "r") as file:
            file.visititems(note)
        self.size = sum(int(value.size) for value in self._values.values())

    def fill(self, model: tf.keras.Model, layers: List[Part]) -> None:
        """Give a rebuilt model its weights. Raises ModelFileError if some are missing or left."""
        found = list(self._found(model, layers, ""))
        if self._values:
            left = min(self._values)
            raise ModelFileError(f"{self._path}: {left!r} in its weights belongs to no layer of its architecture")
        runtime.keras().backend.batch_set_value(found)  # one by one would build the session's graph anew each time

    def _found(
        self, model: tf.keras.Model, layers: List[Part], inside: str
    ) -> Iterator[Tuple[tf.Variable, np.ndarray]]:
        """Yield the variables of a model, and of the models in it, with their values."""
        used: Dict[str, int] = {}
        for part in layers:
            kind = _in_snake_case(str(part.get("class_name")))
            used[kind] = used.get(kind, -1) + 1
            name = name_of(part)
            if part.get("class_name") == "InputLayer":
                continue
            layer = model.get_layer(name)
            if layer.weights:
                group = self._group(f"{kind}_{used[kind]}" if used[kind] else kind, name, inside)
                inner = getattr(layer, "layers", None)
                if inner:
                    yield from self._found(layer, _layers_of(part, self._path), f"{group}/")
                else:
                    yield from self._values_of(layer, group)

    def _group(self, by_class: str, name: str, inside: str) -> str:
        """Return the group of a layer: by its name where names are stored, else by its class and number."""
        place = re.compile(re.escape(inside) + "[^/]+/[^/]+")
        named = [group for group, stored in self._names.items() if stored == name and place.fullmatch(group)]
        return named[0] if len(named) == 1 else f"{inside}layers/{by_class}"

    def _values_of(self, layer: tf.keras.layers.Layer, group: str) -> List[Weight]:
        keys = [f"{group}/{where}/{n}" for where in _HOLDERS for n in range(len(layer.weights))]
        values = [self._values.pop(key) for key in keys if key in self._values]
        wanted = [tuple(variable.shape.as_list()) for variable in layer.weights]
        found = [value.shape for value in values]
        if found != wanted:
            raise ModelFileError(
                f"{self._path}: layer {layer.name!r} ({type(layer).__name__}) has weights {wanted}, and the file holds "
                f"{found} for it at {group!r}"
            )
        return list(zip(layer.weights, values))


def _in_snake_case(name: str) -> str:
    """Return the name of a class as Keras writes it in its files: LeakyReLU -> leaky_re_lu."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
