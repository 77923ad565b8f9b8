"""Images of known pixels, and files that are no images."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np

from gradcam_tf1.images.image_files import list_images

# Four flat quarters of 8x8: robust to JPEG, and every turn or flip of them is different.
QUARTERS = {"red": (250, 10, 20), "green": (15, 240, 30), "blue": (20, 25, 245), "white": (250, 250, 250)}


def quarters(height=16, width=24):
    image = np.empty((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:] = QUARTERS.values()
    return image


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def lock(monkeypatch, name):
    """Let folders of this name refuse to be listed: the tests may run as root, whom no permission stops."""
    scandir = os.scandir

    def refusing(folder):
        if str(folder).endswith(name):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)


def relatives(source):
    return [item.relative for item in list_images(source)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *chunks, bits=8, kind=2):
    """A PNG file whose header says this, whatever its chunks hold."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")
