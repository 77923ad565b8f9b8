"""A file that grows by whole lines, so that what was finished survives a kill. No TensorFlow here."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, BinaryIO, Iterable, Iterator, Tuple

from gradcam_tf1.atomic_files import open_own
from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.line_index import LineIndex


class WholeLines:
    """Adds lines to a file of the output folder, each as a whole or not at all.

    While it is open, no other run can open it. A killed run leaves no lock behind (flock; other systems have no lock).

    Parameters
    ----------
    path : str
        The file; made if absent.
    what : str
        What the file is, for messages ("manifest").
    resume : bool
        Keep the existing lines. An incomplete last line is removed.
    lines_per_sync : int
        Force the data to the disk after this number of lines.

    Attributes
    ----------
    index : LineIndex
        Reads lines back, also after the file is closed.

    Raises
    ------
    OptionError
        If another run has the file open.
    OSError
        If the file cannot be written; the error names it.
    """

    def __init__(self, path: str, what: str, resume: bool = False, lines_per_sync: int = 8) -> None:
        self._path, self._what = path, what
        self._lines_per_sync = lines_per_sync
        self._unsynced = 0
        self._stream = open_own(path)
        try:
            _lock(self._stream, os.path.dirname(path))
            self.index = LineIndex(path)
            if resume:
                self.index.scan()
            self._stream.truncate(self.index.end)
        except BaseException:
            self._stream.close()
            raise

    def __len__(self) -> int:
        return len(self.index)

    def write(self, line: bytes) -> None:
        """Add a line, which ends with a newline. Raises OSError, also if the file was removed meanwhile."""
        if not _is_same(self._stream, self._path):
            message = f"the {self._what} was removed or replaced during the run"
            raise FileNotFoundError(errno.ENOENT, message, self._path)
        try:
            written = 0
            while written < len(line):
                written += self._stream.write(line[written:]) or 0
            self._unsynced += 1
            if self._unsynced >= self._lines_per_sync:
                self._sync()
        except OSError as error:
            self._stream.truncate(self.index.end)
            raise OSError(error.errno, f"cannot write the {self._what}: {error.strerror}", self._path) from error
        self.index.add(line)

    def read(self, numbers: Iterable[int]) -> Iterator[Tuple[int, bytes]]:
        """Yield lines with their numbers, see `LineIndex.read`."""
        return self.index.read(numbers)

    def close(self) -> None:
        """Force all lines to the disk and end the lock."""
        if self._unsynced:
            self._sync()
        self._stream.close()

    def _sync(self) -> None:
        os.fsync(self._stream.fileno())
        self._unsynced = 0

    def __enter__(self) -> WholeLines:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()


def _lock(stream: BinaryIO, out_folder: str) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OptionError(
            f"another run is writing into {out_folder!r}; wait until it has ended, or choose another output folder"
        ) from error


def _is_same(stream: BinaryIO, path: str) -> bool:
    """Return whether the path still names the open file."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), os.stat(path))
    except OSError:
        return False
