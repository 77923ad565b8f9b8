"""The architecture inside a Keras .h5, made readable for the Keras at hand. This is JSON only, no code is run."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterator, List

from gradcam_tf1.errors import ModelFileError

MAX_TEXT = 1 << 26  # bytes
_DIGITS = 20
# Weights are read from the file and nothing is trained, so how they would be made, punished or kept in bounds is
# left out: newer files name classes there that older versions lack, and any of the user's own.
_TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint")
# Module paths make newer versions import whatever the file says.
_FOREIGN_KEYS = ("module", "registered_name", "build_config", "compile_config")
# Keys of newer versions, and the value at which older versions do the same.
_NEWER_KEYS = {
    "groups": 1,
    "keepdims": False,
    "optional": False,
    "quantization_config": None,
    "ragged": False,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
    "synchronized": False,
}
_OLDER_NAMES = {"Functional": "Model", "SyncBatchNormalization": "BatchNormalization", "FixedDropout": "Dropout"}


def parse_config(text: Any, path: str) -> Dict[str, Any]:
    """The `model_config` attribute as a dict. Raises ModelFileError for what is no JSON of a Keras model."""
    try:
        if len(text) > MAX_TEXT:
            raise ModelFileError(f"{path}: its architecture is {len(text):,} bytes long; {MAX_TEXT:,} are allowed")
        config = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text, parse_int=_whole_number)
    except ModelFileError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise ModelFileError(f"{path}: its architecture is damaged JSON ({error})") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ModelFileError(f"{path}: its architecture is no Keras model (it has no class_name and config)")
    return config


def _whole_number(text: str) -> int:
    """Python takes time for one of a million digits."""
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def layers(config: Any) -> Iterator[Dict[str, Any]]:
    """Every part of a configuration that has a class name, the nested ones too."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config
        for value in config.values():
            yield from layers(value)
    elif isinstance(config, list):
        for value in config:
            yield from layers(value)


def translate(config: Any, notes: List[str], older: bool) -> Any:
    """A configuration without what does not matter here, in the words of Keras 2; older: in those of tf.keras 1.15."""
    if isinstance(config, list):
        return [translate(value, notes, older) for value in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "function":  # an activation, as Keras 3 writes it
        return config.get("config")
    kept = {}
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
    if config.get("class_name") == "LeakyReLU" and "negative_slope" in kept.get("config", {}):
        kept["config"]["alpha"] = kept["config"].pop("negative_slope")
    return kept


def _dtype(value: Any, notes: List[str]) -> Any:
    """A plain dtype name for the policies of newer versions; half-precision policies compute in float32 here."""
    if isinstance(value, dict):
        inner = value.get("config")
        value = inner.get("name", "float32") if isinstance(inner, dict) else "float32"
    if isinstance(value, str) and value.startswith("mixed_"):
        note = f"the net was trained under the {value} policy; it is computed in float32"
        if note not in notes:
            notes.append(note)
        return "float32"
    return value


def _inbound_nodes(nodes: Any) -> Any:
    """The calls of a layer: [[layer, call, output, arguments], ...] each, whatever the version."""
    return [_call(node) if isinstance(node, dict) else node for node in nodes] if isinstance(nodes, list) else nodes


def _call(node: Dict[str, Any]) -> List[Any]:
    arguments = {key: value for key, value in node.get("kwargs", {}).items() if value is not None and key != "training"}
    histories = [
        part["config"]["keras_history"] for part in layers(node.get("args")) if "keras_history" in part["config"]
    ]
    return [[*history, arguments] for history in histories]


def _tensors(given: Any) -> Any:
    """[[layer, call, output], ...]; Keras 3 leaves out the outer list where there is one tensor."""
    return [given] if isinstance(given, list) and given and isinstance(given[0], str) else given


_KEYS_OF_KERAS_3: Dict[str, Callable[[Any, List[str]], Dict[str, Any]]] = {
    "batch_shape": lambda value, _: {"batch_input_shape": value},
    "dtype": lambda value, notes: {"dtype": _dtype(value, notes)},
    "inbound_nodes": lambda value, _: {"inbound_nodes": _inbound_nodes(value)},
    "input_layers": lambda value, _: {"input_layers": _tensors(value)},
    "output_layers": lambda value, _: {"output_layers": _tensors(value)},
    "node_def": lambda value, _: {"node_def": value},  # a message of TensorFlow, with words of its own
}
