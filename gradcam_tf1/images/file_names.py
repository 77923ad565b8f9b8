"""Names of images: known extensions, safe relative paths for names from archives and lists, names seen before."""

from __future__ import annotations

import hashlib
import os
import re
from array import array

_MOST_BYTES = 480  # maximum length of a relative path: with the output folder it must stay below about 1,000
_MOST_PARTS = 16


def safe_relative(name: str, separators: str = "/") -> str:
    """Return a relative POSIX path without empty, "." and ".." parts; a long or deep one has a hash for its folders.

    Parameters
    ----------
    name : str
        A name from an archive or a list.
    separators : str
        The characters that separate folders in the name.

    Returns
    -------
    str
    """
    parts = [part for part in re.split(f"[{re.escape(separators)}]", name) if part not in ("", ".", "..")]
    parts = parts or ["unnamed"]
    if len(parts) > _MOST_PARTS or len("/".join(parts).encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        digest = hashlib.sha256("/".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        stem, extension = os.path.splitext(parts[-1])
        parts = [digest, stem[:80] + extension[:16]]
    return "/".join(parts)


def is_hidden(name: str) -> bool:
    """Return whether a part of the path begins with a dot, as the resource forks do that macOS puts into archives."""
    return any(part.startswith(".") and part not in (".", "..") for part in re.split(r"[/\\]", name))


_FIRST_SLOTS = 1024


class Seen:
    """A set of texts that stores an 8-byte hash of each, 16 bytes with free slots: for runs over millions of images.

    Two texts with the same hash count as one. That happens in 1 of 10 million runs of a million images.
    """

    def __init__(self) -> None:
        self._slots = array("Q", [0]) * _FIRST_SLOTS
        self._count = 0

    def add(self, text: str) -> bool:
        """Add a text and return whether it is new."""
        if 3 * self._count >= 2 * len(self._slots):
            self._grow()
        added = self._put(_hash(text))
        self._count += added
        return added

    def __contains__(self, text: str) -> bool:
        return self._slots[self._slot(_hash(text))] != 0

    def __len__(self) -> int:
        return self._count

    def _slot(self, value: int) -> int:
        """Return the index of the value, or of the free slot where it belongs."""
        mask = len(self._slots) - 1
        index = value & mask
        while self._slots[index] not in (0, value):
            index = (index + 1) & mask
        return index

    def _put(self, value: int) -> bool:
        index = self._slot(value)
        added = self._slots[index] == 0
        self._slots[index] = value
        return added

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", [0]) * (2 * len(old))
        for value in old:
            if value:
                self._put(value)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1  # 0 marks a free slot


class Relatives:
    """Make safe relative paths that are unique: a repeated one gets a number, its position in the source, appended."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._place = 0

    def __call__(self, name: str, separators: str = "/") -> str:
        """Return the relative path of the next image; `separators` are the characters between folders in its name."""
        self._place += 1
        relative = safe_relative(name, separators)
        stem, extension = os.path.splitext(relative)
        number = self._place
        while not self._seen.add(relative):
            relative = f"{stem}-{number}{extension}"
            number += 1
        return relative


EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp"),
    *("ppm", "pgm", "pbm", "pnm", "pam", "pfm", "npy"),
    *("dcm", "dicom", "nii", "nii.gz"),
)
ARCHIVE_EXTENSIONS = ("tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz", "zip", "tfrecord", "tfrecords")

_IMAGE = re.compile(rf"\.({'|'.join(map(re.escape, EXTENSIONS))})\Z", re.IGNORECASE)
# TensorFlow also writes names like data.tfrecord-00000-of-00010
_ARCHIVE = re.compile(rf"\.({'|'.join(map(re.escape, ARCHIVE_EXTENSIONS))})((?<=tfrecord)s?-[^/.]*)?\Z", re.IGNORECASE)


def is_image_name(name: str) -> bool:
    """Return whether a name or path has a known image extension."""
    return _IMAGE.search(name) is not None


def archive_extension(name: str) -> str:
    """Return the extension of an archive or TFRecord file in lower case, "" for other names."""
    match = _ARCHIVE.search(name)
    return match.group(1).lower() if match else ""
