"""Damaged images of every format, and small files that stand for gigabytes."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib

import numpy as np
from image_files import chunk, png
from PIL import Image

SAVED = {
    "jpg": {"quality": 90},
    "jpeg": {"quality": 90, "progressive": True},
    "png": {},
    "gif": {},
    "bmp": {},
    "webp": {},
    "tif": {},
    "tiff": {"compression": "tiff_lzw"},
    "ppm": {},
}


def noise(height=20, width=30):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(extension):
    stream = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(extension) or Image.registered_extensions()[f".{extension}"]
    Image.fromarray(noise()).save(stream, kind, **SAVED[extension])
    return stream.getvalue()


def gif(screen, frame, count=1, pixels=b"\x02\x02\x4c\x01\x00"):
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + pixels
    return data + image * count + b";"


def webp(width, height):
    """An animation with a frame of 2x2 on this canvas."""
    stream = io.BytesIO()
    Image.fromarray(noise(2, 2)).save(stream, "webp", lossless=True)
    sides = [(side - 1).to_bytes(3, "little") for side in (width, height, 2, 2)]
    frame = bytes(6) + sides[2] + sides[3] + bytes(4) + stream.getvalue()[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + sides[0] + sides[1]
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6) + b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def zeros(size):
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]) + packer.flush()


def bombs():
    """Small files that stand for gigabytes, by name."""
    return {
        "png-30000.png": png(30_000, 30_000, chunk(b"IDAT", zlib.compress(bytes(1 << 16)))),
        "png-data.png": png(8, 8, chunk(b"IDAT", zeros(1 << 28))),
        "png-text.png": png(8, 8, chunk(b"zTXt", b"a\0\0" + zeros(1 << 28)), chunk(b"IDAT", b"")),
        "png-profile.png": png(8, 8, chunk(b"iCCP", b"a\0\0" + zeros(1 << 28)), chunk(b"IDAT", b"")),
        "png-claims.png": png(8, 8)[:33] + struct.pack(">I", 0x7FFFFFFF) + b"IDAT" + b"x",
        "gif-screen.gif": gif((65_535, 65_535), (1, 1)),
        "gif-frame.gif": gif((1, 1), (65_535, 65_535)),
        "gif-frames.gif": gif((9_999, 9_999), (9_999, 9_999), 100_000),
        "webp.webp": webp(16_383, 16_383),
        "bmp.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0),
        "bmp-negative.bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, -3, -(2**31), 1, 24, *[0] * 6),
        "ppm.ppm": b"P6 99999 99999 255\n",
        "tiff.tif": b"II*\0" + struct.pack("<IH", 8, 1) + struct.pack("<HHII", 270, 2, 0xFFFFFFFF, 8) + bytes(4),
        "jpeg.jpg": encoded("jpg").replace(struct.pack(">HH", 20, 30), struct.pack(">HH", 65_500, 65_500), 1),
    }


def damage(folder, count):
    """So many damaged files, most of each format; the names of the whole ones among them begin with "whole"."""
    chance = random.Random(5)
    sound = {extension: encoded(extension) for extension in SAVED}
    for extension, data in sound.items():
        (folder / f"whole.{extension}").write_bytes(data)
    for name, data in bombs().items():
        (folder / name).write_bytes(data)
    (folder / "folder.jpg").mkdir()
    (folder / "empty.png").touch()
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(str(folder / "pipe.jpg"))
    for number in range(count):
        extension = chance.choice(sorted(sound))
        data = bytearray(sound[extension])
        if number % 3:
            for _ in range(chance.randint(1, 6)):
                data[chance.randrange(min(len(data), 300 if number % 2 else len(data)))] ^= 1 << chance.randrange(8)
        else:
            del data[chance.randrange(len(data)) :]
        (folder / f"{number:04d}.{chance.choice([extension, extension, 'png', 'jpg'])}").write_bytes(data or b"x")
