"""Class names: read label files of every usual form, and map ids to names and names to ids. No TensorFlow here."""

from __future__ import annotations

import ast
import contextlib
import csv
import difflib
import io
import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Type

from gradcam_tf1.errors import OptionError, TargetError

MAX_BYTES = 10_000_000
MAX_ID = 100_000
FORMS = (
    "one name per line; 'n01440764 tench' lines; '0:tench' or '0 tench' lines; CSV with a header; "
    'a Python dict {0: \'tench\'}; JSON {"0": "tench"}, {"0": ["n01440764", "tench"]}, {"tench": 0} or a list'
)
BACKGROUND_NAMES = ("background", "dummy", "unknown", "class 0")

_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")
_ID_AND_SEPARATOR = re.compile(r"\s*(\d{1,9})\s*[:;,\t]\s*(.*\S)")
_ID_AND_SPACE = re.compile(r"\s*(0|[1-9]\d{0,8})\s+(\S.*)")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_NAME_COLUMNS = re.compile("name|label|class|categor|sign|descri", re.IGNORECASE)


def read_labels(path: str) -> List[str]:
    """Read the class names of a label file in one of `FORMS`.

    Synonyms stay in one name ("tench, Tinca tinca"). A number before a space is an id only if such numbers rise through
    the file and have no leading zeros. Otherwise the id is the line's index, as in "161 photocopier" of retrained nets.

    Returns
    -------
    list of str
        The names by class id; an id that the file does not name is called "class 7".

    Raises
    ------
    OptionError
        If the file cannot be read; the message lists the possible forms.
    """
    try:
        return _parse(_read_text(path), path)
    except _BadLabels as error:
        raise OptionError(f"label file {path!r} {error}; label files that can be read: {FORMS}") from error


def label_names(source: Any) -> Optional[List[str]]:
    """Return the names of a `labels` argument: a label file, names by class id, or None. Raises OptionError."""
    if source is None:
        return None
    if isinstance(source, (str, os.PathLike)):
        return read_labels(os.path.expanduser(os.fspath(source)))
    items = list(source) if isinstance(source, Iterable) else [None]
    names = [name for name in items if isinstance(name, str)]
    if len(names) < len(items):
        raise OptionError(f"labels are {source!r}; give the path of a label file, or a list of class names")
    return names


def check_class_count(nb_classes: object) -> None:
    """Raise OptionError if `nb_classes` is neither None nor a number of classes."""
    if nb_classes is not None and not (isinstance(nb_classes, Integral) and int(nb_classes) > 0):
        raise OptionError(f"nb_classes is the number of classes, at least 1, not {nb_classes!r}")


class _BadLabels(ValueError):
    """The reason why a label file cannot be read."""


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _BadLabels(f"cannot be opened ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise _BadLabels(f"is larger than {MAX_BYTES:,} bytes")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not text.strip():
            raise _BadLabels("is empty")
        if not re.search(r"[\x00-\x08\x0e-\x1f\x7f]", text):
            return text
    raise _BadLabels("is not a text file")


def _parse(text: str, path: str) -> List[str]:
    if text.lstrip()[0] in "{[":
        return _from_literal(text.strip())
    if path.lower().endswith((".csv", ".tsv")):
        return _from_table(text)
    # str.splitlines also splits at characters that some names contain, which would shift all later ids.
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", text.rstrip())]
    filled = [line for line in lines if line]
    for pattern in (_ID_AND_SEPARATOR, _ID_AND_SPACE):
        matches = [match for match in map(pattern.fullmatch, filled) if match]
        if len(matches) < len(filled):
            continue
        pairs = [(int(match.group(1)), match.group(2)) for match in matches]
        if pattern is _ID_AND_SEPARATOR or all(a[0] < b[0] for a, b in zip(pairs, pairs[1:])):
            return _by_id(pairs)
    return _in_order(line.strip() for line in lines)


def _from_literal(text: str) -> List[str]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise _BadLabels("is nested too deeply") from error
    except ValueError:
        value = _python_literal(text)
    if isinstance(value, list):
        return _in_order(_name_of(item) for item in value)
    if value and all(isinstance(item, int) and not isinstance(item, bool) for item in value.values()):
        return _by_id((number, name) for name, number in value.items() if isinstance(name, str))
    return _by_id((_id_of(key), _name_of(item)) for key, item in value.items())


def _python_literal(text: str) -> Any:
    # Only strings, numbers and brackets: many operators in a row can overflow the stack of Python's parser.
    if not re.fullmatch(r"[\d\s{}\[\]():,u]*", _STRING.sub("", text)):
        raise _BadLabels("is neither JSON nor a plain Python dict or list")
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise _BadLabels("is neither JSON nor a plain Python dict or list") from error
    if not isinstance(value, (dict, list)):
        raise _BadLabels(f"holds a {type(value).__name__}, not a dict or a list")
    return value


def _id_of(key: object) -> int:
    if isinstance(key, int) or (isinstance(key, str) and re.fullmatch(r"\d{1,9}", key)):
        return int(key)
    raise _BadLabels(f"has {_short(key)} where a class id is expected")


def _name_of(item: object) -> str:
    """Return a name, or the name in a [synset, name] pair."""
    if isinstance(item, (list, tuple)) and len(item) == 2 and all(isinstance(part, str) for part in item):
        item = item[1]
    if not isinstance(item, str):
        raise _BadLabels(f"has {_short(item)} where a class name is expected")
    return item


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."


def _from_table(text: str) -> List[str]:
    dialect: Type[csv.Dialect] = csv.excel  # if there is one column only
    with contextlib.suppress(csv.Error):
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), dialect) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise _BadLabels(f"is not a table ({error})") from error
    rows = rows or [[]]
    width = min(map(len, rows))
    numeric = [all(row[column].strip().isdecimal() for row in rows[1:]) for column in range(width)]
    has_header = any(numeric[i] and not rows[0][i].strip().isdecimal() for i in range(width)) or (
        not any(numeric) and any(_NAME_COLUMNS.fullmatch(cell.strip()) for cell in rows[0])
    )
    body = rows[1:] if has_header else rows
    texts = [column for column in range(width) if not numeric[column]]
    if not texts or not body:
        raise _BadLabels("has no column of names")
    named = [column for column in texts if has_header and _NAME_COLUMNS.search(rows[0][column])]
    name = (named or texts)[0]
    if True not in numeric:
        return _in_order(row[name].strip() for row in body)
    number = numeric.index(True)
    return _by_id((int(row[number]), row[name].strip()) for row in body)


