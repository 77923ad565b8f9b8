"""Read what a run has recorded, finished or running: its settings, and one row per image. No TensorFlow here."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Dict, Iterator, List

from gradcam_tf1.errors import ManifestError
from gradcam_tf1.images.own_outputs import MANIFEST_NAME, RUN_NAME
from gradcam_tf1.run.manifest import DAMAGE
from gradcam_tf1.run.manifest_lines import parse_line, result_of
from gradcam_tf1.run.result import Result


def run_rows(out_folder: str) -> Iterator[Result]:
    """Yield what a run has recorded of its images, in their order. A last line that is not yet complete is left out.

    The paths are a stranger's data: they may lead anywhere.

    Raises
    ------
    ManifestError
        If a line is damaged; names it.
    OSError
        If the manifest cannot be read.
    """
    path = os.path.join(out_folder, MANIFEST_NAME)
    with open(path, "rb") as stream:
        for index, line in enumerate(stream):
            if not line.endswith(b"\n"):
                return
            try:
                result = result_of(parse_line(line, path, index), index, out_folder)
                _check(result)
            except DAMAGE as error:
                raise ManifestError(f"{path}, line {index + 1}: not a line that a run wrote ({error})") from error
            yield result


def digest_of(result: Result) -> str:
    """Return a hash of the numbers of a result, the same when it is read back from the manifest."""
    told = [result.source, result.relative, result.error, str(result.size)]
    for target in result.targets:
        told += [f"{target.class_id} {target.about} {float(target.score)!r}"]
        told += [f"{m.method} {m.layer} {float(m.minimum)!r} {float(m.maximum)!r} {m.peak}" for m in target.maps]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _check(result: Result) -> None:
    """Raise TypeError or ValueError unless the fields have the types that a run writes."""
    entries: List[Any] = [*result.top, *result.targets]
    for entry in entries:
        int(entry.class_id)
        float(entry.score)
        float(entry.probability or 0)
        if not isinstance(entry.label or "", str):
            raise TypeError(f"the label is {entry.label!r}")
    if result.size is not None:
        height, width = (int(side) for side in result.size)
        if height < 1 or width < 1:
            raise ValueError(f"the size is {result.size!r}")
    for record in result.maps:
        float(record.minimum)
        float(record.maximum)
        texts = (record.method, record.layer, record.status, record.reason, *record.notes, *record.files.values())
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a name, note or path is not a text")
        [int(number) for place in (record.peak, record.box) for number in place or ()]


def run_settings(out_folder: str) -> Dict[str, Any]:
    """Return run.json. Raises ManifestError if it is damaged, OSError if it cannot be read."""
    path = os.path.join(out_folder, RUN_NAME)
    with open(path, "rb") as stream:
        text = stream.read()
    try:
        settings = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{path}: not the settings of a run ({error})") from error
    if not isinstance(settings, dict):
        raise ManifestError(f"{path}: not the settings of a run, but a {type(settings).__name__}")
    return settings
