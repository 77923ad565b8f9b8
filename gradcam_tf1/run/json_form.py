"""Whether a value read from JSON has the form that this version writes; somebody may have changed the file."""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping

Check = Callable[[Any], bool]
_MOST = 2**53  # larger numbers are not exact in a browser


def is_text(value: Any) -> bool:
    """Whether it is a text."""
    return isinstance(value, str)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number that a browser knows exactly."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MOST


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def is_flag(value: Any) -> bool:
    """Whether it is true or false."""
    return isinstance(value, bool)


def or_none(check: Check) -> Check:
    """Return the check that also lets null pass."""
    return lambda value: value is None or check(value)


def one_of(*possible: Any) -> Check:
    """Return the check for one of these values."""
    return lambda value: value in possible


def list_of(check: Check) -> Check:
    """Return the check for a list whose items pass."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def has(checks: Mapping[str, Check]) -> Check:
    """Return the check for an object that has each of these keys, with a value that passes; it may have others."""
    return lambda value: (
        isinstance(value, dict) and all(name in value and check(value[name]) for name, check in checks.items())
    )
