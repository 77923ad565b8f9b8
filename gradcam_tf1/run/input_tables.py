"""Read tables of values for further inputs, and parse values from text. No TensorFlow here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Mapping, Optional, Sequence, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.run.tables import normal, read_table

_WORDS = re.compile(r"[\w.+-][\w.+ /-]*")
_MAX_AXES = 32  # limit of numpy
_SHOWN = 200  # characters in a message
_ELEMENT = re.compile(r"(.+)\[(\d{1,6})\]")


@dataclass(frozen=True)
class Column:
    """The values of one input in a table.

    Attributes
    ----------
    path : str
        Path of the table.
    values : mapping
        Image as written in the table -> (line, value).
    """

    path: str
    values: Mapping[str, Tuple[int, Any]] = field(repr=False)


def read_input_table(path: str) -> Dict[str, Column]:
    """Read a CSV file with a header.

    The first column names the images, as in a class file. The header of each other column is the name of a tensor. A
    list is one cell, [0.5,0.5], or several columns NAME[0], NAME[1]. An empty cell is a missing value.

    Returns
    -------
    dict
        Tensor name -> Column.

    Raises
    ------
    OptionError
        If a line does not fit; the message names it.
    OSError
        If the file cannot be read.
    """
    rows = read_table(path)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    if len(header) < 2 or not all(header[1:]) or len(rows) < 2:
        raise OptionError(f"{path!r} needs a header, a column of files and one column for each tensor, as in file,age")
    columns_of = _columns(path, header[1:])
    lines: Dict[str, int] = {}
    values: Dict[str, Dict[str, Tuple[int, Any]]] = {name: {} for name in columns_of}
    for number, row in rows[1:]:
        image, cells = row[0].strip(), [cell.strip() for cell in row[1:]]
        if not image or len(cells) != len(header) - 1:
            raise OptionError(f"{path!r}, line {number}: expected {len(header)} cells, {', '.join(header)}, got {row}")
        if normal(image) in lines:
            raise OptionError(
                f"{path!r}, line {number}: {image!r} already has values in line {lines[normal(image)]}; remove one line"
            )
        lines[normal(image)] = number
        for name, columns in columns_of.items():
            values[name][image] = number, _value(path, number, [cells[column] for column in columns.values()], columns)
    return {name: Column(path, column) for name, column in values.items()}


def _columns(path: str, names: Sequence[str]) -> Dict[str, Dict[Optional[int], int]]:
    """Return tensor name -> index in its list, None for a complete value -> number of the column."""
    columns_of: Dict[str, Dict[Optional[int], int]] = {}
    for column, text in enumerate(names):
        match = _ELEMENT.fullmatch(text)
        name, index = (match.group(1), int(match.group(2))) if match else (text, None)
        if index in columns_of.setdefault(name, {}):
            raise OptionError(f"{path!r} has two columns {text!r}; remove or rename one")
        columns_of[name][index] = column
    for name, columns in columns_of.items():
        if set(columns) not in ({None}, set(range(len(columns)))):
            raise OptionError(f"{path!r}: the columns of {name!r} are not {name}[0] to {name}[{len(columns) - 1}]")
        columns_of[name] = {index: columns[index] for index in sorted(columns, key=lambda index: index or 0)}
    return columns_of


def _value(path: str, number: int, cells: Sequence[str], columns: Mapping[Optional[int], int]) -> Any:
    """Return the value of the cells; None if one is empty."""
    if not all(cells):
        return None
    try:
        values = [value_or_text(cell) for cell in cells]
    except OptionError as error:
        raise OptionError(f"{path!r}, line {number}: {error}") from error
    return values[0] if None in columns else values


def feed_value(text: str) -> Any:
    """Parse a bool (true, false), a number, or a list of these in brackets. Raises OptionError for anything else."""
    value = next(_read_as(text), None)
    if not _is_value(value, (bool, int, float)):
        shown = repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
        raise OptionError(
            f"{shown} is not a value to feed; possible: true, false, a number, a list such as [0.6,0.7] (nested up to "
            f'{_MAX_AXES} deep), and for inputs of strings a word or a "text" in quotes'
        )
    return value


def value_or_text(text: str) -> Any:
    """Parse a `feed_value`, a word, a text in quotes, or a list of texts in quotes. Raises OptionError."""
    value = text if _WORDS.fullmatch(text) else _read_json(text)
    try:
        return feed_value(text)
    except OptionError:
        if not _is_value(value, (str,)):
            raise
    return value


def _read_as(text: str) -> Iterator[Any]:
    """Yield the possible readings of a text as JSON and as a float."""
    value = _read_json(text.lower())
    if value is not None:
        yield value
    try:
        yield float(text)
    except ValueError:
        return


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_value(value: Any, kinds: Tuple[type, ...], axes: int = _MAX_AXES) -> bool:
    if isinstance(value, list):
        return axes > 0 and bool(value) and all(_is_value(item, kinds, axes - 1) for item in value)
    return isinstance(value, kinds)
