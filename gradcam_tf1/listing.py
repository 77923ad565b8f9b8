"""Which pictures a run explains: those that were asked for, but never its own output. No TensorFlow here."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from typing import Any, Iterator, Sequence

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images import ImageFile, list_images


def list_pictures(imgs_path: Any, out_folder: str) -> list[ImageFile]:
    """The pictures to explain, without what an earlier run wrote into an output folder below a listed one.

    A picture that is named itself is always meant.
    Raises: ImageFileError where there is none; OptionError where the output folder is the listed one.
    """
    files = list_images(imgs_path)
    entries = list(_entries(imgs_path))
    out = os.path.realpath(out_folder)
    listed = {os.path.realpath(_fixed_part(entry)): entry for entry in entries if not os.path.isfile(entry)}
    if not any(_inside(out, folder) for folder in listed):
        return files
    folders = {folder: _inside(os.path.realpath(folder), out) for folder in {os.path.dirname(f.path) for f in files}}
    kept = [file for file in files if file.path in entries or not folders[os.path.dirname(file.path)]]
    if out in listed or not kept:
        raise OptionError(
            f"the output folder {out_folder!r} is where {listed.get(out, imgs_path)!r} looks for pictures, so the next "
            "run would explain what this one writes; choose another output folder"
        )
    return kept


def draw_pictures(files: Sequence[ImageFile], count: int, seed: int = 0) -> list[ImageFile]:
    """`count` of the pictures, or all where there are no more, in the order of the listing.

    Which ones depends on their paths below the listed folder and the seed alone: the same on every platform and
    version, and another picture in the folder replaces one of the drawn at most.
    Raises: OptionError where count < 1.
    """
    if count < 1:
        raise OptionError(f"n_images is the number of pictures to draw, at least 1, not {count}")
    ranked = sorted(range(len(files)), key=lambda i: _lot(files[i].relative, seed))
    return [files[i] for i in sorted(ranked[:count])]


def _lot(relative: str, seed: int) -> bytes:
    # one file system keeps accents composed, another apart
    name = unicodedata.normalize("NFC", relative).encode("utf-8", "surrogateescape")
    return hashlib.sha256(b"%d:" % seed + name).digest()


def _entries(source: Any) -> Iterator[str]:
    if isinstance(source, (list, tuple)):
        for one in source:
            yield from _entries(one)
    else:
        yield os.path.expanduser(os.fspath(source))


def _fixed_part(entry: str) -> str:
    """A folder as it is; of a glob, the folder that it begins with."""
    return entry if os.path.isdir(entry) else os.path.dirname(re.split(r"[*?\[]", entry, maxsplit=1)[0]) or "."


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
