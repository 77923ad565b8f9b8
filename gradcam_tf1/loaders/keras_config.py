"""Translate the architecture in a Keras .h5 for the Keras version at hand. It is JSON; no code is run."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, Iterator, List, Union

from gradcam_tf1.errors import ModelFileError

Json = Any  # a value of parsed JSON
Part = Dict[str, Any]  # a part of a configuration that has a class name

MAX_TEXT = 1 << 26  # bytes
_DIGITS = 20
# Weights come from the file and nothing is trained, so initialisers, regularisers and constraints are left out: files
# name classes there that this version lacks, or custom classes.
_TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint")
# Module paths would let newer versions import any module that the file names.
_FOREIGN_KEYS = ("module", "registered_name", "build_config", "compile_config")
# Keys of newer versions, with the value that means the behaviour of older versions.
_NEWER_KEYS = {
    "antialias": False,
    "flash_attention": None,
    "groups": 1,
    "keepdims": False,
    "optional": False,
    "pad_to_aspect_ratio": False,
    "quantization_config": None,
    "ragged": False,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
    "rms_scaling": False,
    "seed": None,
    "sliding_window": None,
    "synchronized": False,
    "use_gate": False,
    "zero_output_for_mask": False,
}
# What layers that change images have in Keras 3 only; in inference they do nothing, or have one way to fill.
_IMAGE_LAYERS = re.compile("Random|Resizing|CenterCrop|ZeroPadding1D")
_IMAGE_KEYS = ("fill_mode", "fill_value", "value_range")
# In inference these hand on what they take; some versions of Keras let them change it even then.
_IDENTITIES = re.compile("Random(Flip|Rotation|Zoom|Translation|Brightness|Contrast|Height|Width)$")
_OF_ANY_LAYER = ("name", "trainable", "dtype", "batch_input_shape")
_OLDER_NAMES = {"Functional": "Model", "SyncBatchNormalization": "BatchNormalization", "FixedDropout": "Dropout"}


def parse_config(text: Union[str, bytes], path: str) -> Part:
    """Parse the `model_config` attribute of a file. Raises ModelFileError if it is not the JSON of a Keras model."""
    try:
        if len(text) > MAX_TEXT:
            raise ModelFileError(f"{path}: its architecture is {len(text):,} bytes long; {MAX_TEXT:,} are allowed")
        config = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, parse_int=_whole_number)
    except ModelFileError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: its architecture is damaged JSON ({error})") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ModelFileError(f"{path}: its architecture is not a Keras model (it has no class_name and config)")
    return config


def _whole_number(text: str) -> int:
    """Parse a number of limited length: Python needs long for a million digits."""
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def layers(config: Json) -> Iterator[Part]:
    """Yield every part of a configuration that has a class name, nested parts included."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from layers(value)


def name_of(part: Part) -> str:
    """Return the name of a layer, its class where it has none."""
    config = part.get("config")
    return str(part.get("name") or (config.get("name") if isinstance(config, dict) else None) or part.get("class_name"))


def translate(config: Json, notes: List[str], older: bool) -> Json:
    """Translate a configuration to Keras 2, without what inference does not need.

    Parameters
    ----------
    config : Json
        The configuration or a part of it.
    notes : list of str
        Sentences for the user are appended here.
    older : bool
        Translate to tf.keras of TensorFlow 1.15 instead.

    Returns
    -------
    Json
        The translation; `config` is not changed.
    """
    if isinstance(config, list):
        return [translate(value, notes, older) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "function":  # an activation, as Keras 3 writes it
        return config.get("config")
    kept: Dict[str, Json] = {}
    for key, value in config.items():
        if key in _FOREIGN_KEYS or (isinstance(key, str) and key.endswith(_TRAINING_KEYS)):
            continue
        if key in _NEWER_KEYS and value == _NEWER_KEYS[key]:
            continue
        if key == "class_name":
            kept[key] = _OLDER_NAMES.get(value, value) if older or value != "Functional" else value
        elif key in _KEYS_OF_KERAS_3:
            kept.update(_KEYS_OF_KERAS_3[key](value, notes))
        else:
            kept[key] = translate(value, notes, older)
    if isinstance(kept.get("config"), dict):
        _change_layer(str(config.get("class_name")), kept)
    return kept


def _change_layer(name: str, kept: Part) -> None:
    """Change the translated layer of a class whose arguments differ between versions, in place."""
    settings = kept["config"]
    if _IDENTITIES.match(name):
        same = {key: value for key, value in settings.items() if key in _OF_ANY_LAYER}
        kept.update({"class_name": "Activation", "config": {**same, "activation": "linear"}})
    elif _IMAGE_LAYERS.match(name):
        kept["config"] = {key: value for key, value in settings.items() if not _only_in_keras_3(key, value)}
    elif name == "LeakyReLU" and "negative_slope" in settings:
        settings["alpha"] = settings.pop("negative_slope")


def _only_in_keras_3(key: str, value: Json) -> bool:
    return key in _IMAGE_KEYS or (key == "data_format" and value in ("channels_last", None))


def _dtype(value: Json, notes: List[str]) -> Json:
    """Return the plain dtype name of a policy of newer versions; mixed-precision policies become float32."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner.get("name", "float32") if isinstance(inner, dict) else "float32"
    if isinstance(value, str) and value.startswith("mixed_"):
        note = f"the net was trained under the {value} policy; it is computed in float32"
        if note not in notes:
            notes.append(note)
        return "float32"
    return value


def _inbound_nodes(nodes: Json) -> Json:
    """Return the calls of a layer, each as [[layer, call, output, arguments], ...], for any version."""
    return [_call(node) if isinstance(node, dict) else node for node in nodes] if isinstance(nodes, list) else nodes


def _call(node: Dict[str, Json]) -> List[Json]:
    named = node.get("kwargs", {}).items()
    arguments = {key: _tensor(value) for key, value in named if value is not None and key != "training"}
    histories = [
        part["config"]["keras_history"] for part in layers(node.get("args")) if "keras_history" in part["config"]
    ]
    return [[*history, arguments] for history in histories]


def _tensor(value: Json) -> Json:
    """Return a tensor among named arguments as [layer, call, output], any other value as it is."""
    inner = value.get("config") if isinstance(value, dict) else None
    return inner["keras_history"] if isinstance(inner, dict) and "keras_history" in inner else value


def _tensors(value: Json) -> Json:
    """Return [[layer, call, output], ...]; Keras 3 leaves out the outer list for a single tensor."""
    return [value] if isinstance(value, list) and value and isinstance(value[0], str) else value


_KEYS_OF_KERAS_3: Dict[str, Callable[[Json, List[str]], Dict[str, Json]]] = {
    "batch_shape": lambda value, _: {"batch_input_shape": value},
    "dtype": lambda value, notes: {"dtype": _dtype(value, notes)},
    "inbound_nodes": lambda value, _: {"inbound_nodes": _inbound_nodes(value)},
    "input_layers": lambda value, _: {"input_layers": _tensors(value)},
    "output_layers": lambda value, _: {"output_layers": _tensors(value)},
    "node_def": lambda value, _: {"node_def": value},  # a message of TensorFlow: its keys are not those of Keras
}
