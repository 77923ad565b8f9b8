"""Which class of B is which class of A: by name if both have names, else by id. No TensorFlow here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.labels import Labels


@dataclass(frozen=True)
class ClassSide:
    """The classes of one model.

    Attributes
    ----------
    count : int
        Their number.
    labels : Labels or None
        Their names.
    background : bool
        Whether class 0 is known to be background.
    """

    count: int
    labels: Optional[Labels] = None
    background: bool = False

    def name(self, class_id: int) -> str:
        """Return what a class is called."""
        return f"class {class_id}" if self.labels is None else self.labels.name(class_id)


@dataclass(frozen=True)
class MatchedClasses:
    """The classes that both models have.

    Attributes
    ----------
    a, b : np.ndarray
        int64 [M], ids in A and in B: class a[m] of A is class b[m] of B.
    how : {"name", "id"}
        How they were matched.
    notes : tuple of str
        What is remarkable about it, in sentences.
    """

    a: np.ndarray
    b: np.ndarray
    how: str
    notes: Tuple[str, ...] = ()

    def in_b(self, class_a: int) -> Optional[int]:
        """Return the id in B of a class of A; None if B lacks it."""
        places = np.flatnonzero(self.a == class_a)
        return int(self.b[places[0]]) if places.size else None


def match_classes(a: ClassSide, b: ClassSide) -> MatchedClasses:
    """Match the classes of two models.

    With names on both sides, equal names match, whatever their order. A name that is there several times matches in
    the order of the ids. Otherwise equal ids match; a background class that only one model has is left out.

    Parameters
    ----------
    a, b : ClassSide
        The classes of the models.

    Returns
    -------
    MatchedClasses

    Raises
    ------
    OptionError
        If fewer than two names are common, or the numbers of classes differ and names are missing.
    """
    if a.labels is not None and b.labels is not None:
        return _by_name(a, b)
    notes = []
    if a.labels is not None or b.labels is not None:
        with_names = "A" if a.labels is not None else "B"
        notes.append(f"only {with_names} has class names, so classes are matched by id")
    if a.count == b.count:
        ids = np.arange(a.count)
        return MatchedClasses(ids, ids, "id", tuple(notes))
    larger, name = (a, "A") if a.count > b.count else (b, "B")
    if abs(a.count - b.count) == 1 and larger.background:
        first_a, first_b = int(name == "A"), int(name == "B")
        notes.append(f"class 0 of {name} is taken as background, which the other model lacks; the other ids shift by 1")
        return MatchedClasses(np.arange(first_a, a.count), np.arange(first_b, b.count), "id", tuple(notes))
    raise OptionError(
        f"A has {a.count} classes and B has {b.count}, so ids do not say which is which; give the class names of both "
        "models (--labels for A, --b-labels for B; labels= in Python)"
    )


def _by_name(a: ClassSide, b: ClassSide) -> MatchedClasses:
    """Match full names first, then first synonyms of what is left."""
    left_a, left_b = list(range(a.count)), list(range(b.count))
    pairs: List[Tuple[int, int]] = []
    repeated = 0
    for synonyms in (True, False):
        names_a, names_b = _ids(left_a, a, synonyms), _ids(left_b, b, synonyms)
        for name in names_a:
            ids_a, ids_b = names_a[name], names_b.get(name, [])
            if len(ids_a) == len(ids_b):
                pairs += zip(ids_a, ids_b)
                repeated += len(ids_a) > 1
        left_a = sorted({*left_a} - {pair[0] for pair in pairs})
        left_b = sorted({*left_b} - {pair[1] for pair in pairs})
    if len(pairs) < 2:
        raise OptionError(
            f"the class names of A and B have {'one name' if pairs else 'no name'} in common (A: {_few(a)}; B: "
            f"{_few(b)}); give each model its own label file (--labels for A, --b-labels for B), or leave both out to "
            "match by id"
        )
    notes = (
        [f"class names that are there several times are matched in the order of their ids: {repeated}"]
        if repeated
        else []
    )
    if left_a or left_b:
        notes.append(f"classes that the other model lacks: {len(left_a)} of A, {len(left_b)} of B")
    pairs.sort()
    ids = np.array(pairs, np.int64)
    return MatchedClasses(ids[:, 0], ids[:, 1], "name", tuple(notes))


def _ids(left: List[int], side: ClassSide, synonyms: bool) -> Dict[str, List[int]]:
    """Return the ids of each name, with all its synonyms or only the first."""
    found: Dict[str, List[int]] = defaultdict(list)
    for class_id in left:
        full = "" if side.labels is None else side.labels.full_name(class_id)
        text = full if synonyms else full.split(",")[0]
        found[" ".join(text.replace("_", " ").lower().split())].append(class_id)
    return found


def _few(side: ClassSide) -> str:
    return ", ".join(repr(side.name(class_id)) for class_id in range(min(3, side.count)))
