r"""Convert the result of an image to a line of manifest.jsonl, and back.

Lines are strict JSON in ASCII. A line has: source, relative, status ("ok", "error"), error, size [height, width],
predicted, figures {name: path}, top: [{class_id, label, score, probability}], and targets: [{class_id, label, about,
score, probability, maps: [{method, layer, status ("ok", "empty"), reason, minimum, maximum, peak [row, column],
box [top, left, bottom, right], notes [sentences], files {kind: path}}]}]. A target that is a detection also has
detection {box [top, left, bottom, right], confidence, anchor}. Paths are relative to the output folder.
Unknown values and numbers that are not finite are null. If a path is not UTF-8, its invalid bytes are written as \xNN,
and source_hex or relative_hex is its hex form.
"""

from __future__ import annotations

import json
import math
import os
import re
from typing import Any, Mapping

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.detected_box import recorded_detection
from gradcam_tf1.run.result import FAILED, MapRecord, Result, TargetRecord


def line_of(result: Result, out_folder: str) -> bytes:
    """Return the line, with its newline."""
    return (strict_json(record_of(result, out_folder)) + "\n").encode("ascii")


def parse_line(text: bytes, path: str, index: int) -> dict[str, Any]:
    """Parse a line to a dict. `source` and `relative` become paths of the file system.

    Parameters
    ----------
    text : bytes
        The line.
    path, index : str, int
        Its file, and its number from 0, for messages.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    try:
        line: dict[str, Any] = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}, line {index + 1}: not a line of a manifest ({error})") from error
    for name in ("source", "relative"):
        if f"{name}_hex" in line:
            line[name] = os.fsdecode(bytes.fromhex(line[f"{name}_hex"]))
    return line


def record_of(result: Result, out_folder: str) -> dict[str, Any]:
    """Return the line of an image as a dict; `files` and `figures` become relative to the output folder."""
    targets = [_target_record(target) for target in result.targets]
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
        "top": [dict(vars(entry)) for entry in result.top],
        "targets": targets,
    }
    for name, path in (("source", result.source), ("relative", result.relative)):
        if line[name] != path:
            line[f"{name}_hex"] = os.fsencode(path).hex()
    return line


def _target_record(target: TargetRecord) -> dict[str, Any]:
    record = {**vars(target), "maps": [dict(vars(map)) for map in target.maps]}  # `asdict` copies every value, slowly
    del record["detection"]
    return record if target.detection is None else {**record, "detection": target.detection.as_record()}


def result_of(line: Mapping[str, Any], index: int, out_folder: str) -> Result:
    """Return the result that a line describes; `index` is its number in the manifest, from 0."""
    return Result(
        FAILED if line["predicted"] is None else line["predicted"],
        source=line["source"],
        relative=line["relative"],
        index=index,
        error=line["error"] or "",
        size=_tuple(line["size"]),
        targets=tuple(_target_of(target, out_folder) for target in line["targets"]),
        figures=_in_folder(line["figures"], out_folder),
        top=tuple(_class_of(entry) for entry in line.get("top") or ()),  # earlier versions had none
    )


def _class_of(line: Mapping[str, Any]) -> ClassScore:
    return ClassScore(line["class_id"], line["label"], _number(line["score"]), line["probability"])


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
    found = recorded_detection(line.get("detection"))
    return TargetRecord(**{**line, "score": _number(line["score"]), "maps": maps, "detection": found})


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _tuple(values: Any) -> Any:
    return None if values is None else tuple(values)


def _in_folder(files: Mapping[str, str], out_folder: str) -> dict[str, str]:
    return {kind: os.path.join(out_folder, *path.split("/")) for kind, path in files.items()}


def _from_folder(files: Mapping[str, str], out_folder: str) -> dict[str, str]:
    """Return the paths relative to the output folder, with "/" between folders."""
    return {kind: os.path.relpath(path, out_folder).replace(os.sep, "/") for kind, path in files.items()}


def strict_json(value: Any, indent: int | None = None) -> str:
    """Return JSON in ASCII that every parser accepts: null for NaN and infinity, no lone surrogates."""
    return json.dumps(plain_values(value), allow_nan=False, indent=indent)


def readable(path: str) -> str:
    r"""Return the path with bytes that are not UTF-8 written as \xNN."""
    return path if path.isascii() else re.sub("[\ud800-\udfff]", _surrogate, path)


def _surrogate(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def plain_values(value: Any) -> Any:
    """Convert numpy values, paths and dict keys to JSON types that `strict_json` writes."""
    if isinstance(value, str):
        return readable(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, dict):
        return {readable(str(key)): plain_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_values(item) for item in value]
    if hasattr(value, "tolist"):
        return plain_values(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return readable(re.sub(r" at 0x[0-9a-f]+", "", str(value)))  # an address differs between processes
