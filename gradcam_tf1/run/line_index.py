"""Index the lines of a growing file in little memory, so that each can be read back."""

from __future__ import annotations

import os
import zlib
from array import array
from typing import Iterable, Iterator, Tuple

from gradcam_tf1.errors import ManifestError


class LineIndex:
    """The end and the CRC-32 of each line of a file, 12 bytes per line. Lines are numbered from 0."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)  # the working folder may change before a line is read
        self._ends = array("Q")
        self._checks = array("I")

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def end(self) -> int:
        """Number of bytes of all lines."""
        return self._ends[-1] if self._ends else 0

    def add(self, line: bytes) -> None:
        """Add the next line, which ends with a newline."""
        self._ends.append(self.end + len(line))
        self._checks.append(zlib.crc32(line))

    def scan(self) -> None:
        """Add all complete lines of the file; an incomplete last line is left out."""
        with open(self._path, "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    self.add(line)

    def read(self, numbers: Iterable[int]) -> Iterator[Tuple[int, bytes]]:
        """Yield these lines with their numbers, in the requested order. Ascending order is fastest.

        Raises
        ------
        ManifestError
            If the file is gone, or a line has changed.
        """
        try:
            with open(self._path, "rb") as stream:
                for number in numbers:
                    start = self._ends[number - 1] if number else 0
                    stream.seek(start)
                    line = stream.read(self._ends[number] - start)
                    if zlib.crc32(line) != self._checks[number]:
                        raise ManifestError(
                            f"{self._path}, line {number + 1}: not the line that the run wrote; the file has changed "
                            "since. Read results before their folder is used again"
                        )
                    yield number, line
        except OSError as error:
            raise ManifestError(
                f"the manifest cannot be read any more: {error.strerror}: {self._path!r}; keep it while the "
                "results are in use, since only the first ones of a long run stay in memory"
            ) from error
