"""TIFF files made to take memory or time, and damaged ones of every layout."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from measured_reads import outcome
from tiff_files import encoded, tagged

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.tiff_tags import read_page
from gradcam_tf1.images.window import Window

VALUES = np.arange(8 * 8 * 3, dtype=np.uint16).reshape(8, 8, 3)


def zeros(size):
    packer = zlib.compressobj(9)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(size >> 20)]) + packer.flush()


def read(tmp_path, data, **options):
    (tmp_path / "a.tif").write_bytes(data)
    return read_image(str(tmp_path / "a.tif"), **options)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"t256": [60_000], "t257": [60_000]}, "has 60000x60000 pixels"),
        ({"t257": [1_000_000], "t278": [1], "t256": [8]}, "of 1,000,000 strips or tiles, too many"),
        ({"t322": [60_000], "t323": [60_000], "t324": [8], "t325": [8]}, "of 1 strips or tiles, too many or too large"),
        ({"t322": [0], "t323": [16], "t324": [8], "t325": [8]}, "in its tags a side is 0"),
        ({"t256": [0]}, "in its tags a side is 0"),
        ({"t277": [65_535], "t258": [16], "t256": [5000], "t257": [5000]}, "bytes of numbers, more than"),
        ({"t256": [9_000], "t257": [9_000], "t258": [64] * 3, "t339": [3]}, "holds 1,944,000,000 bytes of numbers"),
        ({"t278": [3], "t273": [8], "t279": [9999]}, "cut off: its strip 1 is missing"),
        ({"t258": [0] * 3}, "numbers of 0 bits"),
        ({"t259": [8]}, "cannot be decoded: .*Error -3|incorrect header"),
        ({"t259": [5], "data": b"\x80\x3f"}, "cannot be decoded"),
        ({"t262": [3], "t258": [16], "t277": [1], "t320": [1, 2, 3]}, "table of colours has a wrong length"),
    ],
)
def test_tags_that_lie(tmp_path, tags, reason):
    with pytest.raises(ImageFileError, match=reason):
        read(tmp_path, tagged(VALUES, **tags))


def test_what_is_packed_swells_no_further_than_its_image(tmp_path):
    told, seconds, memory = outcome(tmp_path / "a.tif", tagged(VALUES, t259=[8], data=zeros(1 << 30)))
    assert told == [8, 8, 3]
    assert memory < 30
    assert seconds < 20


def test_a_large_image_takes_little_more_than_its_numbers(tmp_path):
    """49 megapixels of 16 bits, 98 MB as they lie in the file and again as they are read, and 147 MB of RGB."""
    told, _, memory = outcome(tmp_path / "a.tif", tagged(np.zeros((7000, 7000, 1), np.uint16)))
    assert told == [7000, 7000, 3]
    assert memory < 480


def test_pages_in_a_circle(tmp_path):
    data = bytearray(encoded(VALUES, photometric="rgb"))
    first = struct.unpack("<I", data[4:8])[0]
    end = first + 2 + 12 * struct.unpack("<H", data[first : first + 2])[0]
    data[end : end + 4] = struct.pack("<I", first)
    assert read(tmp_path, bytes(data), window=Window(slice=0)).shape == (8, 8, 3)
    with pytest.raises(ImageFileError, match="has 1 pages, counted from 0; there is no page 7"):
        read(tmp_path, bytes(data), window=Window(slice=7))


def test_very_many_tags_and_values(tmp_path):
    entry = struct.pack("<HHII", 273, 4, 0xFFFFFFFF, 8)
    with pytest.raises(ImageFileError):
        read(tmp_path, b"II*\0" + struct.pack("<IH", 8, 65_535) + entry * 65_535)
    with pytest.raises(ImageFileError):
        read(tmp_path, b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 1 << 60) + bytes(100))


def paged(tags, values):
    """A TIFF file of one page with these tags, all of so many doubles that lie in the same place."""
    gray = ((256, 3, 1, 8), (257, 3, 1, 8))
    entries = [struct.pack("<HHII", *entry) for entry in (*gray, *((number, 12, values, 8) for number in tags))]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries) + bytes(4)
    return head.ljust(8 + 8 * values, b"\0")


class Counted(io.BytesIO):
    """taken: bytes that were read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize(
    ("tags", "reason"),
    [([273] * 300, "it has its tag 273 twice"), (range(258, 342), "whose tags hold 5,[0-9,]* numbers, too many")],
)
def test_tags_that_share_their_values_are_not_unpacked_one_by_one(tags, reason):
    file = Counted(paged(tags, 1 << 18))
    with pytest.raises(ImageFileError, match=reason):
        read_page(file, "a.tif")
    assert file.taken < 10_000


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged tags
def test_damaged_files_are_whole_images_or_errors(tmp_path):
    random = np.random.default_rng(2)
    outcomes = set()
    for options in (
        {"photometric": "rgb", "planarconfig": "separate"},
        {"photometric": "rgb", "tile": (16, 16), "compression": "zlib", "predictor": True},
        {"photometric": "rgb", "bigtiff": True, "rowsperstrip": 3},
    ):
        stored = np.moveaxis(VALUES, -1, 0).copy() if "planarconfig" in options else VALUES
        data = np.frombuffer(encoded(stored, **options), np.uint8)
        for _ in range(100):
            damaged = data.copy()
            damaged[random.integers(0, min(data.size, 400), 6)] = random.integers(0, 256, 6)
            try:
                outcomes.add(read(tmp_path, damaged.tobytes(), max_pixels=10**5).dtype.name)
            except ImageFileError:
                outcomes.add("error")
    assert outcomes == {"uint8", "error"}
