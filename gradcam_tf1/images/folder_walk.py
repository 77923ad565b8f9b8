"""Walk the files below a folder or of a pattern, sorted, in constant memory."""

from __future__ import annotations

import fnmatch
import os
from typing import Callable, Dict, Iterator, List, NamedTuple, Sequence, Set, Tuple

from gradcam_tf1.images.file_names import Seen, is_image_name
from gradcam_tf1.images.own_outputs import is_output_folder

# A folder with more entries is read several times, each time for the next CHUNK names: 16 times for a million names, at
# about a second each, instead of a list of a million names in memory.
CHUNK = 1 << 16

FILE, FOLDER, UNLISTED, LEFT_OUT = "file", "folder", "unlisted", "left out"


class FoundPath(NamedTuple):
    """A path and its kind.

    Attributes
    ----------
    path : str
        The path, below the folder or pattern that was given.
    kind : str
        FILE; FOLDER, one that is entered; UNLISTED, a folder that cannot be read; LEFT_OUT, a skipped output folder.
    reason : str
        Why an UNLISTED folder cannot be read.
    real : str
        Real path of a FOLDER. Finding it takes long in deep folders.
    """

    path: str
    kind: str
    reason: str = ""
    real: str = ""


def inside(path: str, folder: str) -> bool:
    """Return whether a real path is the folder or below it."""
    return path == folder or path.startswith(os.path.join(folder, ""))


def has_magic(path: str) -> bool:
    """Return whether a path has a wildcard."""
    return any(character in path for character in "*?[")


def walk(root: str, avoid: str = "") -> Iterator[FoundPath]:
    """Yield everything visible below a folder, in the order of the sorted paths.

    Links to folders are followed, but each folder is entered once, so that loops end: a link to a folder that the walk
    visits anyway is skipped. Output folders of earlier runs below the root are skipped. A folder with the name of an
    image and no image below is yielded as a file, so that reading it reports the error.

    Parameters
    ----------
    root : str
        The folder.
    avoid : str
        Real path of a folder to skip, "" for none.

    Yields
    ------
    FoundPath
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
    """Return the real path of a folder to enter, "" for one that the walk visits by another path."""
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
    """Yield the names in a folder, sorted as parts of paths.

    Parameters
    ----------
    folder : str
        The folder.
    keep : callable
        Whether a name is yielded; by default all that do not begin with a dot.

    Yields
    ------
    str
        The name, with "/" appended for a folder.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    after, more = "", True
    while more:
        names, more = _next_names(folder, after, keep)
        yield from names
        after = names[-1] if names else after


def _next_names(folder: str, after: str, keep: Callable[[str], bool]) -> Tuple[List[str], bool]:
    """Return the first CHUNK names after `after`, up to twice as many where these are all, and whether more follow."""
    names: List[str] = []
    last = ""
    with os.scandir(folder) as listing:
        for entry in listing:
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
    except OSError:  # a link that leads to itself
        return False


def fixed_part(pattern: str) -> Tuple[str, Tuple[str, ...]]:
    """Split a pattern into the folder before its first wildcard, and the remaining parts."""
    parts = _parts(pattern)
    fixed = next(i for i, part in enumerate(parts) if has_magic(part))
    return os.path.join(*parts[:fixed]) if fixed else ".", tuple(parts[fixed:])


def _parts(path: str) -> List[str]:
    drive, rest = os.path.splitdrive(path)
    parts = [part for part in rest.replace(os.sep, "/").split("/") if part not in ("", ".")]
    return [drive + os.sep, *parts] if os.path.isabs(path) else parts


def expand(pattern: str, avoid: str = "") -> Iterator[FoundPath]:
    """Yield the files of a pattern, each once, always in the same order; `**` stands for any folders.

    Parameters
    ----------
    pattern : str
        A path with wildcards.
    avoid : str
        Real path of a folder to skip, "" for none.

    Yields
    ------
    FoundPath
    """
    root, parts = fixed_part(pattern)
    avoid = "" if avoid and inside(os.path.realpath(root), avoid) else avoid
    walked: Dict[int, Seen] = {number: Seen() for number in range(len(parts) + 1)}
    matches = _expand(FoundPath(root, FOLDER, "", os.path.realpath(root)), parts, avoid, walked)
    if sum(part == "**" for part in parts) < 2:
        yield from matches
        return
    seen = Seen()  # a/**/b/** matches a/b/b/c.jpg twice
    yield from (match for match in matches if seen.add(match.path))


def _expand(folder: FoundPath, parts: Sequence[str], avoid: str, walked: Dict[int, Seen]) -> Iterator[FoundPath]:
    """Yield the matches of the remaining parts below a folder; `walked` has the folders that a `**` has visited.

    Its keys are numbers of remaining parts.
    """
    if parts[0] == "**":
        yield from _anywhere(folder, parts, avoid, walked)
        return
    rest = parts[1:]
    for match in _matches(folder, parts[0]):
        if match.kind == UNLISTED or (match.kind == FILE and not rest):
            yield match
        elif match.kind == FOLDER and _is_left_out(match.real, avoid):
            yield FoundPath(match.path, LEFT_OUT)
        elif match.kind == FOLDER and rest:
            yield from _expand(match, rest, avoid, walked)


def _anywhere(folder: FoundPath, parts: Sequence[str], avoid: str, walked: Dict[int, Seen]) -> Iterator[FoundPath]:
    """Yield the matches where the next part is `**`; none where it has visited this folder from one above."""
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
    elsewhere = os.path.islink(path) or name == os.pardir
    return FoundPath(path, FOLDER, "", os.path.realpath(path) if elsewhere else os.path.join(above.real, name))
