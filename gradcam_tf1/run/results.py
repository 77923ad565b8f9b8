"""The results of a run: a sequence of Result that also acts as the array of predicted classes.

All but the first records are read back from the manifest, so that memory hardly grows with the run.
"""

from __future__ import annotations

from array import array
from itertools import groupby
from types import MappingProxyType
from typing import Any, Callable, Iterable, Iterator, List, Mapping, Optional, Sequence, Union, overload

import numpy as np

from gradcam_tf1.drawing.dataframes import dataframe
from gradcam_tf1.errors import SelectionError
from gradcam_tf1.run.older_style import PredictedClasses
from gradcam_tf1.run.result import Result


class Results(PredictedClasses, Sequence[Result]):
    """The results of all images, in the order of the listing.

    In older scripts it also acts as the array of predicted classes, see `older_style`. In a run over many images only
    the first records stay in memory. The others are read back from the manifest, fastest in order.

    Parameters
    ----------
    items : iterable of Result, or Records
        The results.

    Attributes
    ----------
    predicted : np.ndarray
        int64 [N], the predicted classes; -1 for images that failed. They are always in memory.
    out_folder : str
        Folder of the written files.
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
            records = Records()
            for item in items:
                records.append(item)
            items = records
        self._records = items
        self._indices = np.arange(len(items))
        self.out_folder = out_folder
        self.manifest = manifest
        self.warnings = tuple(warnings)
        self.complete = complete
        self.left_out = dict(left_out)

    @property
    def failed(self) -> List[Result]:
        """The images that could not be explained, each with its `error`."""
        return list(self._read(self._indices[self._has_failed()]))

    def _has_failed(self) -> np.ndarray:
        return np.isin(self._indices, np.array(self._records.failed, dtype=np.int64))

    def _read(self, indices: np.ndarray) -> Iterator[Result]:
        return self._records.read(map(int, indices))

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: Any) -> Any:
        try:
            chosen = self._indices[index]
        except IndexError as error:
            possible = f"0 to {len(self) - 1}" if len(self) else "none"
            raise SelectionError(f"there is no result {index!r}; possible: {possible}") from error
        if np.ndim(chosen) == 0:
            return next(self._read(chosen[np.newaxis]))
        if np.ndim(chosen) == 1:
            selection = Results(self._records, self.out_folder, self.manifest, self.warnings)
            selection._indices = chosen
            return selection
        return self.predicted[index]

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[Result]:
        return self._read(self._indices)

    @property
    def predicted(self) -> np.ndarray:
        """The predicted classes: int64 [N], -1 for images that failed."""
        return np.array(self._records.predicted, dtype=np.int64)[self._indices]

    def to_dataframe(self) -> Any:
        """Return a pandas.DataFrame with a row for each map of each image, and one row for an image that failed.

        Raises
        ------
        OptionError
            If pandas is not installed.
        ManifestError
            If a record cannot be read back.
        """
        from gradcam_tf1.run.result_rows import RESULT_COLUMNS, WHOLE_COLUMNS, result_values  # loads OpenCV

        rows = (row for result in self for row in result_values(result))
        return dataframe(rows, RESULT_COLUMNS, WHOLE_COLUMNS)

    def _repr_html_(self) -> str:
        """Show the first maps in a notebook, as far as their files are still there."""
        from gradcam_tf1.run.result_rows import results_table  # loads OpenCV

        failed = int(self._has_failed().sum())
        return results_table(f"{len(self)} images, {failed} failed; files in {self.out_folder}", len(self), self)

    def __repr__(self) -> str:
        return f"Results({self.predicted.tolist()}, failed={self._has_failed().sum()}, out_folder={self.out_folder!r})"


KEPT = 4_000  # records of maps and images that stay in memory: a few MB


class Records:
    """The results of a run, the first ones in memory, the others read back on request.

    Parameters
    ----------
    read_back : callable or None
        Yields the results with these indices; None to keep all in memory.

    Attributes
    ----------
    predicted : array
        Predicted classes; -1 for images that failed.
    failed : array
        Indices of images that failed.
    """

    def __init__(self, read_back: Optional[Callable[[Iterable[int]], Iterator[Result]]] = None) -> None:
        self.predicted = array("q")
        self.failed = array("q")
        self._read_back = read_back
        self._first: List[Result] = []
        self._room = KEPT

    def __len__(self) -> int:
        return len(self.predicted)

    def append(self, result: Result) -> None:
        """Add the next result."""
        if not result.ok:
            self.failed.append(len(self))
        self.predicted.append(result.predicted)
        self._room -= 1 + len(result.maps)
        if self._read_back is None or self._room >= 0:
            self._first.append(result)

    def read(self, indices: Iterable[int]) -> Iterator[Result]:
        """Yield the results with these indices. Raises ManifestError if they cannot be read back."""
        for in_memory, group in groupby(indices, lambda index: index < len(self._first)):
            if in_memory or self._read_back is None:
                yield from (self._first[index] for index in group)
            else:
                yield from self._read_back(group)
