"""manifest.jsonl, one line per image, see lines.py, and run.json, the settings of the run: what was made, of what."""

from __future__ import annotations

import errno
import os
import sys
from functools import partial
from typing import Any, Iterable, Iterator

from gradcam_tf1.atomic_files import open_own, write_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.own_outputs import MANIFEST_NAME, RUN_NAME, foreign_file
from gradcam_tf1.run.line_places import LinePlaces
from gradcam_tf1.run.manifest_lines import line_of, parse_line, result_of, strict_json
from gradcam_tf1.run.result import Result

# what a line that is JSON, but not a result's, can lead to
_DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class ManifestWriter:
    """The journal of a run: lines are only ever added, whole. After a kill, what was finished is there.

    resume: keep the lines that are there; a torn last one is cut off, since it is of an image that was not finished.
    lines_per_sync: after so many lines they are on the disk itself. While it is open no other run may have it, and a
    killed run leaves no lock behind (flock; systems without it go unlocked). lines: how many were there. read_back:
    called with numbers of lines, from 0, gives their results, also when the journal is closed; it can be pickled.
    Raises: OptionError where another run has it, or where it is not this toolkit's; OSError naming the file where it
    cannot be written, or is not there any more.
    """

    def __init__(self, out_folder: str, resume: bool = False, lines_per_sync: int = 8) -> None:
        self.path = os.path.join(out_folder, MANIFEST_NAME)
        self._out_folder = out_folder
        self._lines_per_sync = lines_per_sync
        self._unsynced = 0
        _check_ours(out_folder)
        self._stream = open_own(self.path)
        try:
            _lock(self._stream, out_folder)
            self._places = LinePlaces(self.path)
            if resume:
                self._places.scan()
            self._stream.truncate(self._places.end)
        except BaseException:
            self._stream.close()
            raise
        self.lines = len(self._places)
        self.read_back = partial(_results_at, self._places, self.path, out_folder)

    def done(self) -> Iterator[Result]:
        """The results that are there. Raises: OptionError where a line is damaged."""
        try:
            yield from self.read_back(range(self.lines))
        except _DAMAGE as error:
            raise OptionError(
                f"the run cannot be resumed, its journal is damaged: {error}; choose another output folder, or run "
                "without resume, which starts again"
            ) from error

    def write(self, result: Result) -> None:
        """Add the line of one image, whole or not at all."""
        if not _is_same(self._stream, self.path):
            message = "the manifest was removed or replaced during the run"
            raise FileNotFoundError(errno.ENOENT, message, self.path)
        line = line_of(result, self._out_folder)
        try:
            written = 0
            while written < len(line):
                written += self._stream.write(line[written:]) or 0
            self._unsynced += 1
            if self._unsynced >= self._lines_per_sync:
                self._sync()
        except OSError as error:
            self._stream.truncate(self._places.end)
            raise OSError(error.errno, f"cannot write the manifest: {error.strerror}", self.path) from error
        self._places.add(line)

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


def _is_same(stream: Any, path: str) -> bool:
    """Whether the open file is the one of that path."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except OSError:
        return False


def _check_ours(out_folder: str) -> None:
    """Raises: OptionError where a run would overwrite a file of another program that has the name of one of ours."""
    foreign = foreign_file(out_folder)
    if foreign:
        raise OptionError(
            f"{foreign!r} is not of this toolkit, and a run would overwrite it; choose another output folder, or move "
            "the file away"
        )


def _results_at(places: LinePlaces, path: str, out_folder: str, numbers: Iterable[int]) -> Iterator[Result]:
    for number, line in places.read(numbers):
        yield result_of(parse_line(line, path, number), number, out_folder)


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """The lines of a manifest.jsonl as dicts; `source` is the path as the file system has it.

    Raises: ValueError naming the line that is not JSON.
    """
    with open(path, "rb") as stream:
        for index, line in enumerate(stream):
            yield parse_line(line, path, index)


def write_run(out_folder: str, settings: dict[str, Any]) -> None:
    """Write run.json."""
    write_whole(
        os.path.join(out_folder, RUN_NAME), (strict_json(settings, indent=1) + "\n").encode("ascii"), "settings"
    )
