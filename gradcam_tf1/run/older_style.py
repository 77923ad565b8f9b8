"""Compatibility with older scripts: a result acts as its class, and results act as an array of classes.

    predicted = net.visualize_imgs("photos/", "out/")
    predicted[0] == 3, np.mean(predicted == truth), names[predicted[0]], predicted.tolist()

Nothing else in the package relies on this.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from numbers import Number
from typing import Any, List, Optional, Tuple

import numpy as np


class ClassNumber:
    """A record that acts as its predicted class: as an index, in a format, in a comparison with a number.

    It is always true, also for class 0.
    """

    predicted: int

    def __int__(self) -> int:
        return self.predicted

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            names = [item.name for item in fields(self)]  # type: ignore[arg-type]
            return all(getattr(self, name) == getattr(other, name) for name in names)
        return isinstance(other, (Number, np.number)) and self.predicted == other

    def __hash__(self) -> int:
        return hash(self.predicted)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return str(self.predicted)


class PredictedClasses(np.lib.mixins.NDArrayOperatorsMixin, ABC):
    """A sequence that acts as its int64 array of predicted classes; `results == 3` is an array of bools."""

    @property
    @abstractmethod
    def predicted(self) -> np.ndarray:
        """The predicted classes: int64 [N]."""

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the array of predicted classes is always a new one; leave out copy=False")
        predicted = self.predicted
        return predicted if dtype is None else predicted.astype(dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [value.predicted if isinstance(value, PredictedClasses) else value for value in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    __hash__ = None  # type: ignore[assignment]  # as for an array, == compares element by element

    def __contains__(self, value: object) -> bool:
        return value in self.tolist()

    def index(self, value: Any, start: int = 0, stop: Optional[int] = None) -> int:
        """Return the first index of this class. Raises ValueError if there is none."""
        return self.tolist().index(value, start, len(self.predicted) if stop is None else stop)

    def count(self, value: Any) -> int:
        """Return the number of images with this class."""
        return self.tolist().count(value)

    @property
    def shape(self) -> Tuple[int]:
        """Shape of the array: (number of images,)."""
        return (len(self.predicted),)

    @property
    def ndim(self) -> int:
        """Number of axes: 1."""
        return 1

    @property
    def size(self) -> int:
        """Number of images."""
        return len(self.predicted)

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the array: int64."""
        return np.dtype(np.int64)

    def astype(self, dtype: Any) -> np.ndarray:
        """Return the predicted classes as an array [N] of another dtype."""
        return self.predicted.astype(dtype)

    def tolist(self) -> List[int]:
        """Return the predicted classes as plain ints."""
        classes: List[int] = self.predicted.tolist()
        return classes
