"""The files below a folder or of a pattern, one at a time and sorted; memory does not depend on how many there are."""

from __future__ import annotations

import fnmatch
import os
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from gradcam_tf1.images.file_names import is_image_name
from gradcam_tf1.images.own_outputs import is_output_folder
from gradcam_tf1.images.seen_names import Seen

# A folder of more entries is read several times, each time for the next so many names: 16 times for a million, at about
# a second each, in place of a list of a million names.
CHUNK = 1 << 16

FILE, FOLDER, UNLISTED, LEFT_OUT = "file", "folder", "unlisted", "left out"


class FoundPath(NamedTuple):
    """A path and what it is: FILE, FOLDER (a new one), UNLISTED (a folder that cannot be read, with the reason).

    LEFT_OUT is a folder that was to be avoided, or that an earlier run has written. real: the real path of a FOLDER,
    which takes long to find for a deep one.
    """

    path: str
    kind: str
    reason: str = ""
    real: str = ""


def inside(path: str, folder: str) -> bool:
    """Whether a real path is the folder or below it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def has_magic(path: str) -> bool:
    """Whether there is a wildcard in it."""
    return any(character in path for character in "*?[")


def walk(root: str, avoid: str = "") -> Iterator[FoundPath]:
    """Everything visible below a folder, in the order of the sorted paths.

    Linked folders are followed, but each folder is entered once: a link to one that the walk comes to by itself, or
    came to already, is passed over, so loops end. avoid: real path of a folder that is left out, as are the output
    folders of earlier runs below the root.
    A folder with an image's name and no image below is given as a file: reading it says what is wrong.
    """
    roots = {os.path.realpath(root)}
    avoid = "" if avoid and inside(os.path.realpath(root), avoid) else avoid
    stack = [(root, os.path.realpath(root), entries(root), 0)]
    images = 0
    while stack:
        folder, real, names, before = stack[-1]
        try:
            name = next(names)
        except StopIteration:
            stack.pop()
            if stack and images == before and is_image_name(folder):
                yield FoundPath(folder, FILE)
            continue
        except OSError as error:
            stack.pop()
            yield FoundPath(folder, UNLISTED, error.strerror or str(error))
            continue
        path = os.path.join(folder, name)
        if not name.endswith("/"):
            images += is_image_name(name)
            yield FoundPath(path, FILE)
            continue
        path = path[:-1]
        below = _enter(path, os.path.join(real, name[:-1]), roots)
        if below and _is_left_out(below, avoid):
            yield FoundPath(path, LEFT_OUT)
        elif below:
            yield FoundPath(path, FOLDER, "", below)
            stack.append((path, below, entries(path), images))


def _is_left_out(real: str, avoid: str) -> bool:
    return (avoid != "" and inside(real, avoid)) or is_output_folder(real)


def _enter(path: str, real: str, roots: Set[str]) -> str:
    """The real path of a folder that is to be walked, "" for one that is, was or will be walked by another way."""
    if not os.path.islink(path):
        return "" if real in roots else real
    real = os.path.realpath(path)
    above = real
    while above not in roots:
        if os.path.basename(above).startswith(".") or above == os.path.dirname(above):
            roots.add(real)
            return real
        above = os.path.dirname(above)
    return ""


def entries(folder: str, keep: Callable[[str], bool] = lambda name: not name.startswith(".")) -> Iterator[str]:
    """The names in a folder that `keep` takes, sorted as parts of paths: folders have a "/" behind them.

    Raises: OSError where it cannot be listed.
    """
    after, more = "", True
    while more:
        names, more = _next_names(folder, after, keep)
        yield from names
        after = names[-1] if names else after


def _next_names(folder: str, after: str, keep: Callable[[str], bool]) -> Tuple[List[str], bool]:
    """The first CHUNK names behind `after`, or somewhat more where these are all; and whether there are others."""
    names: List[str] = []
    last = ""
    with os.scandir(folder) as found:
        for entry in found:
            if not keep(entry.name):
                continue
            name = entry.name + "/" if _is_folder(entry) else entry.name
            if name > after and (not last or name < last):
                names.append(name)
                if len(names) == 2 * CHUNK:
                    names.sort()
                    del names[CHUNK:]
                    last = names[-1]
    names.sort()
    return (names[:CHUNK], True) if last else (names, False)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in circles
        return False


def fixed_part(pattern: str) -> Tuple[str, Tuple[str, ...]]:
    """The folder that a pattern begins with, and the parts from its first wildcard on."""
    parts = _parts(pattern)
    fixed = next(i for i, part in enumerate(parts) if has_magic(part))
    return os.path.join(*parts[:fixed]) if fixed else ".", tuple(parts[fixed:])


def _parts(path: str) -> List[str]:
    drive, rest = os.path.splitdrive(path)
    parts = [part for part in rest.replace(os.sep, "/").split("/") if part not in ("", ".")]
    return [drive + os.sep, *parts] if os.path.isabs(path) else parts


def expand(pattern: str, avoid: str = "") -> Iterator[FoundPath]:
    """The files of a pattern, `**` for any folders, each once and in the same order each time. avoid: as in `walk`."""
    root, parts = fixed_part(pattern)
    avoid = "" if avoid and inside(os.path.realpath(root), avoid) else avoid
    walked: Dict[int, Seen] = {number: Seen() for number in range(len(parts) + 1)}
    found = _expand(FoundPath(root, FOLDER, "", os.path.realpath(root)), parts, avoid, walked)
    if sum(part == "**" for part in parts) < 2:
        yield from found
        return
    seen = Seen()  # a/**/b/** comes to a/b/b/c.jpg in two ways
    yield from (each for each in found if seen.add(each.path))


def _expand(folder: FoundPath, parts: Sequence[str], avoid: str, walked: Dict[int, Seen]) -> Iterator[FoundPath]:
    """What the rest of a pattern finds below a folder. walked: parts that were left -> folders that a `**` came to."""
    if parts[0] == "**":
        yield from _anywhere(folder, parts, avoid, walked)
        return
    rest = parts[1:]
    for found in _matches(folder, parts[0]):
        if found.kind == UNLISTED or (found.kind == FILE and not rest):
            yield found
        elif found.kind == FOLDER and _is_left_out(found.real, avoid):
            yield FoundPath(found.path, LEFT_OUT)
        elif found.kind == FOLDER and rest:
            yield from _expand(found, rest, avoid, walked)


def _anywhere(folder: FoundPath, parts: Sequence[str], avoid: str, walked: Dict[int, Seen]) -> Iterator[FoundPath]:
    """The same where the next part is `**`; nothing where it came to this folder before, from one above it."""
    rest, before = parts[1:], walked[len(parts)]
    if folder.path in before:
        return
    if rest:
        yield from _expand(folder, rest, avoid, walked)
    for found in walk(folder.path, avoid):
        if found.kind == FOLDER:
            before.add(found.path)
        if not rest:
            yield found
        elif found.kind == FOLDER:
            yield from _expand(found, rest, avoid, walked)


def _matches(folder: FoundPath, part: str) -> Iterator[FoundPath]:
    if not has_magic(part):
        path = os.path.join(folder.path, part)
        if os.path.isdir(path):
            yield _folder(folder, part)
        elif os.path.lexists(path):
            yield FoundPath(path, FILE)
        return
    hidden = part.startswith(".")
    try:
        for name in entries(folder.path, lambda name: (hidden or name[0] != ".") and fnmatch.fnmatch(name, part)):
            yield _folder(folder, name[:-1]) if name.endswith("/") else FoundPath(os.path.join(folder.path, name), FILE)
    except OSError as error:
        yield FoundPath(folder.path, UNLISTED, error.strerror or str(error))


def _folder(above: FoundPath, name: str) -> FoundPath:
    path = os.path.join(above.path, name)
    moved = os.path.islink(path) or name == os.pardir
    return FoundPath(path, FOLDER, "", os.path.realpath(path) if moved else os.path.join(above.real, name))
