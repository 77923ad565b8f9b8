"""The journal of a long task: its settings and one row per image, as JSON lines. No TensorFlow here."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterator, Mapping, Sequence

from gradcam_tf1._version import __version__
from gradcam_tf1.errors import ManifestError, OptionError
from gradcam_tf1.run.manifest_lines import parse_line, readable, strict_json
from gradcam_tf1.run.settings import differences
from gradcam_tf1.run.whole_lines import WholeLines

_KEY = "gradcam_tf1"  # in the first line: the version


class RowJournal:
    """Adds one row per image as a whole line, so that a killed task resumes after its last finished image.

    The first line holds the settings. While the journal is open, no other task can open it.

    Parameters
    ----------
    path : str
        The file, in the output folder, which exists; such as OUT/evaluation.jsonl.
    settings : mapping
        Everything that changes a number; JSON, numpy values and paths are possible.
    resume : bool
        Keep the finished rows. Without it, or where there is no journal yet, the task starts anew.

    Attributes
    ----------
    path : str
        The file.

    Raises
    ------
    OptionError
        If another task has it open, if the file is not such a journal, or if it is to be resumed with other settings;
        the message names them.
    OSError
        If the file cannot be written; the error names it.
    """

    def __init__(self, path: str, settings: Mapping[str, Any], resume: bool = False) -> None:
        self.path = path
        head = {_KEY: __version__, "settings": json.loads(strict_json(dict(settings)))}
        existing = _existing_head(path)
        self._lines = WholeLines(path, "journal", resume and existing is not None)
        try:
            if len(self._lines):
                _check_settings(os.path.dirname(path), existing or {}, head)
            else:
                self._lines.write(_line(head))
        except BaseException:
            self._lines.close()
            raise

    def __len__(self) -> int:
        """Return the number of rows, one per finished image."""
        return len(self._lines) - 1

    def write(self, row: Mapping[str, Any]) -> None:
        """Add the row of one image, completely or not at all. Its `relative` and `source` may be any path."""
        self._lines.write(_line(row))

    def rows(self) -> Iterator[Dict[str, Any]]:
        """Yield all rows from the file, in the order in which they were written.

        Raises
        ------
        ManifestError
            If a line has changed since.
        """
        for number, line in self._lines.read(range(1, len(self._lines))):
            try:
                yield parse_line(line, self.path, number)
            except (ValueError, TypeError) as error:
                raise ManifestError(f"{error}; run without resume to start again") from error

    def __enter__(self) -> RowJournal:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._lines.close()


def check_beside(path: str, names: Sequence[str]) -> None:
    """Raise OptionError if there is no journal yet, but a file with one of the names that its task writes beside it."""
    if os.path.lexists(path):
        return  # the journal checks itself
    for name in names:
        other = os.path.join(os.path.dirname(path), name)
        if os.path.lexists(other):
            raise OptionError(
                f"{other!r} would be overwritten, and there is no {os.path.basename(path)} beside it that says that it "
                "is ours; choose another output folder, or move the file away"
            )


def _line(row: Mapping[str, Any]) -> bytes:
    line = dict(row)
    for name in ("source", "relative"):
        text = line.get(name)
        if isinstance(text, str) and readable(text) != text:
            line[f"{name}_hex"] = os.fsencode(text).hex()
    return (strict_json(line) + "\n").encode("ascii")


def _existing_head(path: str) -> Any:
    """Return the first line of a journal; None where there is no complete one. Refuse another program's file."""
    if os.path.lexists(path) and not os.path.isfile(path):  # a pipe would wait for its other end
        raise OptionError(f"{path!r} is no plain file; choose another output folder, or move it away")
    try:
        with open(path, "rb") as stream:
            first = stream.readline()
    except FileNotFoundError:
        return None
    try:
        head = json.loads(first.decode("ascii"))
    except (ValueError, RecursionError):
        head = None
    if isinstance(head, dict) and _KEY in head and isinstance(head.get("settings"), dict):
        return head
    if first.endswith(b"\n") or not b'{"gradcam_tf1": "'.startswith(first[:17]):
        raise OptionError(
            f"{path!r} was not written by this toolkit, and it would be overwritten; choose another output folder, or "
            "move the file away"
        )
    return None  # a killed task left half a first line


def _check_settings(out_folder: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    versions = {_KEY: old.get(_KEY)}, {_KEY: new[_KEY]}
    changes = differences({**old["settings"], **versions[0]}, {**new["settings"], **versions[1]})
    if changes:
        raise OptionError(
            f"{out_folder!r} cannot be resumed, because its settings were different: {changes}. Give the earlier "
            "settings, choose another output folder, or leave out resume to start again"
        )