def _in_order(names: Iterable[str]) -> List[str]:
    return _by_id(enumerate(names))


def _by_id(pairs: Iterable[Tuple[int, str]]) -> List[str]:
    found: Dict[int, str] = {}
    for number, name in pairs:
        if not name:
            continue
        if number in found:
            raise _BadLabels(f"names class {number} twice: {found[number]!r} and {name!r}")
        if not 0 <= number <= MAX_ID:
            raise _BadLabels(f"has class id {number}; possible are 0 to {MAX_ID:,}")
        found[number] = _SYNSET.sub("", name, count=1) if _SYNSET.match(name) else name
    if not found:
        raise _BadLabels("holds no names")
    return [found.get(number, f"class {number}") for number in range(max(found) + 1)]


@dataclass(frozen=True)
class Labels:
    """Class names of one net: class id i is names[i - offset].

    Attributes
    ----------
    names : sequence of str
        The names in order, synonyms separated by commas.
    offset : int
        1 if the net has a background class that the names lack, -1 if the names have one that the net lacks, else 0.
    note : str
        A sentence about the background class for the user, or "".
    """

    names: Sequence[str]
    offset: int = 0
    note: str = ""
    _firsts: Dict[str, int] = field(init=False, repr=False, compare=False)  # how many have the same first synonym

    def __post_init__(self) -> None:
        object.__setattr__(self, "_firsts", Counter(_plain(name.split(",")[0]) for name in self.names))

    @classmethod
    def for_classes(cls, names: Sequence[str], classes: Optional[int], background: bool = False) -> Labels:
        """Fit names to a net, with or without a background class.

        Parameters
        ----------
        names : sequence of str
            The names by class id.
        classes : int or None
            The number of outputs of the net: None if unknown, 1 for one logit, which means two classes.
        background : bool
            Whether class 0 of the net is known to be background.

        Returns
        -------
        Labels
            The names, with the offset that fits.

        Raises
        ------
        OptionError
            If the numbers of names and classes do not fit.
        """
        expected = 2 if classes == 1 else classes
        if expected is None or len(names) == expected:
            return cls(names)
        if len(names) == expected - 1 and (background or expected == 1001):
            note = f"the net has {expected} classes and there are {len(names)} names: class 0 is taken as background"
            return cls(names, 1, note)
        if len(names) == expected + 1 and names[0].lower() in BACKGROUND_NAMES:
            note = f"{len(names)} names for {expected} classes: the first, {names[0]!r}, is left out"
            return cls(names, -1, note)
        raise OptionError(
            f"{len(names)} class names do not fit a net of {expected} classes; give the net's own label file"
        )

    def full_name(self, class_id: int) -> str:
        """Return all synonyms of a class as the file has them, or "class 17" for an id without a name."""
        index = class_id - self.offset
        if 0 <= index < len(self.names):
            return self.names[index]
        return "background" if class_id == 0 and self.offset == 1 else f"class {class_id}"

    def name(self, class_id: int) -> str:
        """Return the first synonym of a class, or the full name if another class has the same first synonym."""
        full = self.full_name(class_id)
        short = full.split(",")[0].strip()
        return short if short and self._firsts[_plain(short)] <= 1 else full

    def ids(self, text: str) -> List[int]:
        """Return the id of the class that a name means, as a list of one.

        It is found by its full name, else a synonym, else the only name that contains it, whatever the case.

        Raises
        ------
        TargetError
            If no class or several classes fit; the message lists similar names.
        """
        wanted = _plain(text)
        numbered = [(class_id, self.full_name(class_id)) for class_id in range(len(self.names) + self.offset)]
        tests: Tuple[Callable[[str], bool], ...] = (
            lambda name: _plain(name) == wanted,
            lambda name: _plain(name.split(",")[0]) == wanted,
            lambda name: wanted in [_plain(part) for part in name.split(",")],
            lambda name: re.search(rf"\b{re.escape(wanted)}\b", _plain(name)) is not None,
            lambda name: wanted in _plain(name),
        )
        for test in tests if wanted else ():
            matches = [(class_id, name) for class_id, name in numbered if test(name)]
            if len(matches) == 1:
                return [matches[0][0]]
            if matches:
                listed = _listed(matches)
                raise TargetError(f"{text!r} names {len(matches)} classes: {listed}; give one of these or its id")
        near = difflib.get_close_matches(wanted, [_plain(self.name(class_id)) for class_id, _ in numbered], 5, 0.5)
        hint = f"similar names: {', '.join(near)}" if near else f"the first names are {_listed(numbered[:5])}"
        raise TargetError(f"no class is named {text!r}; {hint}; or give a class id")


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())


def _listed(classes: Sequence[Tuple[int, str]]) -> str:
    shown = ", ".join(f"{class_id} {name!r}" for class_id, name in classes[:8])
    return shown + (", ..." if len(classes) > 8 else "")
