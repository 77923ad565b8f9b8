"""A thousand damaged images in one process: each is whole or has its reason, and memory stays where it was."""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from image_files import chunk, png
from PIL import Image, ImageFile

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.pillow_limits import strict_pillow
from gradcam_tf1.images.source_kinds import iter_images

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged tags

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


READ_ALL = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.source_kinds import iter_images
lines, slowest = {}, 0.0
before = None
for number, image in enumerate(iter_images(sys.argv[1])):
    started = time.perf_counter()
    try:
        lines[image.relative] = list(image.read().shape)
    except ImageFileError as error:
        lines[image.relative] = str(error)
    slowest = max(slowest, time.perf_counter() - started)
    if number == 50:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"lines": lines, "before": before, "after": after, "slowest": slowest}))
"""


def test_a_thousand_damaged_images(tmp_path):
    damage(tmp_path, 1_000)
    process = subprocess.run(
        [sys.executable, "-c", READ_ALL, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=240,
        check=True,
    )
    found = json.loads(process.stdout.decode())
    lines = found["lines"]
    assert sorted(lines) == sorted(os.listdir(str(tmp_path)))
    for name, line in lines.items():
        if isinstance(line, str):
            assert name in line
            assert len(line) > len(name) + 15
        elif name.startswith("whole"):
            assert line == [20, 30, 3]
    assert all(isinstance(lines[f"whole.{extension}"], list) for extension in SAVED)
    special = {
        "folder.jpg": "is a folder, not an image file",
        "empty.png": "is empty (0 bytes)",
        "dangling.png": "cannot be opened: a link that leads nowhere",
        "loop.png": "cannot be opened: a link that leads nowhere",
        "pipe.jpg": "is a named pipe, not an image file",
        "png-30000.png": "pixels",
        "gif-screen.gif": "pixels",
        "gif-frame.gif": "pixels",
        "webp.webp": "pixels",
        "bmp.bmp": "pixels",
        "ppm.ppm": "pixels",
        "jpeg.jpg": "pixels",
    }
    for name, reason in special.items():
        assert reason in lines[name], lines[name]
    reasons = [line for line in lines.values() if isinstance(line, str)]
    assert len(reasons) > 500
    assert found["after"] - found["before"] < 60_000  # kB
    assert found["slowest"] < 10


@pytest.mark.parametrize("extension", sorted(SAVED))
@pytest.mark.parametrize("lenient", [False, True])
def test_cut_off_at_every_length_a_image_is_whole_or_an_error(tmp_path, monkeypatch, extension, lenient):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data = encoded(extension)
    path = tmp_path / f"a.{extension}"
    path.write_bytes(data)
    whole = read_image(str(path))
    passed = 0
    for length in range(0, len(data), 1 if len(data) < 900 else 17):
        path.write_bytes(data[:length])
        try:
            pixels = read_image(str(path))
        except ImageFileError:
            continue
        np.testing.assert_array_equal(pixels, whole)  # only what comes behind the pixels was missing
        passed += 1
    assert passed <= 40
    assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient


def test_the_switch_of_the_program_is_back_when_the_last_reader_is_done(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    inside, leave = threading.Barrier(3), threading.Event()
    seen = []

    def reader():
        with strict_pillow():
            inside.wait()
            leave.wait()
            seen.append(ImageFile.LOAD_TRUNCATED_IMAGES)

    threads = [threading.Thread(target=reader) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    with strict_pillow():
        assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    leave.set()
    for thread in threads:
        thread.join()
    assert seen == [False, False]
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    with strict_pillow():
        ImageFile.LOAD_TRUNCATED_IMAGES = "set meanwhile"
    assert ImageFile.LOAD_TRUNCATED_IMAGES == "set meanwhile"


def test_a_disk_that_fails(tmp_path):
    class Failing:
        def open(self):
            raise OSError(5, "Input/output error")

    with pytest.raises(ImageFileError, match="'a.png' cannot be read: Input/output error"):
        ImageSource("a.png", "a.png", Failing()).read()


def test_no_permission(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded("png"))

    def refusing(path, flags):  # the tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied", path)

    images = iter_images(tmp_path)
    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(ImageFileError, match="a.png' cannot be opened: Permission denied"):
        next(images).read()
