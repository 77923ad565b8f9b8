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

_LARGEST = 2**53  # larger whole numbers are not exact in a browser


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
        told += [] if target.detection is None else [str(target.detection)]
        told += [f"{m.method} {m.layer} {float(m.minimum)!r} {float(m.maximum)!r} {m.peak}" for m in target.maps]
    return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _check(result: Result) -> None:
    """Raise TypeError, ValueError or OverflowError unless the fields have the types that a run writes."""
    _texts(result.source, result.relative, result.error, *result.files)
    for path in result.files:
        if b"\0" in os.fsencode(path):  # UnicodeEncodeError for what is no path either
            raise ValueError(f"{repr(path)[:60]} holds a null character")
    _whole(result.predicted)
    if result.size is not None:
        height, width = (_whole(side) for side in result.size)
        if height < 1 or width < 1:
            raise ValueError(f"the size is {result.size!r}")
    entries: List[Any] = [*result.top, *result.targets]
    for entry in entries:
        _whole(entry.class_id)
        _numbers(entry.score, 0 if entry.probability is None else entry.probability)
        _texts("" if entry.label is None else entry.label)
    _texts(*(target.about for target in result.targets))
    for found in (target.detection for target in result.targets if target.detection is not None):
        _numbers(*found.box, found.confidence)
        _whole(found.anchor)
    for record in result.maps:
        _numbers(record.minimum, record.maximum)
        _texts(record.method, record.layer, record.status, record.reason, *record.notes)
        _texts(*record.files)
        for number in (number for place in (record.peak, record.box) for number in place or ()):
            _whole(number)


def _texts(*values: Any) -> None:
    for value in values:
        if not isinstance(value, str):
            raise TypeError(f"{repr(value)[:60]} is not a text")


def _numbers(*values: Any) -> None:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{repr(value)[:60]} is not a number")
        float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{repr(value)[:60]} is not a whole number")
    if abs(value) > _LARGEST:
        raise OverflowError(f"{repr(value)[:60]} is too large")
    return int(value)


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
