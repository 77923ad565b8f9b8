"""What a run returns: a sequence of Results that also acts as the array of predicted classes.

Old records are read back from the manifest, so memory hardly grows with the run.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from types import MappingProxyType
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, overload

import numpy as np

from gradcam_tf1.errors import SelectionError
from gradcam_tf1.run.result import Result


class Results(Sequence[Result], np.lib.mixins.NDArrayOperatorsMixin):
    """The answers for all images, in the order of the listing; also the int64 array [N] of predicted classes.

    Operators work element by element as numpy's do: `results == 3` is a bool array, `results[results == 3]` holds the
    images predicted as class 3. A failed image counts as class -1. Of a run over many images only the first
    records are in memory: others are read back from its manifest when they are asked for, fastest in their order.
    Numbers need no reading.
    out_folder: where the images are. manifest: path of its manifest.jsonl. warnings: sentences for the user.
    complete: False where the run was asked to stop before its end. left_out: methods that were asked for and that the
    net does not allow, each with the reason.
    Raises: ManifestError where a record cannot be read back, since the manifest is gone or another run's.
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
        return np.asarray(self)[index]

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Result]:
        return self._at(self._places)

    def __contains__(self, value: object) -> bool:
        return value in self.tolist()

    def index(self, value: Any, start: int = 0, stop: Optional[int] = None) -> int:
        """The first position of this class. Raises: ValueError where it is not there."""
        return self.tolist().index(value, start, len(self) if stop is None else stop)

    def count(self, value: Any) -> int:
        """How many images are of this class."""
        return self.tolist().count(value)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the array of predicted classes is always a new one: copy=False is not possible")
        predicted = np.array(self._records.predicted, dtype=np.int64)[self._places]
        return predicted if dtype is None else predicted.astype(dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [np.asarray(value) if isinstance(value, Results) else value for value in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    __hash__ = None  # type: ignore[assignment]  # as an array: == is element by element

    @property
    def shape(self) -> Tuple[int]:
        """(number of images,)"""
        return (len(self._places),)

    @property
    def ndim(self) -> int:
        """1"""
        return 1

    @property
    def size(self) -> int:
        """Number of images."""
        return len(self._places)

    @property
    def dtype(self) -> np.dtype:
        """int64"""
        return np.dtype(np.int64)

    def astype(self, dtype: Any) -> np.ndarray:
        """The predicted classes as an array [N] of another dtype."""
        return np.asarray(self).astype(dtype)

    def tolist(self) -> List[int]:
        """The predicted classes as plain ints."""
        return np.asarray(self).tolist()

    def __repr__(self) -> str:
        return f"Results({self.tolist()}, failed={self._has_failed().sum()}, out_folder={self.out_folder!r})"


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
