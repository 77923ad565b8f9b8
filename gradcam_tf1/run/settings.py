"""The settings of a run for run.json, and the check that a resumed run has the same."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Mapping

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.drawing.figure_kinds import find_kinds
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.images.own_outputs import RUN_NAME
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.input_tables import Column
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.replaced_formats import KEY
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.tf_runtime import tf

if TYPE_CHECKING:
    from gradcam_tf1.engine.bound_net import BoundNet

_READ_FULLY = 64 << 20  # files up to this size are hashed completely
_END = 4 << 20  # of larger files, this much at each end and the time of the last change
_SHOWN = 60  # characters of a value in messages
_MAX_NUMBERS = 1000  # in a fed value that is stored completely
# The content of the model counts, not its path. The others follow from the rest, or say how the run went.
_NOT_COMPARED = ("model", "warnings", "reasons", "class_names", "channels", "input_size", "history", KEY)


def net_warnings(net: BoundNet) -> list[str]:
    """Return the notes on the model, the binding and the labels of a net, one sentence each."""
    label_note = net.labels.note if net.labels is not None else ""
    return [*net.binding.warnings, *net.model.notes, *([label_note] if label_note else [])]


def net_settings(net: BoundNet) -> dict[str, Any]:
    """Return the settings that describe a net."""
    model, binding = net.model, net.binding
    return {
        **{"gradcam_tf1": __version__, "tensorflow": tf.__version__, "model": model.source, "kind": model.kind},
        "model_sha256": fingerprint(model.files or [model.source]),
        "moving_averages": model.moving_averages,
        "labels_sha256": None if net.labels is None else text_sha256(net.labels.names),
        **{key: getattr(binding, key) for key in ("input", "logits", "probabilities", "layer")},
        "feeds": {name: _fed(value) for name, value in binding.feeds.items()},
        **{"fit": net.fit_mode, "size": net.size, "preset": str(net.preset), "net_batch_size": net.batch_size},
    }


def net_facts(net: BoundNet) -> dict[str, Any]:
    """Return what a reader of the results wants to know of a net besides its settings; it is not compared."""
    binding, labels = net.binding, net.labels
    count = None if labels is None else len(labels.names) + labels.offset
    return {
        **{"reasons": dict(binding.reasons), "channels": net.channels_in, "input_size": list(binding.image_size)},
        "class_names": None if labels is None else [labels.full_name(class_id) for class_id in range(count or 0)],
    }


def request_settings(request: RunRequest, methods: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that describe a request; `methods` are those that run, with their options."""
    options, run = request.options, request.run
    kept = ("noise", "aug_smooth", "eigen_smooth", "fuse")
    return {
        **{"targets": request.targets, "targets_sha256": contents_sha256(request.targets)},
        **{"methods": list(methods), "layers": request.layers, "score": request.score},
        "options": {name: given for name, given in methods.items() if given},
        **{name: getattr(options, name) for name in kept},
        **({"inputs": list(inputs), "inputs_sha256": inputs_sha256(inputs)} if inputs else {}),
        **{"naming": run.naming, "image_format": run.image_format},
        **{"max_pixels": run.max_pixels, "window": asdict(make_window(run.window))},
        **asdict(request.style),
        **{"n_images": run.n_images, "seed": run.seed},
        "figures": [kind.name for kind in find_kinds(run.figures, run.axes)],
        **({} if run.axes is None else {"axes": asdict(run.axes)}),
    }


def _fed(value: Any) -> Any:
    """Return a fed value, or the shape and hash of a large one."""
    if np.size(value) <= _MAX_NUMBERS:
        return value
    return {"shape": list(np.shape(value)), "sha256": contents_sha256(np.asarray(value))}


def fingerprint(paths: Iterable[str]) -> str:
    """Return a hash of the content of files, folders and checkpoint prefixes; "" if there is no file."""
    digest = hashlib.sha256()
    files = [file for path in paths for file in _files(path)]
    for file in files:
        size = os.path.getsize(file)
        digest.update(f"{os.path.basename(file)} {size} ".encode("utf-8", "surrogateescape"))
        with open(file, "rb") as stream:
            if size <= _READ_FULLY:
                digest.update(stream.read())
            else:
                digest.update(stream.read(_END))
                stream.seek(-_END, os.SEEK_END)
                digest.update(stream.read() + str(os.stat(file).st_mtime_ns).encode())
    return digest.hexdigest() if files else ""


def text_sha256(texts: Iterable[str]) -> str:
    """Return a hash of texts in this order."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def contents_sha256(value: Any) -> str | None:
    """Return a hash of the files and arrays of a target, which its text does not show; None if it has none."""
    digest = hashlib.sha256()
    empty = True
    for content in _contents(value):
        digest.update(content)
        empty = False
    return None if empty else digest.hexdigest()


def inputs_sha256(inputs: Mapping[str, Any]) -> str:
    """Return a hash of the values of further inputs, including the content of their files."""
    parts: list[Any] = []
    for name, values in sorted(inputs.items(), key=lambda item: str(item[0])):
        if isinstance(values, (str, os.PathLike)):
            content = fingerprint(file.path for file in list_images(values))
        elif isinstance(values, np.ndarray):
            content = contents_sha256(values) or ""
        else:
            content = fingerprint([values.path]) if isinstance(values, Column) else strict_json(values)
        parts.append([str(name), content])
    return text_sha256(map(strict_json, parts))


def _contents(value: Any) -> Iterator[bytes]:
    """Yield the data of all arrays and files in a value."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape} ".encode()
        yield value.tobytes()
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _contents(item)
    elif is_dataclass(value):
        files = list(getattr(value, "files", ()))
        if files:
            yield fingerprint(files).encode()
        for item in fields(value):
            yield from _contents(getattr(value, item.name))


def _files(path: str) -> list[str]:
    """Return the files of a path: a file, the files of a folder, or those of a checkpoint prefix."""
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(filter(os.path.isfile, glob.glob(glob.escape(path) + ".*")))


def check_same(out_folder: str, settings: Mapping[str, Any]) -> None:
    """Raise OptionError if the settings differ from those of the run in this folder; the message names them."""
    try:
        with open(os.path.join(out_folder, RUN_NAME), encoding="ascii") as stream:
            old = json.load(stream)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{out_folder!r} has results, but its {RUN_NAME} cannot be read ({error}), so their settings are unknown; "
            "choose another output folder, or run without resume to start again"
        ) from error
    changes = differences(old, json.loads(strict_json(settings)))
    if changes:
        raise OptionError(
            f"the run in {out_folder!r} cannot be resumed, because its settings were different: {changes}. "
            "Give the earlier settings, choose another output folder, or run without resume to start again"
        )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Return which settings differ, in words; "" if a task with the `old` ones can go on with the `new` ones.

    Both are JSON. Settings that cannot change a result are not compared.
    """
    names = [name for name in {**old, **new} if name not in _NOT_COMPARED and old.get(name) != new.get(name)]
    return "; ".join(f"{name} was {_short(old.get(name))}, now it is {_short(new.get(name))}" for name in names)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
