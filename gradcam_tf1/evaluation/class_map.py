"""Which classes of a net do names of objects mean? By a map, or by the names themselves. No TensorFlow here."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.evaluation.coco_boxes import read_json
from gradcam_tf1.labels import BACKGROUND_NAMES, MAX_ID, Labels
from gradcam_tf1.report.truth import ClassNames
from gradcam_tf1.run.tables import listed

MAX_MAP_BYTES = 10_000_000
_RANGE = re.compile(r"(\d{1,6})\s*-\s*(\d{1,6})")

ClassMap = Mapping[str, Any]


@dataclass(frozen=True)
class NetClasses:
    """The classes of a net.

    Attributes
    ----------
    count : int or None
        Their number; 1 for one logit, which means two classes.
    labels : Labels or None
        Their names.
    background : bool
        Whether class 0 is a background class.
    """

    count: Optional[int] = None
    labels: Optional[Labels] = None
    background: bool = False

    @property
    def last(self) -> int:
        """Highest class id."""
        return MAX_ID if self.count is None else max(self.count, 2) - 1


def ids_of_names(
    names: Iterable[str], classes: NetClasses, given: Union[ClassMap, str, None] = None
) -> Tuple[Dict[str, FrozenSet[int]], List[str]]:
    """Return the class ids that each name of an object means, and sentences for the user.

    Ids in a map count without a background class, as ImageNet's 0..999 do. A net with a background class has them one
    higher, unless the map itself names a background class.

    Parameters
    ----------
    names : iterable of str
        Names of objects.
    classes : NetClasses
        Of the net.
    given : mapping, str or None
        Name -> class id, name of a class, range such as "151-268" (both included), or a list of these; or the path of a
        JSON file with this. None: the names are those of the net's classes, whatever their case.

    Returns
    -------
    ids : dict
        Name -> ids, maybe none.
    notes : list of str
        What was assumed, and the names that mean no class.

    Raises
    ------
    OptionError
        If the map cannot be read, names a class that the net does not have, or no name means a class.
    """
    names = sorted(set(names))
    if given is None:
        ids, notes = _by_their_names(names, classes), []
    else:
        content = _content(given)
        shift = _shift(content, classes)
        found = {_plain(name): _ids(name, value, classes, shift) for name, value in content.items()}
        ids = {name: found.get(_plain(name), frozenset()) for name in names}
        notes = [f"the net has a background class, so the ids of the class map are raised by {shift}"] if shift else []
    without = [name for name in names if not ids[name]]
    if names and len(without) == len(names):
        way = 'give labels, or a class map: {"dog": [151]}' if given is None else "add them to the class map"
        raise OptionError(f"none of the marked objects ({listed(names)}) is a class of the net; {way}")
    if without:
        notes.append(f"objects that are no class of the net, and are left out: {listed(without)}")
    return ids, notes


def _content(given: Union[ClassMap, str]) -> ClassMap:
    content: Any = given
    if isinstance(given, (str, os.PathLike)):
        content = read_json(os.path.expanduser(given), MAX_MAP_BYTES)
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise OptionError(
            f'a class map is name -> class ids, as in {{"dog": [151, 152], "cat": "281-285"}}, not {given!r}'
        )
    return content


def _shift(content: ClassMap, classes: NetClasses) -> int:
    named = any(_plain(name) in BACKGROUND_NAMES for name in content)
    return 1 if classes.background and not named else 0


def _ids(name: str, value: Any, classes: NetClasses, shift: int) -> FrozenSet[int]:
    parts = value if isinstance(value, (list, tuple)) else [value]
    ids = frozenset(class_id for part in parts for class_id in _ids_of_part(name, part, classes, shift))
    beyond = sorted(class_id - shift for class_id in ids if class_id > classes.last)
    if beyond:
        raise OptionError(
            f"the class map gives {name!r} the class {beyond[0]}; the last class of the net is {classes.last - shift}"
        )
    return ids


def _ids_of_part(name: str, part: Any, classes: NetClasses, shift: int) -> Sequence[int]:
    if isinstance(part, (int, np.integer)) and not isinstance(part, bool) and 0 <= part <= MAX_ID:
        return [int(part) + shift]
    if isinstance(part, str) and part.strip():
        match = _RANGE.fullmatch(part.strip())
        if match and int(match.group(1)) <= int(match.group(2)) <= MAX_ID:
            return range(int(match.group(1)) + shift, int(match.group(2)) + shift + 1)
        if classes.labels is not None:
            try:
                return classes.labels.ids(part)
            except TargetError as error:
                raise OptionError(f"the class map, {name!r}: {error}") from error
    raise OptionError(
        f'the class map has {str(part)[:60]!r} for {name!r}; write class ids, ranges such as "151-268", or, for a net '
        "with labels, names of its classes"
    )


def _by_their_names(names: Sequence[str], classes: NetClasses) -> Dict[str, FrozenSet[int]]:
    labels = classes.labels
    numbers = range(0 if labels is None else len(labels.names) + labels.offset)
    finder = ClassNames({"class_names": None if labels is None else [labels.full_name(number) for number in numbers]})
    found = ((name, finder.find(name)) for name in names)
    return {name: frozenset() if class_id is None else frozenset([class_id]) for name, class_id in found}


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
