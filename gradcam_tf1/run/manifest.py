"""Write and read manifest.jsonl, one line per image (see `manifest_lines`), and run.json, the settings of the run."""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Iterable, Iterator

from gradcam_tf1.atomic_files import write_whole
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.own_outputs import MANIFEST_NAME, RUN_NAME, foreign_file
from gradcam_tf1.run.line_index import LineIndex
from gradcam_tf1.run.manifest_lines import line_of, parse_line, result_of, strict_json
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.whole_lines import WholeLines

# errors of a line that is JSON, but not a result
DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class ManifestWriter:
    """The manifest of a run in progress. Each line is added as a whole, so that finished images survive a kill.

    While it is open, no other run can open it. A killed run leaves no lock behind (flock; other systems have no lock).

    Parameters
    ----------
    out_folder : str
        The output folder.
    resume : bool
        Keep the existing lines. An incomplete last line is removed, since its image was not finished.
    lines_per_sync : int
        Force the data to the disk after this number of lines.

    Attributes
    ----------
    path : str
        Path of manifest.jsonl.
    lines : int
        Number of existing lines.
    read_back : callable
        Takes line numbers from 0 and yields their results, also after the manifest is closed. It can be pickled.

    Raises
    ------
    OptionError
        If another run has the manifest open, or if the file is of another program.
    OSError
        If the file cannot be written, or is gone; the error names it.
    """

    def __init__(self, out_folder: str, resume: bool = False, lines_per_sync: int = 8) -> None:
        self.path = os.path.join(out_folder, MANIFEST_NAME)
        self._out_folder = out_folder
        _check_ours(out_folder)
        self._lines = WholeLines(self.path, "manifest", resume, lines_per_sync)
        self.lines = len(self._lines)
        self.read_back = partial(_results_at, self._lines.index, self.path, out_folder)

    def done(self) -> Iterator[Result]:
        """Yield the results of the existing lines. Raises OptionError if a line is damaged."""
        try:
            yield from self.read_back(range(self.lines))
        except DAMAGE as error:
            raise OptionError(
                f"the run cannot be resumed, its manifest is damaged: {error}; choose another output folder, or run "
                "without resume to start again"
            ) from error

    def write(self, result: Result) -> None:
        """Add the complete line of one image, or nothing. Raises OSError."""
        self._lines.write(line_of(result, self._out_folder))

    def __enter__(self) -> ManifestWriter:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._lines.close()


def _check_ours(out_folder: str) -> None:
    """Refuse a folder where another program has a file with a name of ours. Raises OptionError."""
    foreign = foreign_file(out_folder)
    if foreign:
        raise OptionError(
            f"{foreign!r} was not written by this toolkit, and a run would overwrite it; choose another output folder, "
            "or move the file away"
        )


def _results_at(index: LineIndex, path: str, out_folder: str, numbers: Iterable[int]) -> Iterator[Result]:
    for number, line in index.read(numbers):
        yield result_of(parse_line(line, path, number), number, out_folder)


def read_manifest(path: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of a manifest.jsonl as dicts. `source` and `relative` are paths of the file system.

    Parameters
    ----------
    path : str
        Path of the manifest.

    Yields
    ------
    dict
        The line of one image; see `manifest_lines` for its fields.

    Raises
    ------
    ValueError
        If a line is not JSON; the message names it.
    """
    with open(path, "rb") as stream:
        for index, line in enumerate(stream):
            yield parse_line(line, path, index)


def write_run(out_folder: str, settings: dict[str, Any]) -> None:
    """Write run.json."""
    write_whole(
        os.path.join(out_folder, RUN_NAME), (strict_json(settings, indent=1) + "\n").encode("ascii"), "settings"
    )
