"""What a file's name says about it."""

from __future__ import annotations

import re

EXTENSIONS = (
    *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "gif", "tif", "tiff", "webp"),
    *("ppm", "pgm", "pbm", "pnm", "pam", "pfm", "npy"),
    *("dcm", "dicom", "nii", "nii.gz"),
)
ARCHIVE_EXTENSIONS = ("tar", "tar.gz", "tgz", "tar.bz2", "tbz2", "tar.xz", "txz", "zip", "tfrecord", "tfrecords")

_PICTURE = re.compile(rf"\.({'|'.join(map(re.escape, EXTENSIONS))})\Z", re.IGNORECASE)
# TensorFlow writes data.tfrecord-00000-of-00010, too
_ARCHIVE = re.compile(rf"\.({'|'.join(map(re.escape, ARCHIVE_EXTENSIONS))})((?<=tfrecord)s?-[^/.]*)?\Z", re.IGNORECASE)


def is_picture_name(name: str) -> bool:
    """Whether a file of this name, or with this path, is taken for a picture."""
    return _PICTURE.search(name) is not None


def archive_extension(name: str) -> str:
    """The extension of an archive or a TFRecord file, in lower case; "" for other names, patterns among them."""
    found = _ARCHIVE.search(name)
    return found.group(1).lower() if found else ""
