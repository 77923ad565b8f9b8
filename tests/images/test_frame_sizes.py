"""The size of every frame is checked before memory is taken for it, and frames are counted without decoding."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from image_files import chunk, png
from measured_reads import outcome
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.clip_folders import find_clips
from gradcam_tf1.images.frame_sizes import gif_sizes, png_size
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.images.tiff_tags import page_sizes

SIDE = 20_000  # 400 megapixels: bad enough, and harmless where the test fails
CLIP = """
import json, resource, sys
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.source_kinds import iter_images
from gradcam_tf1.images.clip_folders import find_clips
def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = most()
try:
    told = [list(clip.read().frames.shape) for clip in find_clips(iter_images(sys.argv[1]), 2)]
except ImageFileError as error:
    told = str(error)
print(json.dumps([told, most() - before]))
"""


def clip_outcome(path, data):
    """(what is read as a clip, or the reason; MB taken)"""
    path.write_bytes(data)
    command = [sys.executable, "-W", "ignore", "-c", CLIP, str(path)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, timeout=120, check=True).stdout.decode())


def gif(*frames, screen=8):
    """Of (left, top, width, height, disposal), with data that are no image."""
    data = b"GIF89a" + struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    for left, top, width, height, disposal in frames:
        data += b"\x21\xf9\x04" + bytes([disposal << 2, 1, 0, 0, 0])
        data += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return data + b";"


def animation(kind, count=4):
    frames = [Image.new("P", (9, 7), number) for number in range(count)]
    for number, frame in enumerate(frames):
        frame.putpalette([10, 20, 30, 200, 100, 50, 7, 8, 9, 90, 80, 70])
        frame.putpixel((number, 1), (number + 1) % 4)
    frames = [frame.convert("RGB") for frame in frames] if kind == "PNG" else frames
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    return stream.getvalue()


def tiff(*sides):
    """Pages of 8-bit gray, deflated, in one strip."""
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number, side in enumerate(sides):
        strip = zlib.compress(bytes(side * side), 1)
        end = len(data) + 2 + 9 * 12 + 4
        tags = [(256, side), (257, side), (258, 8), (259, 8), (262, 1), (273, end), (277, 1), (278, side)]
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, len(strip))])
        after = end + len(strip) if number + 1 < len(sides) else 0
        data += struct.pack("<H", 9) + entries + struct.pack("<I", after) + strip
    return bytes(data)


def control(disposal, side):
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, disposal, 0))


def frames_of(side, header=8, middle=b""):
    """An APNG whose first frame has these sides."""
    data = zlib.compress(bytes(9 * 8))
    return png(header, header, middle, chunk(b"acTL", struct.pack(">II", 2, 0)), control(1, side), chunk(b"IDAT", data))


FIRST = {
    "dispose.gif": gif((0, 0, SIDE, SIDE, 2)),
    "before.gif": gif((0, 0, SIDE, SIDE, 3)),
    "canvas.png": frames_of(8, header=SIDE),
    "twice.png": frames_of(8, middle=chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0))),
}
LATER = {
    "grow.gif": gif((0, 0, 8, 8, 0), (0, 0, SIDE, SIDE, 0), (0, 0, 8, 8, 0)),
    "dispose.gif": gif((0, 0, 8, 8, 0), (0, 0, SIDE, SIDE, 2), (0, 0, 8, 8, 0)),
    "far.gif": gif((0, 0, 8, 8, 0), (SIDE, SIDE, 8, 8, 0), (0, 0, 8, 8, 0)),
    "page.tif": tiff(8, SIDE, 8),
}


@pytest.mark.parametrize("name", sorted(FIRST))
def test_opening_an_image_takes_no_memory_for_what_is_refused(tmp_path, name):
    told, _, memory = outcome(tmp_path / name, FIRST[name])
    assert f"{SIDE}x{SIDE} pixels, more than" in told or "is a damaged PNG file" in told, told
    assert memory < 60


@pytest.mark.parametrize("name", sorted(LATER))
def test_a_later_frame_is_not_decoded_where_it_is_too_large(tmp_path, name):
    told, memory = clip_outcome(tmp_path / name, LATER[name])
    assert "pixels, more than the 100,000,000 that are allowed" in told
    assert memory < 60


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF"])
def test_sizes_are_those_that_pillow_comes_to(kind):
    data = animation(kind)
    file = io.BytesIO(data)
    if kind == "PNG":
        assert png_size(file, "a", True) == (9, 7)
        return
    found = list((gif_sizes if kind == "GIF" else page_sizes)(file, "a"))
    with Image.open(io.BytesIO(data)) as image:
        assert len(found) == image.n_frames == 4
        for number, size in enumerate(found):
            image.seek(number)
            assert image.size == size


def test_a_gif_grows_with_its_frames():
    data = gif((0, 0, 8, 8, 0), (4, 6, 10, 3, 0), (0, 0, 2, 30, 1), (1, 1, 1, 1, 0))
    data = data.replace(b"\x21\xf9", b"\x21\xfe\x03abc\x00\0\0\x21\xfe\x00\x21\xf9", 2)  # comments, stray bytes
    assert list(gif_sizes(io.BytesIO(data), "a")) == [(8, 8), (14, 9), (14, 30), (14, 30)]
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 4


def clip_of(tmp_path, data, name="a.gif"):
    (tmp_path / name).write_bytes(data)
    (clip,) = find_clips(iter_images(str(tmp_path / name)), 2)
    return clip


def test_frames_are_counted_without_decoding(tmp_path):
    clip = clip_of(tmp_path, gif(*[(0, 0, 300, 300, 0)] * 9_000))
    assert clip.animated
    with pytest.raises(ImageFileError, match="more than the 10,000 frames or the 500,000,000 pixels"):
        clip.read()


def test_pages_that_share_their_tags_are_not_looked_through_one_by_one():
    """Each page is 30 tags behind the one before it, and all have the most tags that there can be."""
    count = 65_535
    body = np.zeros(12 * count + 2_000 * 360 + 10, np.uint8).tobytes()
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + body)
    for page in range(1_000):
        start = 8 + 360 * page
        data[start : start + 2] = struct.pack("<H", count)
        after = start + 2 + 12 * count
        data[after : after + 4] = struct.pack("<I", start + 360)
    with pytest.raises(ImageFileError, match="more than 524,288 tags"):
        list(page_sizes(io.BytesIO(bytes(data)), "a.tif"))


def test_an_empty_extension_is_refused(tmp_path):
    data = gif((0, 0, 8, 8, 0), (0, 0, 8, 8, 0)).replace(b"\x21\xf9", b"\x21\xff\x00\x21\xf9", 1)
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(ImageFileError, match="an extension without content"):
        next(iter_images(tmp_path / "a.gif")).read()
