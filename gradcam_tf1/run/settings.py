"""What a run was made with, and whether another run is made with the same."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from dataclasses import asdict, fields, is_dataclass
from typing import Any, Iterable, Iterator, Mapping

import numpy as np

from gradcam_tf1._version import __version__
from gradcam_tf1.drawing.figure_kinds import find_kinds
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import list_images
from gradcam_tf1.images.own_outputs import RUN_NAME
from gradcam_tf1.images.window import make_window
from gradcam_tf1.run.manifest_lines import strict_json
from gradcam_tf1.run.run_options import RunRequest
from gradcam_tf1.tf_runtime import tf

_WHOLE = 64 << 20  # files up to this size are read whole
_END = 4 << 20  # of larger ones this much at each end, and the time of their last change
_SHOWN = 60
_MOST_NUMBERS = 1000  # of a fed value that is kept as it is
_NOT_COMPARED = ("model", "warnings")  # where it is, what is in it counts; and what follows from the others


def net_warnings(net: BoundNet) -> list[str]:
    """What there is to know about a GradCamGraph's model, binding and labels, a sentence each."""
    label_note = net.labels.note if net.labels is not None else ""
    return [*net.binding.warnings, *net.model.notes, *([label_note] if label_note else [])]


def net_settings(net: BoundNet) -> dict[str, Any]:
    """The part of the settings that tells one GradCamGraph from another."""
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


def request_settings(request: RunRequest, methods: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the settings that distinguishes one request from another; `methods` are those that run."""
    options, run = request.options, request.run
    kept = ("noise", "aug_smooth", "eigen_smooth", "fuse")
    return {
        **{"targets": request.targets, "targets_sha256": contents_sha256(request.targets)},
        **{"methods": list(methods), "layers": request.layers, "score": request.score},
        "options": {name: given for name, given in methods.items() if given},
        **{name: getattr(options, name) for name in kept},
        **({"inputs": list(inputs), "inputs_sha256": inputs_sha256(inputs)} if inputs else {}),
        **{"naming": run.naming, "max_pixels": run.max_pixels, "window": asdict(make_window(run.window))},
        **asdict(request.style),
        **{"n_images": run.n_images, "seed": run.seed},
        "figures": [kind.name for kind in find_kinds(run.figures)],
    }


def _fed(value: Any) -> Any:
    """A fed value as it is; a large one by its shape and what is in it."""
    if np.size(value) <= _MOST_NUMBERS:
        return value
    return {"shape": list(np.shape(value)), "sha256": contents_sha256(np.asarray(value))}


def fingerprint(paths: Iterable[str]) -> str:
    """Equal for the same content of files, folders and prefixes of checkpoints; "" where there is no file."""
    digest = hashlib.sha256()
    files = [file for path in paths for file in _files(path)]
    for file in files:
        size = os.path.getsize(file)
        digest.update(f"{os.path.basename(file)} {size} ".encode("utf-8", "surrogateescape"))
        with open(file, "rb") as stream:
            if size <= _WHOLE:
                digest.update(stream.read())
            else:
                digest.update(stream.read(_END))
                stream.seek(-_END, os.SEEK_END)
                digest.update(stream.read() + str(os.stat(file).st_mtime_ns).encode())
    return digest.hexdigest() if files else ""


def text_sha256(texts: Iterable[str]) -> str:
    """Equal for equal texts in equal order."""
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def contents_sha256(value: Any) -> str | None:
    """Of the files that a target names and the arrays that it holds, which its text does not show; None without any."""
    digest = hashlib.sha256()
    found = False
    for content in _contents(value):
        digest.update(content)
        found = True
    return digest.hexdigest() if found else None


def inputs_sha256(inputs: Mapping[str, Any]) -> str:
    """Equal for the same values of further inputs: numbers, and what stands in the files that are named."""
    parts: list[Any] = []
    for name, values in sorted(inputs.items(), key=lambda item: str(item[0])):
        if isinstance(values, (str, os.PathLike)):
            content = fingerprint(file.path for file in list_images(values))
        elif isinstance(values, np.ndarray):
            content = contents_sha256(values) or ""
        else:
            content = fingerprint([values.path]) if is_dataclass(values) else strict_json(values)
        parts.append([str(name), content])
    return text_sha256(map(strict_json, parts))


def _contents(value: Any) -> Iterator[bytes]:
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
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted(filter(os.path.isfile, glob.glob(glob.escape(path) + ".*")))


def check_same(out_folder: str, settings: Mapping[str, Any]) -> None:
    """Raises: OptionError naming what differs from the run that began in this folder."""
    try:
        with open(os.path.join(out_folder, RUN_NAME), encoding="ascii") as stream:
            old = json.load(stream)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{out_folder!r} has results, but its {RUN_NAME} cannot be read ({error}), so that nobody knows how they "
            "were made; choose another output folder, or run without resume, which starts again"
        ) from error
    new = json.loads(strict_json(settings))
    names = [name for name in {**old, **new} if name not in _NOT_COMPARED and old.get(name) != new.get(name)]
    if names:
        changes = "; ".join(f"{name} was {_short(old.get(name))}, now it is {_short(new.get(name))}" for name in names)
        raise OptionError(
            f"the run in {out_folder!r} cannot be resumed, because its images would not fit together: {changes}. "
            "Give what was given then, choose another output folder, or run without resume, which starts again"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
