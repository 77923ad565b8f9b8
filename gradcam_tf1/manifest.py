r"""manifest.jsonl, one line per picture, and run.json, the settings of the run: what was made, of what, and how.

Strict JSON in ASCII. A line has: source, relative, status ("ok", "error"), error, size [height, width], predicted,
figures {name: path}, and targets: [{class_id, label, about, score, probability, maps: [{method, layer, status ("ok",
"empty"), reason, minimum, maximum, peak [row, column], box [top, left, bottom, right], notes [sentences], files
{kind: path}}]}]. Paths are from the output folder. What is unknown is null. A path that is not UTF-8 has its odd bytes
written as \xNN and stands, whole, in hexadecimal under source_hex.
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import asdict
from typing import Any, Iterator, Mapping

from gradcam_tf1.results import Result

MANIFEST_NAME = "manifest.jsonl"
RUN_NAME = "run.json"


class ManifestWriter:
    """Writes manifest.jsonl line by line; after a crash, what was finished is there."""

    def __init__(self, out_folder: str) -> None:
        self.path = os.path.join(out_folder, MANIFEST_NAME)
        self._out_folder = out_folder
        self._stream = open(self.path, "w", encoding="ascii", newline="\n")  # noqa: SIM115 - closed by __exit__

    def write(self, result: Result) -> None:
        """Add the line of one picture."""
        self._stream.write(strict_json(record_of(result, self._out_folder)) + "\n")
        self._stream.flush()

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._stream.close()


def record_of(result: Result, out_folder: str) -> dict[str, Any]:
    """One picture's line as a dict; `files` and `figures` become paths from the output folder."""
    targets = [asdict(target) for target in result.targets]
    for record in (record for target in targets for record in target["maps"]):
        record["files"] = _from_folder(record["files"], out_folder)
    line = {
        "source": readable(result.source),
        "relative": readable(result.relative),
        "status": result.status,
        "error": result.error or None,
        "size": result.size,
        "predicted": result.predicted if result.ok else None,
        "figures": _from_folder(result.figures, out_folder),
        "targets": targets,
    }
    if line["source"] != result.source:
        line["source_hex"] = os.fsencode(result.source).hex()
    return line


def _from_folder(files: Mapping[str, str], out_folder: str) -> dict[str, str]:
    """The paths from the output folder, "/" between folders."""
    return {kind: os.path.relpath(path, out_folder).replace(os.sep, "/") for kind, path in files.items()}


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """The lines of a manifest.jsonl as dicts; `source` is the path as the file system has it.

    Raises: ValueError naming the line that is not JSON.
    """
    with open(path, encoding="utf-8") as stream:
        for number, text in enumerate(stream, 1):
            try:
                line = json.loads(text)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: not a line of a manifest ({error})") from error
            if "source_hex" in line:
                line["source"] = os.fsdecode(bytes.fromhex(line["source_hex"]))
            yield line


def write_run(out_folder: str, settings: dict[str, Any]) -> None:
    """Write run.json."""
    with open(os.path.join(out_folder, RUN_NAME), "w", encoding="ascii", newline="\n") as stream:
        stream.write(strict_json(settings, indent=1) + "\n")


def strict_json(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII that every reader takes: no NaN, no infinity (null instead), no lone surrogates."""
    return json.dumps(_plain(value), allow_nan=False, indent=indent)


def readable(path: str) -> str:
    r"""The path with bytes that are not UTF-8 written as \xNN."""
    return re.sub("[\ud800-\udfff]", _surrogate, path)


def _surrogate(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _plain(value: Any) -> Any:
    """Numpy values, paths and dict keys to JSON's own types."""
    if isinstance(value, dict):
        return {readable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return readable(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int)):
        return value
    return readable(str(value))
