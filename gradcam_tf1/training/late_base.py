"""Classes that inherit from TensorFlow only when an object is made: importing them imports no TensorFlow."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=None)
def with_base(cls: type, base: type) -> type:
    """Return a subclass of both classes under the name of the first; `cls` itself where it has the base.

    Estimators accept only objects of TensorFlow's own hook and listener classes.
    """
    if issubclass(cls, base):
        return cls
    return type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__doc__": cls.__doc__})
