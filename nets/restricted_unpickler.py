"""Reads pickles of unknown origin: numpy arrays and plain containers; everything else is refused by name.

A pickle is a program: it may ask for any function of any module. Here each request is looked up in a table of
stand-ins, which only take down what they are given; not even numpy's own unpickling code runs on the file's data.
"""

from __future__ import annotations

import codecs
import functools
import pickle
from typing import IO, Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import WeightsError

Admitted = Mapping[Tuple[str, str], Callable[..., Any]]

_NUMERIC_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_BYTE_ORDERS = ("<", ">", "=", "|")
# What damaged pickles were seen to raise inside the unpickler.
_DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
           OverflowError, MemoryError, UnicodeError, ImportError, RecursionError)  # fmt: skip


class PickledDtype:
    """Stand-in for a pickled numpy.dtype: its letter code ("f4") and byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: tuple) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype:
        """The numeric dtype. Raises WeightsError for objects, records, strings."""
        if self.code not in _NUMERIC_CODES or self.order not in _BYTE_ORDERS:
            raise WeightsError(f"an array of dtype {self.code!r:.40} is not an array of numbers")
        return np.dtype(self.code).newbyteorder(self.order)


class PickledArray:
    """Stand-in for a pickled numpy.ndarray: keeps the state (version, shape, dtype, fortran order, bytes)."""

    def __init__(self, *_: Any) -> None:
        self.state: Optional[tuple] = None

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def only_item(self) -> Any:
        """What an object array of one item holds. Raises WeightsError for any other array."""
        items = self.state[4] if isinstance(self.state, tuple) and len(self.state) == 5 else None
        if not isinstance(items, list) or len(items) != 1:
            raise WeightsError("expected an object array that holds one dict")
        return items[0]

    def array(self) -> np.ndarray:
        """The array itself, float32. Raises WeightsError if shape, dtype and bytes do not belong together."""
        if not isinstance(self.state, tuple) or len(self.state) != 5 or not isinstance(self.state[2], PickledDtype):
            raise WeightsError("a pickled array has no shape, dtype and data")
        _, shape, dtype, fortran, data = self.state
        data = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(data, (bytes, bytearray)):
            raise WeightsError("a pickled array holds objects instead of numbers")
        numeric = dtype.dtype()
        try:
            array = np.frombuffer(data, numeric).reshape(shape, order="F" if fortran else "C")
        except (ValueError, TypeError) as error:
            raise WeightsError(f"a pickled array of shape {shape} and dtype {numeric} has {len(data)} bytes") from error
        return np.ascontiguousarray(array, np.float32)


class _NdarrayClass:
    """Stand-in for the class numpy.ndarray, which pickles only pass on to `_reconstruct`."""


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """codecs.encode as Python 3 uses it to write bytes into old protocols; other codecs could decompress bombs."""
    if encoding not in ("latin1", "latin-1"):
        raise WeightsError(f"the pickle asks for codecs.encode with {encoding!r}: refused")
    return codecs.encode(text, "latin1")


def _numpy_names() -> Dict[Tuple[str, str], Callable[..., Any]]:
    names: Dict[Tuple[str, str], Callable[..., Any]] = {
        ("numpy", "ndarray"): _NdarrayClass,
        ("numpy", "dtype"): PickledDtype,
        ("_codecs", "encode"): _encode,
        ("codecs", "encode"): _encode,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        names[module, "_reconstruct"] = PickledArray
        names[module, "scalar"] = PickledArray  # may stand beside the arrays, is never read
    return names


NUMPY_NAMES = _numpy_names()


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows the names in `admitted` and no other.

    persistent: called with each persistent id (torch refers to its storages so); None refuses them.
    Strings written by Python 2 are read as latin1.
    """

    def __init__(
        self, stream: IO[bytes], source: str, admitted: Admitted, persistent: Optional[Callable[[Any], Any]] = None
    ) -> None:
        super().__init__(stream, encoding="latin1")
        self._source = source
        self._admitted = admitted
        self._persistent = persistent

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; called by `load`. Raises WeightsError for names that are not admitted."""
        if (module, name) not in self._admitted:
            raise WeightsError(f"{self._source}: the pickle asks for {module}.{name}: refused")
        # A new object each time: a pickle can set attributes of what it gets, and those must not outlive it.
        return functools.partial(self._admitted[module, name])

    def persistent_load(self, pid: Any) -> Any:
        """What a persistent id stands for; called by `load`. Raises WeightsError where there are to be none."""
        if self._persistent is None:
            raise WeightsError(f"{self._source}: the pickle asks for data outside itself: refused")
        return self._persistent(pid)

    def read(self) -> Any:
        """The next object of the stream. Raises WeightsError for refused names and damaged data."""
        try:
            return self.load()
        except WeightsError as error:
            raise _named(self._source, error) from error
        except _DAMAGE as error:
            raise WeightsError(f"{self._source} is damaged or not a pickle: {error}") from error


def _named(source: str, error: WeightsError) -> WeightsError:
    return error if source in str(error) else WeightsError(f"{source}: {error}")
