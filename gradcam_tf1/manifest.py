r"""manifest.jsonl, one line per picture, and run.json, the settings of the run: what was made, of what, and how.

Strict JSON in ASCII. A line has: source, relative, status ("ok", "error"), error, size [height, width], predicted,
figures {name: path}, and targets: [{class_id, label, about, score, probability, maps: [{method, layer, status ("ok",
"empty"), reason, minimum, maximum, peak [row, column], box [top, left, bottom, right], notes [sentences], files
{kind: path}}]}]. Paths are from the output folder. What is unknown is null. A path that is not UTF-8 has its odd bytes
written as \xNN and stands, whole, in hexadecimal under source_hex or relative_hex.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from dataclasses import asdict
from typing import Any, Iterator, Mapping

from gradcam_tf1.errors import OptionError
from gradcam_tf1.results import FAILED, MapRecord, Result, TargetRecord
from gradcam_tf1.whole_files import write_whole

MANIFEST_NAME = "manifest.jsonl"
RUN_NAME = "run.json"
_BLOCK = 1 << 16


class ManifestWriter:
    """The journal of a run: lines are only ever added, whole. After a kill, what was finished is there.

    resume: keep the lines that are there; a torn last one is cut off, since it is of a picture that was not finished.
    lines_per_sync: after so many lines they are on the disk itself. While it is open no other run may have it, and a
    killed run leaves no lock behind (flock; systems without it go unlocked). lines: how many were there.
    Raises: OptionError where another run has it; OSError naming the file where it cannot be written.
    """

    def __init__(self, out_folder: str, resume: bool = False, lines_per_sync: int = 8) -> None:
        self.path = os.path.join(out_folder, MANIFEST_NAME)
        self._out_folder = out_folder
        self._lines_per_sync = lines_per_sync
        self._unsynced = 0
        self._stream = open(self.path, "ab+", buffering=0)  # noqa: SIM115 - closed by __exit__
        try:
            _lock(self._stream, out_folder)
            self.lines, self._size = _whole_lines(self._stream) if resume else (0, 0)
            self._stream.truncate(self._size)
        except BaseException:
            self._stream.close()
            raise

    def done(self) -> Iterator[Result]:
        """The results that are there. Raises: OptionError where a line is damaged."""
        try:
            for index, line in enumerate(read_manifest(self.path)):
                yield result_of(line, index, self._out_folder)
        except (ValueError, KeyError, TypeError) as error:
            raise OptionError(
                f"the run cannot be resumed, its journal is damaged: {error}; choose another output folder, or run "
                "without resume, which starts again"
            ) from error

    def write(self, result: Result) -> None:
        """Add the line of one picture, whole or not at all."""
        line = (strict_json(record_of(result, self._out_folder)) + "\n").encode("ascii")
        try:
            written = 0
            while written < len(line):
                written += self._stream.write(line[written:]) or 0
            self._unsynced += 1
            if self._unsynced >= self._lines_per_sync:
                self._sync()
        except OSError as error:
            self._stream.truncate(self._size)
            raise OSError(error.errno, f"cannot write the manifest: {error.strerror}", self.path) from error
        self._size += len(line)

    def _sync(self) -> None:
        os.fsync(self._stream.fileno())
        self._unsynced = 0

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        if self._unsynced:
            self._sync()
        self._stream.close()


def _lock(stream: Any, out_folder: str) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OptionError(
            f"another run is writing into {out_folder!r}; wait until it has ended, or choose another output folder"
        ) from error


def _whole_lines(stream: Any) -> tuple[int, int]:
    """How many lines are whole, and where the last of them ends."""
    stream.seek(0)
    count = start = end = 0
    for block in iter(lambda: stream.read(_BLOCK), b""):
        count += block.count(b"\n")
        end = start + block.rfind(b"\n") + 1 if b"\n" in block else end
        start += len(block)
    return count, end


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
    for name, path in (("source", result.source), ("relative", result.relative)):
        if line[name] != path:
            line[f"{name}_hex"] = os.fsencode(path).hex()
    return line


def result_of(line: Mapping[str, Any], index: int, out_folder: str) -> Result:
    """The result that a line was written of; index: its place in the manifest, from 0."""
    return Result(
        FAILED if line["predicted"] is None else line["predicted"],
        source=line["source"],
        relative=line["relative"],
        index=index,
        error=line["error"] or "",
        size=_tuple(line["size"]),
        targets=[_target_of(target, out_folder) for target in line["targets"]],
        figures=_in_folder(line["figures"], out_folder),
    )


def _target_of(line: Mapping[str, Any], out_folder: str) -> TargetRecord:
    maps = tuple(
        MapRecord(
            **{
                **record,
                "minimum": _number(record["minimum"]),
                "maximum": _number(record["maximum"]),
                "peak": _tuple(record["peak"]),
                "box": _tuple(record["box"]),
                "notes": tuple(record["notes"]),
                "files": _in_folder(record["files"], out_folder),
            }
        )
        for record in line["maps"]
    )
    return TargetRecord(**{**line, "score": _number(line["score"]), "maps": maps})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _tuple(values: Any) -> Any:
    return None if values is None else tuple(values)


def _in_folder(files: Mapping[str, str], out_folder: str) -> dict[str, str]:
    return {kind: os.path.join(out_folder, *path.split("/")) for kind, path in files.items()}


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
            for name in ("source", "relative"):
                if f"{name}_hex" in line:
                    line[name] = os.fsdecode(bytes.fromhex(line[f"{name}_hex"]))
            yield line


def write_run(out_folder: str, settings: dict[str, Any]) -> None:
    """Write run.json."""
    write_whole(
        os.path.join(out_folder, RUN_NAME), (strict_json(settings, indent=1) + "\n").encode("ascii"), "settings"
    )


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
    return readable(re.sub(r" at 0x[0-9a-f]+", "", str(value)))  # an address is another one in the next process
