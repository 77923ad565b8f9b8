"""Read pickles of unknown origin: numpy arrays and plain containers; everything else is refused by name.

A pickle is a program that may call any function of any module. Here each name is looked up in a table of stand-ins,
which only store their arguments. Not even numpy's own unpickling code runs on the data of the file.
"""

from __future__ import annotations

import codecs
import functools
import pickle
from typing import IO, Any, Callable, Dict, Mapping, Optional, Tuple, cast

import numpy as np

from gradcam_tf1.errors import WeightsError

Admitted = Mapping[Tuple[str, str], Callable[..., Any]]  # (module, name) -> stand-in

_NUMERIC_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_BYTE_ORDERS = ("<", ">", "=", "|")
# Errors that damaged pickles raise inside the unpickler.
_DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError,
           OverflowError, MemoryError, UnicodeError, ImportError, RecursionError)  # fmt: skip


class PickledDtype:
    """Stand-in for a pickled numpy.dtype: its letter code ("f4") and byte order."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = str(code)
        self.order = "="

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype:
        """Return the numeric dtype. Raises WeightsError for objects, records and strings."""
        if self.code not in _NUMERIC_CODES or self.order not in _BYTE_ORDERS:
            raise WeightsError(f"an array of dtype {self.code!r:.40} is not an array of numbers")
        return np.dtype(self.code).newbyteorder(cast(Any, self.order))


class PickledArray:
    """Stand-in for a pickled numpy.ndarray: keeps the state (version, shape, dtype, fortran order, bytes)."""

    def __init__(self, *_: Any) -> None:
        self.state: Optional[Tuple[Any, ...]] = None

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        self.state = state

    def only_item(self) -> Any:
        """Return the item of an object array with one item. Raises WeightsError for any other array."""
        items = self.state[4] if isinstance(self.state, tuple) and len(self.state) == 5 else None
        if not isinstance(items, list) or len(items) != 1:
            raise WeightsError("expected an object array that holds one dict")
        return items[0]

    def array(self) -> np.ndarray:
        """Return the array as float32. Raises WeightsError if shape, dtype and bytes do not fit together."""
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
    """Stand-in for the class numpy.ndarray, which pickles only pass to `_reconstruct`."""


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand-in for codecs.encode, by which old protocols store bytes; other codecs could unpack a zip bomb."""
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
        names[module, "scalar"] = PickledArray  # may occur beside the arrays, is not read
    return names


NUMPY_NAMES = _numpy_names()


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows only the admitted names. Strings written by Python 2 are read as latin1.

    Parameters
    ----------
    stream : binary file
        The pickle.
    source : str
        The file, for messages.
    admitted : mapping
        (module, name) -> stand-in for the function or class.
    persistent : callable, optional
        Persistent id -> its object (torch refers to storages so); None refuses persistent ids.
    constants : mapping, optional
        (module, name) -> string that stands for a name which is not called.
    """

    def __init__(
        self,
        stream: IO[bytes],
        source: str,
        admitted: Admitted,
        persistent: Optional[Callable[[Any], Any]] = None,
        constants: Optional[Mapping[Tuple[str, str], str]] = None,
    ) -> None:
        super().__init__(stream, encoding="latin1")
        self._source = source
        self._admitted = admitted
        self._persistent = persistent
        self._constants = constants or {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name; `load` calls this. Raises WeightsError for names that are not admitted."""
        if (module, name) in self._constants:
            return self._constants[module, name]
        if (module, name) not in self._admitted:
            raise WeightsError(f"{self._source}: the pickle asks for {module}.{name}: refused")
        # A new object each time: a pickle can set attributes of it, which must not last.
        return functools.partial(self._admitted[module, name])

    def persistent_load(self, pid: Any) -> Any:
        """Return the object of a persistent id; `load` calls this. Raises WeightsError if ids are refused."""
        if self._persistent is None:
            raise WeightsError(f"{self._source}: the pickle needs data outside itself: refused")
        return self._persistent(pid)

    def read(self) -> Any:
        """Return the next object of the stream. Raises WeightsError for refused names and damaged data."""
        try:
            return self.load()
        except WeightsError as error:
            raise _named(self._source, error) from error
        except _DAMAGE as error:
            raise WeightsError(f"{self._source} is damaged or not a pickle: {error}") from error


def _named(source: str, error: WeightsError) -> WeightsError:
    return error if source in str(error) else WeightsError(f"{source}: {error}")
