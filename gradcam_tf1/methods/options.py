"""An option of a method: its name, its default and the values it can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError

MAX_SEED = 2**32 - 1  # of numpy's generator
MOST_FACTOR = 1_000_000  # float32 has such multiples of any usual score
MOST_RUNS = 1_000_000  # samples, steps or masks of one image: some hours of a fast net
_NUMBERS: Dict[type, Tuple[type, ...]] = {int: (int, np.integer), float: (int, float, np.integer, np.floating)}
_WORDS: Dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}


@dataclass(frozen=True)
class Option:
    """One option of a method.

    Attributes
    ----------
    name : str
        The keyword of the function that computes the method.
    default : Any
        Its value unless another one is given. None means that the method chooses it for the net.
    low, high : float, optional
        Smallest and largest number, both possible.
    above, below : float, optional
        Bounds that are not possible themselves.
    choices : tuple of str
        The names that are possible; () where the option takes no name.
    kind : type, optional
        bool, int, float or str; by default the type of `default`. `object` takes any value that is not a name: the
        function itself checks it.
    for_images : tuple of str
        Those of `choices` that mean an image, so that signals and volumes cannot have them.
    for_arrays : Any
        The default for signals and volumes, where `default` is one of `for_images`.
    others : str
        What an option of kind `object` takes besides `choices`, in words.
    """

    name: str
    default: Any
    low: Optional[float] = None
    high: Optional[float] = None
    above: Optional[float] = None
    below: Optional[float] = None
    choices: Tuple[str, ...] = ()
    kind: Optional[type] = None
    for_images: Tuple[str, ...] = ()
    for_arrays: Any = None
    others: str = "a number or an array"

    def is_image(self, value: Any) -> bool:
        """Return whether a value means an image, which signals and volumes cannot have."""
        return isinstance(value, str) and value in self.for_images

    def reads_file(self, value: Any) -> bool:  # noqa: ARG002
        """Return whether a value is the path of a file; other people's values may not be."""
        return False

    def opened(self, value: Any, files: Dict[str, Any]) -> Any:  # noqa: ARG002
        """Return the value for all images of one question: files are read once, and kept in `files` by their path."""
        return value

    def check(self, method: str, value: Any) -> None:
        """Refuse a value that the option cannot have.

        Raises
        ------
        OptionError
            With the possible values.
        """
        if value is None and self.default is None:
            return
        if not (self._has_kind(value) and self._is_within(value)):
            raise OptionError(
                f"{method}.{self.name} is {self.possible()}, not {value!r}; its default is {self.default!r}"
            )

    def possible(self) -> str:
        """What values the option can have, in words."""
        if self.choices:
            others = f", or {self.others}" if self._kind is object else ""
            return f"one of {', '.join(self.choices)}{others}"
        bounds = (("at least", self.low), ("above", self.above), ("at most", self.high), ("below", self.below))
        limits = " and ".join(f"{word} {_number(bound)}" for word, bound in bounds if bound is not None)
        return f"{_WORDS.get(self._kind, 'a value')} {limits}".rstrip()

    @property
    def _kind(self) -> type:
        return type(self.default) if self.kind is None else self.kind

    def _has_kind(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._kind in (str, object)
        is_bool = isinstance(value, (bool, np.bool_))
        if is_bool:
            return self._kind in (bool, object)
        return self._kind is object or isinstance(value, _NUMBERS.get(self._kind, ()))

    def _is_within(self, value: Any) -> bool:
        if isinstance(value, str):
            return not self.choices or value in self.choices
        if self._kind is float and not np.isfinite(value):
            return False
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def _number(bound: float) -> str:
    """Return a bound as it can be typed: whole numbers with all digits."""
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def check_options(method: str, options: Sequence[Option], given: Mapping[str, Any]) -> None:
    """Refuse unknown options and values that an option cannot have.

    Raises
    ------
    OptionError
        With the options of the method, or the possible values.
    """
    known = {option.name: option for option in options}
    unknown = [name for name in given if name not in known]
    if unknown:
        possible = ", ".join(f"{option.name}={option.default!r}" for option in options) or "no options"
        raise OptionError(f"{method} does not take {', '.join(map(repr, unknown))}; it takes {possible}")
    for name, value in given.items():
        known[name].check(method, value)
