"""Read CSV files with a line per image, and match their names with images. No TensorFlow here."""

from __future__ import annotations

import csv
import os
import re
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import ImageFile
from gradcam_tf1.run.listing import Listed

_SHOWN = 8  # names in a message
_MOST_DIGITS = 18  # of a class id


def read_table(path: str) -> List[Tuple[int, List[str]]]:
    """Read a CSV file with commas, semicolons or tabs between the cells.

    Returns
    -------
    list
        (line number, cells) of every line that is not empty.

    Raises
    ------
    OptionError
        If the file cannot be read, or is not a text of this form.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            text = stream.read()
    except OSError as error:
        raise OptionError(f"{path!r} cannot be read: {error.strerror or error}; give a CSV file") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"{path!r} is not a text file in UTF-8; save it as CSV in UTF-8") from error
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise OptionError(f"{path!r}, line {reader.line_num}: {error}") from error


def by_name(listing: Sequence[Listed]) -> Dict[str, List[Listed]]:
    """Return name -> images of that name: relative paths, full paths, and file names that are not also paths."""
    relative = {normal(file.relative): [file] for file in listing}
    named: Dict[str, List[Listed]] = {}
    for file in listing:
        named.setdefault(normal(file.relative).rsplit("/", 1)[-1], []).append(file)
    return {**named, **{normal(file.path): [file] for file in listing}, **relative}


def only_one(path: str, number: int, image: str, files: Sequence[Listed]) -> None:
    """Raise OptionError if the name in a line is that of several images."""
    if len(files) > 1:
        raise OptionError(
            f"{path!r}, line {number}: {image!r} is the name of {len(files)} images, "
            f"{listed(file.relative for file in files)}; write the path below the listed folder"
        )


def of_same_names(files: Sequence[ImageFile], listing: Sequence[Listed]) -> List[List[str]]:
    """Return for each image the files with its path, or else with its name, whatever the extension."""
    by_stem: Dict[str, List[str]] = {}
    for file in files:
        by_stem.setdefault(stem(file.relative), []).append(file.path)
    stems = [stem(file.relative) for file in listing]
    return [by_stem.get(path) or by_stem.get(path.rsplit("/", 1)[-1]) or [] for path in stems]


def normal(path: str) -> str:
    """Return the path with "/" between folders and without a leading "./"."""
    return re.sub(r"^(\./)+", "", path.replace(os.sep, "/"))


def stem(relative: str) -> str:
    """Return the path without its extension."""
    return os.path.splitext(relative)[0]


def listed(names: Iterable[str]) -> str:
    """Return the first names, and the number of further ones, for messages."""
    shown = list(names)
    rest = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(map(repr, shown[:_SHOWN])) + rest


def as_class_id(text: str) -> Optional[int]:
    """Return the class id that a text of digits is; None for other texts, and for more digits than an id has."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None
