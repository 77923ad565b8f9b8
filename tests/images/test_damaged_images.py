"""A thousand damaged images in one process: each is whole or has its reason, and memory stays where it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from damaged_images import SAVED, damage, encoded
from PIL import ImageFile

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.image_source import ImageSource
from gradcam_tf1.images.pillow_limits import strict_pillow
from gradcam_tf1.images.source_kinds import iter_images

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged tags

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
def test_cut_off_at_every_length_an_image_is_whole_or_an_error(tmp_path, monkeypatch, extension, lenient):
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
