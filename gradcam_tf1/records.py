"""The results of a run in memory that hardly grows with it."""

from __future__ import annotations

from array import array
from itertools import groupby
from typing import Callable, Iterable, Iterator, List, Optional

from gradcam_tf1.result import Result

KEPT = 4_000  # maps (and pictures) whose records stay in memory: a few MB


class Records:
    """The first results of a run as they are; of the others the numbers, and the rest is read back when asked for.

    read: gives the results at these places; None: all are kept. predicted: their classes, -1 where a picture failed.
    failed: places of those.
    """

    def __init__(self, read: Optional[Callable[[Iterable[int]], Iterator[Result]]] = None) -> None:
        self.predicted = array("q")
        self.failed = array("q")
        self._read = read
        self._first: List[Result] = []
        self._room = KEPT

    def __len__(self) -> int:
        return len(self.predicted)

    def append(self, result: Result) -> None:
        """Add the next one."""
        if not result.ok:
            self.failed.append(len(self))
        self.predicted.append(int(result))
        self._room -= 1 + len(result.maps)
        if self._read is None or self._room >= 0:
            self._first.append(result)

    def at(self, places: Iterable[int]) -> Iterator[Result]:
        """The results at these places, in the order asked. Raises: ManifestError where they cannot be read back."""
        for first, group in groupby(places, lambda place: place < len(self._first)):
            if first or self._read is None:
                yield from (self._first[place] for place in group)
            else:
                yield from self._read(group)
