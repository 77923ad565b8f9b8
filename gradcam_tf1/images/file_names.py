"""What the name of an image says: its extension, and a safe relative path for names from archives and lists."""

from __future__ import annotations

import hashlib
import os
import re

from gradcam_tf1.images.seen_names import Seen

_MOST_BYTES = 480  # of one path: file systems end somewhere above 1,000, and the output folder comes in front
_MOST_PARTS = 16


def safe_relative(name: str, separators: str = "/") -> str:
    """A relative POSIX path without empty, "." and ".." parts; what is too long or deep has a hash for its folders."""
    parts = [part for part in re.split(f"[{re.escape(separators)}]", name) if part not in ("", ".", "..")]
    parts = parts or ["unnamed"]
    if len(parts) > _MOST_PARTS or len("/".join(parts).encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        digest = hashlib.sha256("/".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        stem, extension = os.path.splitext(parts[-1])
        parts = [digest, stem[:80] + extension[:16]]
    return "/".join(parts)


def is_hidden(name: str) -> bool:
    """Whether a part of the path begins with a dot, as do the resource forks that macOS puts into archives."""
    return any(part.startswith(".") and part not in (".", "..") for part in re.split(r"[/\\]", name))


class Relatives:
    """Makes names harmless, and gives each only once: one that comes again gets its place in the source behind it."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._place = 0

    def __call__(self, name: str, separators: str = "/") -> str:
        """The next image's relative path; separators: what stands between folders in the name."""
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
# TensorFlow writes data.tfrecord-00000-of-00010, too
_ARCHIVE = re.compile(rf"\.({'|'.join(map(re.escape, ARCHIVE_EXTENSIONS))})((?<=tfrecord)s?-[^/.]*)?\Z", re.IGNORECASE)


def is_image_name(name: str) -> bool:
    """Whether a file of this name, or with this path, is taken for an image."""
    return _IMAGE.search(name) is not None


def archive_extension(name: str) -> str:
    """The extension of an archive or a TFRecord file, in lower case; "" for other names, patterns among them."""
    found = _ARCHIVE.search(name)
    return found.group(1).lower() if found else ""
