"""What a run returns: a sequence of Results that also acts as the array of predicted classes.

Old records are read back from the manifest, so memory hardly grows with the run.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from types import MappingProxyType
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Sequence, Union, overload

import numpy as np

from gradcam_tf1.errors import SelectionError
from gradcam_tf1.run.older_style import PredictedClasses
from gradcam_tf1.run.result import Result


class Results(PredictedClasses, Sequence[Result]):
    """The answers for all images, in the order of the listing.

    In older scripts it also acts as the array of predicted classes, see `older_style`. Of a run over many images only
    the first records stay in memory. The others are read back from its manifest, fastest in order.

    Attributes
    ----------
    predicted : np.ndarray
        int64 [N], the predicted classes; -1 for images that failed. They are always in memory.
    out_folder : str
        Where the written images are.
    manifest : str
        Path of manifest.jsonl.
    warnings : tuple of str
        Sentences for the user.
    complete : bool
        False if the run was stopped before its end.
    left_out : dict
        Requested methods that the net does not allow, each with the reason.

    Raises
    ------
    ManifestError
        If a record cannot be read back, because the manifest is gone or belongs to another run.
    """

    def __init__(
        self,
        items: Union[Iterable[Result], Records],
        out_folder: str = "",
        manifest: str = "",
        warnings: Iterable[str] = (),
        complete: bool = True,
        left_out: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        if not isinstance(items, Records):
            given, items = items, Records()
            for item in given:
                items.append(item)
        self._records = items
        self._places = np.arange(len(items))
        self.out_folder = out_folder
        self.manifest = manifest
        self.warnings = tuple(warnings)
        self.complete = complete
        self.left_out = dict(left_out)

    @property
    def failed(self) -> List[Result]:
        """The images that could not be explained, each with its `error`."""
        return list(self._at(self._places[self._has_failed()]))

    def _has_failed(self) -> np.ndarray:
        return np.isin(self._places, np.array(self._records.failed, dtype=np.int64))

    def _at(self, places: np.ndarray) -> Iterator[Result]:
        return self._records.at(map(int, places))

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: Any) -> Any:
        try:
            chosen = self._places[index]
        except IndexError as error:
            there = f"0 to {len(self) - 1}" if len(self) else "none"
            raise SelectionError(f"there is no result {index!r}; results here: {there}") from error
        if np.ndim(chosen) == 0:
            return next(self._at(chosen[np.newaxis]))
        if np.ndim(chosen) == 1:
            some = Results(self._records, self.out_folder, self.manifest, self.warnings)
            some._places = chosen
            return some
        return self.predicted[index]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Result]:
        return self._at(self._places)

    @property
    def predicted(self) -> np.ndarray:
        """The predicted classes: int64 [N], -1 for images that failed."""
        return np.array(self._records.predicted, dtype=np.int64)[self._places]

    def __repr__(self) -> str:
        return f"Results({self.predicted.tolist()}, failed={self._has_failed().sum()}, out_folder={self.out_folder!r})"


KEPT = 4_000  # maps (and images) whose records stay in memory: a few MB


class Records:
    """The first results of a run as they are; of the others the numbers, and the rest is read back when asked for.

    read: gives the results at these places; None: all are kept. predicted: their classes, -1 where an image failed.
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
        self.predicted.append(result.predicted)
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
