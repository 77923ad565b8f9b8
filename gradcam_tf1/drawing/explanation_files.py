"""From the fields of an Explanation to the arrays of a file, and back. Everything that is read is checked.

The array `header` is JSON in ASCII, with all texts. Numbers are arrays: `class_ids`, `scores`, `probabilities`,
`predicted`, `placements`, `top`; `map0`, `range0` (minimum and maximum) and `cells0` for each method and layer; and
`image0` for each original image.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from gradcam_tf1.drawing.stored_arrays import read_arrays, write_arrays
from gradcam_tf1.drawing.stored_detections import pack_detections, unpack_detections
from gradcam_tf1.drawing.stored_placements import BadField, need, pack_placements, unpack_placements
from gradcam_tf1.drawing.stored_scores import pack_top, unpack_top
from gradcam_tf1.errors import ExplanationFileError, OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import Cells, MapKey, MapStatus

VERSION = 1
_FORMAT = "gradcam_tf1 explanation"
_WHAT = "an explanation that `save` wrote"
_STATES = ("ok", "empty")


def write_fields(fields: Mapping[str, Any], path: Any, images: bool) -> None:
    """Write the fields of an Explanation; see `Explanation.save`."""
    try:
        arrays = _pack(fields, images)
        _unpack(arrays)  # what could not be read is not written
    except BadField as error:
        raise OptionError(f"the explanation cannot be saved: {error}") from error
    write_arrays(_as_path(path), arrays, "explanation")


def read_fields(path: Any) -> Dict[str, Any]:
    """Return the fields of an Explanation from a file; see `Explanation.load`."""
    path = _as_path(path)
    try:
        return _unpack(read_arrays(path, _WHAT))
    except BadField as error:
        raise ExplanationFileError(f"{path!r} is not {_WHAT}, or is damaged: {error}") from error


def _as_path(path: Any) -> str:
    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"the file of an explanation is a path, not {path!r}")
    if "\0" in os.fspath(path):
        raise OptionError(f"{path!r} has a character that no path can have")
    return os.path.expanduser(os.fspath(path))


def _pack(fields: Mapping[str, Any], images: bool) -> Dict[str, np.ndarray]:
    keys, labels = list(fields["maps"]), fields["labels"]
    originals = [image if images else None for image in fields["images"]]
    kind, placements = pack_placements(fields["placements"])
    classes, class_scores = pack_top(fields["top"])
    header = {
        "format": _FORMAT,
        "version": VERSION,
        "keys": keys,
        "statuses": [
            [[[each.state, each.reason, each.notes] for each in row] for row in fields["statuses"][key]] for key in keys
        ],
        "placements": kind,
        "top": classes,
        "labels": labels and {"names": list(labels.names), "offset": labels.offset, "note": labels.note},
        "images": [image is not None for image in originals],
        "detections": pack_detections(fields["detections"]),
        **{name: fields[name] for name in ("layers", "abouts", "failures")},
    }
    text = json.dumps(header).encode("ascii")
    arrays = {"header": np.frombuffer(text, np.uint8), "placements": placements, "top": class_scores}
    arrays.update({name: np.asarray(fields[name]) for name in ("class_ids", "scores", "predicted")})
    if fields["probabilities"] is not None:
        arrays["probabilities"] = np.asarray(fields["probabilities"])
    for k, key in enumerate(keys):
        arrays[f"map{k}"] = np.asarray(fields["maps"][key])
        arrays[f"range{k}"] = _ranges(fields["statuses"][key])
        if key in fields["cells"]:
            cells = fields["cells"][key]
            arrays[f"cells{k}"] = np.array([cells.offset, cells.stride], np.float64)
    arrays.update({f"image{n}": image for n, image in enumerate(originals) if image is not None})
    return arrays


def _ranges(statuses: List[List[MapStatus]]) -> np.ndarray:
    return np.array([[(each.minimum, each.maximum) for each in row] for row in statuses], np.float64)


def _unpack(arrays: Mapping[str, np.ndarray]) -> Dict[str, Any]:
    header = _header(arrays)
    class_ids = _taken(arrays, "class_ids", "int64", (None, None))
    images, targets = class_ids.shape
    placements = unpack_placements(header["placements"], _taken(arrays, "placements", "int64", (images, None)))
    keys = _keys(header)
    originals = _images(arrays, header, placements)
    probabilities = None
    if "probabilities" in arrays:
        probabilities = _taken(arrays, "probabilities", "float32", (images, targets))
    maps = {key: _map(arrays, f"map{k}", (images, targets), placements, key[0]) for k, key in enumerate(keys)}
    for n, placement in enumerate(placements):
        placement.check(originals[n] if originals else None, [values[n] for values in maps.values()])
    return {
        "class_ids": class_ids,
        "scores": _taken(arrays, "scores", "float32", (images, targets)),
        "probabilities": probabilities,
        "predicted": _taken(arrays, "predicted", "int64", (images,)),
        "maps": maps,
        "statuses": {
            key: _statuses(header["statuses"][k], _taken(arrays, f"range{k}", "float64", (images, targets, 2)))
            for k, key in enumerate(keys)
        },
        "placements": [placement.record for placement in placements],
        "layers": _texts(header, "layers"),
        "abouts": _texts(header, "abouts", (0, targets)),
        "failures": _texts(header, "failures", (0, images)),
        "cells": {
            key: _cells(arrays, f"cells{k}", placements[0].axes) for k, key in enumerate(keys) if f"cells{k}" in arrays
        },
        "labels": _labels(header["labels"]),
        "images": originals,
        "detections": unpack_detections(header.get("detections", []), images, targets),  # earlier versions had none
        "top": unpack_top(header["top"], arrays.get("top", np.zeros(0)), images),
    }


def _header(arrays: Mapping[str, np.ndarray]) -> Dict[str, Any]:
    need("header" in arrays, "it has no header")
    try:
        header: Dict[str, Any] = json.loads(arrays["header"].tobytes().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise BadField(f"its header is not JSON ({error})") from error
    need(isinstance(header, dict) and header.get("format") == _FORMAT, "its header is that of another program")
    version = header.get("version")
    need(
        version == VERSION, f"it has version {version!r}, and this program reads version {VERSION}; update gradcam_tf1"
    )
    names = ("keys", "statuses", "placements", "labels", "images", "layers", "abouts", "failures", "top")
    missing = [name for name in names if name not in header]
    need(not missing, f"its header lacks {', '.join(missing)}")
    return header


def _taken(arrays: Mapping[str, np.ndarray], name: str, dtype: str, shape: Tuple[Any, ...]) -> np.ndarray:
    """Return an array of this dtype and shape; None stands for any length but 0."""
    need(name in arrays, f"it lacks the array {name!r}")
    values = arrays[name]
    fits = values.ndim == len(shape) and all(
        there > 0 if wanted is None else there == wanted for there, wanted in zip(values.shape, shape)
    )
    need(fits and values.dtype == dtype, f"its array {name!r} is {values.dtype} {list(values.shape)}")
    return values


def _map(
    arrays: Mapping[str, np.ndarray], name: str, counts: Tuple[int, int], placements: List[Any], method: str
) -> np.ndarray:
    need(name in arrays, f"it lacks the array {name!r}")
    axes = arrays[name].ndim - 2
    plain = placements[0].axes
    spaces = {METHODS[method].space} if method in METHODS else {"layer", "pixels"}  # of another program's methods
    wanted = {plain + (space == "pixels") for space in spaces}
    need(axes in wanted, f"its array {name!r} has {axes + 2} axes, which is no map of {method!r}")
    return _taken(arrays, name, "float32", (*counts, *[None] * axes))


def _keys(header: Mapping[str, Any]) -> List[MapKey]:
    keys = header["keys"]
    need(isinstance(keys, list) and len(keys) > 0, "it has no maps")
    pairs = [tuple(key) for key in keys if _are_texts(key) and len(key) == 2]
    need(len(pairs) == len(keys) == len(set(pairs)), "its methods and layers are not pairs of names, each once")
    statuses = header["statuses"]
    need(isinstance(statuses, list) and len(statuses) == len(keys), "its statuses are not those of its maps")
    return [(method, layer) for method, layer in pairs]


def _statuses(rows: Any, ranges: np.ndarray) -> List[List[MapStatus]]:
    good = isinstance(rows, list) and [isinstance(row, list) and len(row) for row in rows] == [ranges.shape[1]] * len(
        ranges
    )
    need(good and all(_is_status(each) for row in rows for each in row), "its statuses are not those of its maps")
    need(not np.isinf(ranges).any(), "the range of a map is infinite")
    return [
        [MapStatus(each[0], each[1], float(low), float(high), tuple(each[2])) for each, (low, high) in zip(row, ends)]
        for row, ends in zip(rows, ranges)
    ]


def _is_status(each: Any) -> bool:
    good = isinstance(each, list) and len(each) == 3 and _are_texts(each[:2]) and _are_texts(each[2])
    return good and each[0] in _STATES


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _texts(header: Mapping[str, Any], name: str, counts: Tuple[int, ...] = ()) -> Tuple[str, ...]:
    values = header[name]
    need(_are_texts(values) and (not counts or len(values) in counts), f"its {name} are not texts, one for each")
    return tuple(values)


def _cells(arrays: Mapping[str, np.ndarray], name: str, axes: int) -> Cells:
    values = _taken(arrays, name, "float64", (2, axes))
    need(bool(np.isfinite(values).all() and (values[1] != 0).all()), f"its array {name!r} is not finite")
    return Cells(tuple(values[0].tolist()), tuple(values[1].tolist()))


def _labels(values: Any) -> Any:
    if values is None:
        return None
    need(isinstance(values, dict) and set(values) == {"names", "offset", "note"}, "its labels are damaged")
    names, offset, note = values["names"], values["offset"], values["note"]
    good = _are_texts(names) and isinstance(note, str) and isinstance(offset, int) and offset in (-1, 0, 1)
    need(good, "its labels are damaged")
    return Labels(names, offset, note)


def _images(arrays: Mapping[str, np.ndarray], header: Mapping[str, Any], placements: List[Any]) -> Tuple[Any, ...]:
    there = header["images"]
    good = isinstance(there, list) and all(isinstance(each, bool) for each in there)
    need(good and len(there) in (0, len(placements)), "its list of images is damaged")
    need(not any(there) or placements[0].axes == 2, "it has images of signals, volumes or clips")
    return tuple(_image(arrays, f"image{n}") if has else None for n, has in enumerate(there))


def _image(arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    need(name in arrays, f"it lacks the array {name!r}")
    return _taken(arrays, name, str(arrays[name].dtype), (None, None, None))
