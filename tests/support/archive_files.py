"""Hand-made archives and records for the tests of sources."""

from __future__ import annotations

import io
import struct
import tarfile
import tracemalloc
import zipfile
from typing import Dict, Iterable, Tuple

import numpy as np
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.crc32c import masked
from gradcam_tf1.images.source_kinds import iter_images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def png_bytes(colour=(10, 20, 30), size=(4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "png")
    return stream.getvalue()


def write_tar(path, members: Iterable[Tuple[str, bytes]], mode="w", **options) -> None:
    with tarfile.open(str(path), mode, **options) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(path, members: Iterable[Tuple[str, bytes]], method=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(str(path), "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)


def _field(number: int, payload: bytes) -> bytes:
    size, length = len(payload), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def example(**features: bytes) -> bytes:
    """A serialized tf.train.Example; "/" is written "__" in the keywords."""
    entries = b""
    for name, value in features.items():
        feature = _field(1, _field(1, value))
        entries += _field(1, _field(1, name.replace("__", "/").encode()) + _field(2, feature))
    return _field(1, entries)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<L", masked(length)) + data + struct.pack("<L", masked(data))


def peak_of_listing(source, count: int) -> int:
    """Bytes of memory at most in use while so many images are listed."""
    tracemalloc.start()
    try:
        assert sum(1 for _ in iter_images(source)) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def colours_of(images) -> Dict[str, Tuple[int, ...]]:
    """relative -> colour of the first pixel, or the reason why there is none."""
    found = {}
    for image in images:
        try:
            found[image.relative] = tuple(np.asarray(image.read())[0, 0].tolist())
        except ImageFileError as error:
            found[image.relative] = str(error)
    return found


def read_all(path):
    return colours_of(iter_images(path))


LONG = "folder-with-a-long-name/" * 9 + "image-\xe9.png"
MEMBERS = [
    ("b/red.png", png_bytes(RED)),
    ("notes.txt", b"no image" * 100),
    ("a/green.png", png_bytes(GREEN, (70, 90))),
    (".hidden/x.png", b"x"),
    ("__MACOSX/b/._red.png", b"x"),
    (LONG, png_bytes(BLUE)),
]
COLOURS = {"b/red.png": RED, "a/green.png": GREEN, LONG: BLUE}


def write_names(path, names, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                info = zipfile.ZipInfo("x")
                info.filename = name  # as it is: the constructor would make it harmless
                archive.writestr(info, png_bytes())
    elif kind == "tfrecord":
        records = [record(example(image__encoded=png_bytes(), image__filename=name.encode())) for name in names]
        with open(path, "wb") as stream:
            stream.write(b"".join(records))
    elif kind == "txt":
        with open(path, "wb") as stream:
            stream.write(b"\0".join(name.encode() for name in names) + b"\0")
    else:
        write_tar(path, [(name, png_bytes()) for name in names], "w:gz" if kind == "tar.gz" else "w", encoding="utf-8")
