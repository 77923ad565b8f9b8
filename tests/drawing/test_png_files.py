"""PNG files packed by isal: two independent readers see the pixels, and so does one written from the specification."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gradcam_tf1.drawing import png_files
from gradcam_tf1.drawing.overlay import colorize, write_png
from gradcam_tf1.drawing.png_files import PHOTOGRAPH, SMOOTH, encode_png

if png_files.isal_zlib is None:
    pytest.skip("isal is not installed", allow_module_level=True)


def drawn(height, width, kind, seed=0):
    random = np.random.default_rng(seed)
    if kind == "noise":
        return random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "smooth":
        return colorize(np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width))
    return np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)


def chunks(data):
    """Kind and content of each chunk, with its checksum proved."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        body, checksum = data[at + 4 : at + 8 + size], data[at + 8 + size : at + 12 + size]
        assert zlib.crc32(body) == int.from_bytes(checksum, "big")
        yield body[:4], body[4:]
        at += 12 + size


def unfiltered(data):
    """The pixels, as https://www.w3.org/TR/png-3/ says for the filter Sub."""
    parts = list(chunks(data))
    header, packed = parts[0][1], b"".join(body for kind, body in parts if kind == b"IDAT")
    assert [parts[0][0], parts[-1]] == [b"IHDR", (b"IEND", b"")]
    assert tuple(header[8:]) == (8, 2, 0, 0, 0)
    width, height = (int.from_bytes(header[at : at + 4], "big") for at in (0, 4))
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    assert set(rows[:, 0]) == {1}
    return np.cumsum(rows[:, 1:].reshape(height, width, 3), axis=1, dtype=np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    *(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["noise", "smooth", "flat"]), st.integers(0, 9)),
)
def test_three_readers_see_the_pixels(height, width, kind, seed):
    image = drawn(height, width, kind, seed)
    data = encode_png(image)
    np.testing.assert_array_equal(unfiltered(data), image)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), image)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (375, 500)])
def test_files_are_those_pixels_for_pillow_and_cv2(tmp_path, size):
    image = drawn(*size, "noise")
    path = str(tmp_path / "x.png")
    write_png(path, image)
    with Image.open(path) as read:
        assert read.mode == "RGB"
        np.testing.assert_array_equal(np.array(read), image)
    np.testing.assert_array_equal(cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB), image)


def test_a_view_of_other_strides_is_written_as_it_looks():
    image = drawn(30, 40, "noise")[::2, ::-1]
    np.testing.assert_array_equal(unfiltered(encode_png(image)), image)


def test_long_data_is_split_into_chunks(monkeypatch):
    monkeypatch.setattr(png_files, "_LONGEST", 1000)
    image = drawn(50, 40, "noise")
    data = encode_png(image)
    assert sum(kind == b"IDAT" for kind, _ in chunks(data)) > 5
    np.testing.assert_array_equal(unfiltered(data), image)
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (50, 40, 3)


@pytest.mark.parametrize(("kind", "strategy"), [("noise", PHOTOGRAPH), ("smooth", SMOOTH)])
def test_files_are_as_small_as_without_isal(monkeypatch, kind, strategy):
    image = drawn(200, 300, kind)
    ours = len(encode_png(image, strategy))
    monkeypatch.setattr(png_files, "isal_zlib", None)
    assert ours < 1.1 * len(encode_png(image, strategy))
