"""Images made to take much memory or time, each read in a process of its own that tells how much it took."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from damaged_images import zeros
from image_files import chunk, png
from measured_reads import outcome
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images import pillow_files as decoding
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.pillow_limits import HEAD_READS, Bounded

MEGABYTE = 1 << 20


def jpeg(**options):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(
        stream, "jpeg", **options
    )
    return stream.getvalue()


def tiff(*entries):
    """Of tags as (number, type, count, value), behind which the image may lie."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


GRAY = [(256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8)]
GRAY += [(277, 3, 1, 1), (278, 4, 1, 100), (279, 4, 1, 10_000)]
SCREEN = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0)
RLE = struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 1078, 40, 9999, 9999, 1, 8, 1, 0, 0, 0, 0, 0)
TOO_LONG = "is much longer than its image, and not read to its end"
MANY_TAGS = tiff(*GRAY, *[(40_000 + number, 7, 10_000_000, 8) for number in range(500)]) + bytes(10_000_100)
COMMENTS = (b"\x21\xfe" + (b"\xff" + b"x" * 255) * 2 + b"\0") * 60_000

LONG = {
    # name -> data, length of the file, the reasons that are right
    "hole.jpg": (b"\xff\xd8\xff\xe0", 1 << 36, [TOO_LONG]),
    "hole.gif": (SCREEN, 1 << 36, [TOO_LONG]),
    "hole.bmp": (b"BM" + RLE + bytes(1024), 1 << 34, [TOO_LONG]),
    "hole.ppm": (b"P3 3000 3000 255\n", 1 << 34, ["too long for a number"]),
    "hole.png": (b"\x89PNG\r\n\x1a\n", 1 << 36, ["is a damaged PNG file: its size is missing"]),
    "hole.tif": (tiff(*GRAY[:-1], (279, 4, 1, 2**32 - 1), (700, 7, 2**32 - 1, 8)), 1 << 34, [TOO_LONG, "pixels"]),
    "tags.tif": (MANY_TAGS, None, [TOO_LONG, "pixels"]),  # Pillow 9 keeps 500 times the same 10 MB, Pillow 13 none
    "comments.gif": (SCREEN + COMMENTS, None, [TOO_LONG]),
    "exif.jpg": (jpeg()[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 1_000 + jpeg()[2:], None, [TOO_LONG]),
    "text.png": (png(8, 8, *[chunk(b"zTXt", b"a\0\0" + zeros(MEGABYTE // 2))] * 300), None, ["cannot be decoded"]),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", None, ["not an image in a known format"]),
}


@pytest.mark.parametrize("name", sorted(LONG))
def test_long_files_are_not_read_to_their_end(name, tmp_path):
    data, size, reasons = LONG[name]
    told, seconds, memory = outcome(tmp_path / name, data, size)
    told = told if isinstance(told, str) else "pixels"
    assert any(reason in told for reason in reasons), told
    assert seconds < 20
    assert memory < (900 if name == "hole.tif" else 150)  # TIFF may have as many bytes as an image of 100 megapixels


def packed_rows(bytes_of_a_row):
    packer = zlib.compressobj(1)
    row = bytes(1 + bytes_of_a_row)
    return chunk(b"IDAT", b"".join([packer.compress(row) for _ in range(8000)]) + packer.flush())


@pytest.mark.parametrize(("bits", "kind", "channels"), [(8, 2, 3), (16, 6, 8), (16, 0, 2)])
def test_of_an_image_within_the_limit_little_more_than_its_pixels_is_held(bits, kind, channels, tmp_path):
    """64 megapixels: Pillow's 4 bytes for each and the result's 3 are 427 MB."""
    told, _, memory = outcome(tmp_path / "a.png", png(8000, 8000, packed_rows(8000 * channels), bits=bits, kind=kind))
    assert told == [8000, 8000, 3]
    assert memory < 520


def test_an_image_of_900_megapixels_takes_nothing(tmp_path):
    told, seconds, memory = outcome(tmp_path / "a.png", png(30_000, 30_000, chunk(b"IDAT", zeros(1 << 28))))
    assert "has 30000x30000 pixels, more than the 100,000,000" in told or "has too many pixels" in told
    assert memory < 60
    assert seconds < 20


MODES = ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_strips_are_the_image(mode, tmp_path, monkeypatch):
    state = np.random.default_rng(1)
    if mode == "I;16":
        image = Image.fromarray(state.integers(0, 65_536, (40, 30)).astype(np.uint16))
    else:
        image = Image.fromarray(state.integers(0, 256, (40, 30, 4), dtype=np.uint8), "RGBA").convert(
            "RGB" if mode == "P" else "RGBA" if mode == "LA" else mode
        )
        image = image.convert(mode)
    path = str(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    image.save(path, **({"transparency": 3} if mode == "P" else {}))
    whole = read_image(path)
    for rows in (1, 7, 39):
        monkeypatch.setattr(decoding, "STRIP", rows * 30 + 5)
        np.testing.assert_array_equal(read_image(path), whole)


def test_what_is_read_is_counted():
    file = Bounded(io.BytesIO(b"0123456789"), "a.png", HEAD_READS, 4)
    assert (file.read(3), file.tell(), file.read(1)) == (b"012", 3, b"3")
    with pytest.raises(ImageFileError, match="'a.png' is much longer than its image"):
        file.read(1)
    file.limit(2, 100)
    file.seek(2)
    assert (file.read(), file.read(5)) == (b"23456789", b"")
    with pytest.raises(ImageFileError, match="not read to its end"):
        file.read(1)
    file.limit(5, 9)
    file.seek(0)
    with pytest.raises(ImageFileError, match="longer"):
        file.read()
