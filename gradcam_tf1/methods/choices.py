"""Which methods to compute, with their options: from what people write to checked names and values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.catalogue import METHOD_GROUPS, METHODS, names
from gradcam_tf1.methods.options import check_options

ChosenMethods = Dict[str, Dict[str, Any]]


@dataclass(frozen=True, eq=False, repr=False)
class MethodChoice:
    """A method or a group with options. Made by `method`; usable wherever a method name is taken.

    Attributes
    ----------
    name : str
        Of METHODS or METHOD_GROUPS.
    given : tuple of (str, Any)
        The options that were given, sorted by name. A choice can be hashed where their values can.
    """

    name: str
    given: Tuple[Tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        for member in _members(self.name):
            check_options(member, METHODS[member].options, self.options)

    @property
    def options(self) -> Dict[str, Any]:
        """The given options by name."""
        return dict(self.given)

    def __repr__(self) -> str:
        return f"method({', '.join([repr(self.name), *(f'{name}={value!r}' for name, value in self.given)])})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MethodChoice):
            return NotImplemented
        return self.name == other.name and _are_same(self.options, other.options)

    def __hash__(self) -> int:
        return hash((self.name, self.given))


def method(name: str, **options: Any) -> MethodChoice:
    """Choose a method with options, as in `method("rise", masks=500)`.

    Parameters
    ----------
    name : str
        Of METHODS or METHOD_GROUPS; the options of a group are those of each member.
    **options : Any
        Options of the method; the others have their defaults.

    Raises
    ------
    OptionError
        If there is no such method or option, or a value is of another type or out of bounds.
    """
    return MethodChoice(name, tuple(sorted(options.items(), key=lambda item: item[0])))


Methods = Union[str, MethodChoice, Sequence[Union[str, MethodChoice]], Mapping[str, Mapping[str, Any]]]


def choose_methods(given: Methods) -> ChosenMethods:
    """Return method name -> its given options: groups replaced by their members, each method once, in order.

    Parameters
    ----------
    given : str, MethodChoice, sequence of these, or mapping
        The methods; a mapping is what this function returns.

    Raises
    ------
    OptionError
        If a method or an option does not exist, a value has the wrong type or is out of bounds, or a method comes twice
        with different options.
    """
    chosen: ChosenMethods = {}
    for choice in _choices(given):
        for member in _members(choice.name):
            taken = METHODS[member]
            if member in chosen and not _are_same(taken.filled(chosen[member]), taken.filled(choice.options)):
                raise OptionError(f"{member} is given twice with different options; explain each on its own")
            chosen.setdefault(member, choice.options)
    if not chosen:
        raise OptionError(f"no method is given; possible: {', '.join(names())}")
    return chosen


def opened_methods(chosen: ChosenMethods) -> ChosenMethods:
    """Return the methods for one question: files that their options name are read once for all of its images."""
    files: Dict[str, Any] = {}
    opened: ChosenMethods = {name: dict(given) for name, given in chosen.items()}
    for name, given in opened.items():
        for option in METHODS[name].options:
            if option.name in given:
                given[option.name] = option.opened(given[option.name], files)
    return opened


def _choices(given: Methods) -> List[MethodChoice]:
    if isinstance(given, (str, MethodChoice)):
        given = [given]
    elif isinstance(given, Mapping):
        return [method(name, **options) for name, options in _by_method(given).items()]
    if not isinstance(given, (list, tuple, set)):
        raise OptionError(f"methods are {given!r}; give a name or a list of these: {', '.join(names())}")
    return [choice if isinstance(choice, MethodChoice) else method(choice) for choice in given]


def _members(name: Any) -> Tuple[str, ...]:
    """Return the methods of a group, or the method itself."""
    members = METHOD_GROUPS.get(name, (name,)) if isinstance(name, str) else (name,)
    for member in members:
        if not isinstance(member, str) or member not in METHODS:
            raise OptionError(f"no method {member!r}; possible: {', '.join(names())}")
    return members


def _by_method(options: Any) -> Mapping[str, Mapping[str, Any]]:
    """Refuse what is not method -> its options by name."""
    if options is None:
        return {}
    parts = [options, *options.values()] if isinstance(options, Mapping) else [None]
    if not all(isinstance(part, Mapping) for part in parts):
        raise OptionError(
            f"methods are {options!r}; give names, or method -> its options: {{'rise': {{'masks': 500}}}}"
        )
    return dict(options)


def _are_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return set(first) == set(second) and all(_is_same(first[name], second[name]) for name in first)


def _is_same(first: Any, second: Any) -> bool:
    """Whether two values are equal; arrays are equal where all their values are."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return not isinstance(first, str) and not isinstance(second, str) and np.array_equal(first, second)
    return bool(first == second)
