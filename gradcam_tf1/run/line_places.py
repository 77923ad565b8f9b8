"""Where the lines of a growing file are, in little memory, so that each can be read back."""

from __future__ import annotations

import os
import zlib
from array import array
from typing import Iterable, Iterator, Tuple

from gradcam_tf1.errors import ManifestError


class LinePlaces:
    """The end and the CRC-32 of each line of a file: 12 bytes a line. Lines follow one another, numbered from 0."""

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)  # the program may change its folder before it reads
        self._ends = array("Q")
        self._checks = array("I")

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def end(self) -> int:
        """Bytes of all lines."""
        return self._ends[-1] if self._ends else 0

    def add(self, line: bytes) -> None:
        """Count in the next line, which ends with a newline."""
        self._ends.append(self.end + len(line))
        self._checks.append(zlib.crc32(line))

    def scan(self) -> None:
        """Count in all lines of the file that are whole; a torn last one is not."""
        with open(self._path, "rb") as stream:
            for line in stream:
                if line.endswith(b"\n"):
                    self.add(line)

    def read(self, numbers: Iterable[int]) -> Iterator[Tuple[int, bytes]]:
        """These lines with their numbers, in the order asked; one after the other is the fastest.

        Raises: ManifestError where the file is gone, or a line of it is not the one that was counted in.
        """
        try:
            with open(self._path, "rb") as stream:
                for number in numbers:
                    start = self._ends[number - 1] if number else 0
                    stream.seek(start)
                    line = stream.read(self._ends[number] - start)
                    if zlib.crc32(line) != self._checks[number]:
                        raise ManifestError(
                            f"{self._path}, line {number + 1}: not what the run has written there; another run, or "
                            "somebody, has changed the file since. Read results before their folder is used again"
                        )
                    yield number, line
        except OSError as error:
            raise ManifestError(
                f"the manifest cannot be read any more: {error.strerror}: {self._path!r}; of a long run only the first "
                "results are kept in memory"
            ) from error
