"""Files that say something of each image: lines of CSV, and names that stand for images. No TensorFlow here."""

from __future__ import annotations

import csv
import os
import re
from typing import Any, Dict, Iterable, List, Sequence, Tuple

from gradcam_tf1.errors import OptionError

_SHOWN = 8


def read_table(path: str) -> List[Tuple[int, List[str]]]:
    """(line, cells) of every filled line; commas, semicolons or tabs between the cells.

    Raises: OptionError where it is no such text; OSError.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
    except UnicodeDecodeError as error:
        raise OptionError(f"{path!r} is not a text file in UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise OptionError(f"{path!r}, line {reader.line_num}: {error}") from error


def by_name(listing: Sequence[Any]) -> Dict[str, List[Any]]:
    """Every image under its relative path and, where no image has that for its path, under its file name."""
    places = {normal(file.relative): [file] for file in listing}
    named: Dict[str, List[Any]] = {}
    for file in listing:
        named.setdefault(normal(file.relative).rsplit("/", 1)[-1], []).append(file)
    return {**named, **{normal(file.path): [file] for file in listing}, **places}


def only_one(path: str, number: int, image: str, files: Sequence[Any]) -> None:
    """Raises: OptionError where a line's name is that of several images."""
    if len(files) > 1:
        raise OptionError(
            f"{path!r}, line {number}: {image!r} is the name of {len(files)} images, "
            f"{listed(file.relative for file in files)}; write the path from the listed folder"
        )


def of_same_names(files: Sequence[Any], listing: Sequence[Any]) -> List[List[str]]:
    """For each image of the listing the files of its path or else of its name, whatever their extensions."""
    by_stem: Dict[str, List[str]] = {}
    for file in files:
        by_stem.setdefault(stem(file.relative), []).append(file.path)
    stems = [stem(file.relative) for file in listing]
    return [by_stem.get(each) or by_stem.get(each.rsplit("/", 1)[-1]) or [] for each in stems]


def normal(path: str) -> str:
    """With "/" between folders, and no "./" in front."""
    return re.sub(r"^(\./)+", "", path.replace(os.sep, "/"))


def stem(relative: str) -> str:
    """The path without its extension."""
    return os.path.splitext(relative)[0]


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    shown = list(names)
    rest = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(map(repr, shown[:_SHOWN])) + rest
