"""The architecture inside a Keras .h5, made readable for the Keras at hand. This is JSON only, no code is run."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Set

from gradcam_tf1.errors import ModelFileError

# Weights are read from the file and nothing is trained, so how they would be made, punished or kept in bounds is
# left out: newer files name classes there that older versions lack, and any of the user's own.
_TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint")
# Module paths make newer versions import whatever the file says.
_FOREIGN_KEYS = ("module", "registered_name", "build_config", "compile_config")
# Keys of newer versions, and the value at which older versions do the same.
_NEWER_KEYS = {"groups": 1, "keepdims": False, "ragged": False, "synchronized": False, "optional": False}
_OLDER_NAMES = {"Functional": "Model", "SyncBatchNormalization": "BatchNormalization", "FixedDropout": "Dropout"}
_CODE_LAYERS = ("Lambda", "__lambda__")


def parse_config(text: Any, path: str) -> Dict[str, Any]:
    """The `model_config` attribute as a dict. Raises ModelFileError for damaged JSON and for layers that are code."""
    try:
        config = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: its architecture is damaged JSON ({error})") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise ModelFileError(f"{path}: its architecture is no Keras model (it has no class_name and config)")
    code = sorted({_name(layer) for layer in layers(config) if layer["class_name"] in _CODE_LAYERS})
    if code:
        raise ModelFileError(
            f"{path}: layer {code[0]!r} is a Lambda, that is program code inside the file, which is not run; build the "
            "net in your own program and pass the live model object, or a frozen graph of it"
        )
    return config


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


def layer_classes(config: Any) -> Set[str]:
    """The class names of all entries of `layers` lists, at any depth."""
    found: Set[str] = set()
    for part in layers(config):
        inner = part.get("config")
        entries = inner if isinstance(inner, list) else inner.get("layers", []) if isinstance(inner, dict) else []
        found.update(str(entry["class_name"]) for entry in entries if isinstance(entry, dict) and "class_name" in entry)
    return found


def _name(layer: Dict[str, Any]) -> str:
    inner = layer.get("config")
    return str(layer.get("name") or (inner.get("name") if isinstance(inner, dict) else None) or layer["class_name"])


def translate(config: Any, notes: List[str], older: bool) -> Any:
    """A configuration without what does not matter here; older: also in the words of tf.keras 1.15."""
    if isinstance(config, list):
        return [translate(value, notes, older) for value in config]
    if not isinstance(config, dict):
        return config
    kept = {}
    for key, value in config.items():
        if key in _FOREIGN_KEYS or (isinstance(key, str) and key.endswith(_TRAINING_KEYS)):
            continue
        if key in _NEWER_KEYS and value == _NEWER_KEYS[key]:
            continue
        if key == "dtype":
            kept[key] = _dtype(value, notes)
        elif key == "class_name" and (older or value != "Functional"):
            kept[key] = _OLDER_NAMES.get(value, value)
        else:
            kept["batch_input_shape" if key == "batch_shape" else key] = translate(value, notes, older)
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
