"""Every layout of TIFF against tifffile, number by number, and what becomes of the numbers."""

from __future__ import annotations

import io
import itertools
import zlib

import numpy as np
import pytest
import tifffile
from tiff_files import encoded, known, lzw, samples, tagged

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.window import Window

KINDS = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "f2", "f4", "f8")
HEIGHT, WIDTH = 37, 45  # of no tile and no strip


def noise(kind, depth, height=HEIGHT, width=WIDTH):
    dtype = np.dtype(kind)
    state = np.random.default_rng(dtype.num + depth)
    if dtype.kind == "f":
        return state.normal(0, 100, (height, width, depth)).astype(dtype)
    ends = np.iinfo(dtype)
    return state.integers(ends.min, ends.max, (height, width, depth), dtype=dtype, endpoint=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_the_numbers_are_those_of_tifffile(kind, depth):
    values = noise(kind, depth)
    for separate, tile, order, big in itertools.product((False, True), (None, (16, 32)), "<>", (False, True)):
        stored = np.moveaxis(values, -1, 0).copy() if separate else values
        differences = {"compression": "zlib", "predictor": kind in ("u1", "u2", "u4", "i1", "i2", "i4")}
        for more in ({}, differences):
            data = encoded(
                stored[0 if separate else (..., 0)] if depth == 1 else stored,
                photometric="rgb" if depth in (3, 4) else "minisblack",
                planarconfig=None if depth == 1 else "separate" if separate else "contig",
                tile=tile,
                rowsperstrip=None if tile else 7,
                byteorder=order,
                bigtiff=big,
                **more,
            )
            found = samples(data)
            np.testing.assert_array_equal(found, known(data, separate and depth > 1))
            if order == "<" or "predictor" not in more:  # tifffile of 2021 writes these differences wrongly
                np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("kind", ["u2", "i2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_lzw_and_packbits(kind, order):
    values = noise(kind, 5, 20)
    stored = values.astype(values.dtype.newbyteorder(order))
    np.testing.assert_array_equal(samples(tagged(values, order, t259=[5], data=lzw(stored))), values)
    row = stored.tobytes()
    literal = b"".join(bytes([len(part) - 1]) + part for part in (row[i : i + 128] for i in range(0, len(row), 128)))
    np.testing.assert_array_equal(samples(tagged(values, order, t259=[32773], data=literal)), values)


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_differences_of_floats(kind, order):
    """Technical Note 3 the other way round: highest bytes of a row first, then differences over a pixel."""
    values = noise(kind, 3)
    high_first = values.astype(values.dtype.newbyteorder(">"))
    planes = high_first.view(np.uint8).reshape(HEIGHT, WIDTH * 3, -1).transpose(0, 2, 1).reshape(HEIGHT, -1)
    differences = planes.copy()
    differences[:, 3:] -= planes[:, :-3]
    data = tagged(values, order, t259=[8], t317=[3], data=zlib.compress(differences.tobytes()))
    np.testing.assert_array_equal(samples(data), values)


@pytest.mark.parametrize("bits", [1, 2, 4, 10, 12, 14])
@pytest.mark.parametrize("depth", [1, 5])
def test_numbers_of_other_than_whole_bytes(bits, depth):
    values = (
        np.random.default_rng(bits).integers(0, 1 << bits, (5, 7, depth)).astype(np.uint8 if bits < 8 else np.uint16)
    )
    digits = (values[..., np.newaxis] >> np.arange(bits - 1, -1, -1)) & 1
    data = np.packbits(digits.reshape(5, -1).astype(np.uint8), axis=1).tobytes()
    found = samples(tagged(values, t258=[bits] * depth, data=data))
    np.testing.assert_array_equal(found, values)


def test_bits_the_other_way_round():
    values = noise("u2", 1)
    turned = np.packbits(np.unpackbits(values.view(np.uint8).reshape(-1, 1), axis=1)[:, ::-1], axis=1).tobytes()
    np.testing.assert_array_equal(samples(tagged(values, t266=[2], data=turned)), values)


def shown(tmp_path, data, **options):
    (tmp_path / "a.tif").write_bytes(data)
    return read_image(str(tmp_path / "a.tif"), **options)


SQUARE = np.full((24, 24, 3), 1300, np.uint16)
SQUARE[6:12, 6:12] = (250 * 257, 125 * 257, 62 * 257)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("order", "<>")
def test_16_bit_colours(tmp_path, planar, tile, order):
    stored = SQUARE if planar == "contig" else np.moveaxis(SQUARE, -1, 0).copy()
    data = encoded(stored, photometric="rgb", planarconfig=planar, tile=tile, byteorder=order)
    read = shown(tmp_path, data)
    np.testing.assert_array_equal(read, np.rint(SQUARE / 257))
    assert read.dtype == np.uint8
    assert read[8, 8].tolist() == [250, 125, 62]


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("more", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}])
def test_8_bit_colours(tmp_path, planar, more):
    values = noise("u1", 3)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0).copy()
    for tile, order, big in itertools.product((None, (16, 32)), "<>", (False, True)):
        options = {"tile": tile, "byteorder": order, "bigtiff": big, "rowsperstrip": None if tile else 7, **more}
        data = encoded(stored, photometric="rgb", planarconfig=planar, **options)
        np.testing.assert_array_equal(shown(tmp_path, data), values)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_white_may_be_zero(tmp_path, kind):
    values = np.array([[0, 1], [77, np.iinfo(kind).max]], kind)
    white = np.iinfo(kind).max
    read = shown(tmp_path, encoded(values, photometric="miniswhite"))
    np.testing.assert_array_equal(read[..., 2], np.rint(255.0 - values * (255.0 / white)))


def test_transparency_and_further_channels_of_16_bits(tmp_path):
    pixel = np.array([[[200, 100, 50, 51]]], np.uint16) * 257  # a fifth of it is seen
    for name, expected in (
        ("unassalpha", [244, 224, 214]),
        ("assocalpha", [255, 255, 254]),
        ("unspecified", [200, 100, 50]),
    ):
        read = shown(tmp_path, encoded(pixel, photometric="rgb", planarconfig="contig", extrasamples=[name]))
        assert read[0, 0].tolist() == expected, name


@pytest.mark.parametrize("kind", ["i2", "f4", "f8", "u4"])
def test_values_without_a_white_need_a_window(tmp_path, kind):
    values = np.array([[0, 40, 80], [100, 200, 400]], kind)
    with pytest.raises(
        ImageFileError,
        match=r"has .* pixels, and nothing says .* --window LOW,HIGH.* run=RunOptions\(window=\(low, high\)\)",
    ):
        shown(tmp_path, encoded(values))
    expected = [[0, 51, 102], [128, 255, 255]]
    assert shown(tmp_path, encoded(values), window=Window(low=0, high=200))[..., 1].tolist() == expected
    assert shown(tmp_path, encoded(values), window=Window(centre=100, width=200))[..., 1].tolist() == expected
    read = shown(tmp_path, encoded(values), window=Window(stored=True))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read[..., 0], values)


def test_the_files_own_tags_say_what_is_white(tmp_path):
    values = np.array([[[-100.0], [0.0], [50.0], [100.0]]], np.float32)
    assert shown(tmp_path, tagged(values, t340=[-100.0], t341=[100.0]))[0, :, 0].tolist() == [0, 128, 191, 255]
    read = shown(tmp_path, tagged(values, t340=[-100.0], t341=[100.0]), window=Window(low=0, high=100))
    assert read[0, :, 0].tolist() == [0, 0, 128, 255]
    holes = values.copy()
    holes[0, 1] = np.nan
    assert shown(tmp_path, tagged(holes, t340=[-100.0], t341=[100.0]))[0, :, 0].tolist() == [0, 0, 191, 255]


def test_a_window_is_looked_through_by_16_bits_but_not_by_8(tmp_path):
    low = np.array([[0, 1000, 4095]], np.uint16)
    assert shown(tmp_path, encoded(low))[0, :, 0].tolist() == [0, 4, 16]
    assert shown(tmp_path, encoded(low), window=Window(low=0, high=4095))[0, :, 0].tolist() == [0, 62, 255]
    assert shown(tmp_path, encoded(low.astype(np.uint8)), window=Window(low=0, high=9))[0, :, 0].tolist() == [
        0,
        232,
        255,
    ]


def test_palette_of_16_bit_numbers(tmp_path):
    table = np.random.default_rng(0).integers(0, 65536, (3, 65536)).astype(np.uint16)
    values = np.array([[0, 5, 65535]], np.uint16)
    read = shown(tmp_path, encoded(values, photometric="palette", colormap=table))
    np.testing.assert_array_equal(read[0], np.rint(table[:, [0, 5, 65535]].T / 257.0))


def test_pages(tmp_path):
    data = encoded(np.stack([SQUARE[..., 0], SQUARE[..., 1]]), photometric="minisblack")
    assert shown(tmp_path, data)[8, 8].tolist() == [250] * 3
    for page, value in ((0, 250), (1, 125), (-1, 125)):
        assert shown(tmp_path, data, window=Window(slice=page))[8, 8].tolist() == [value] * 3
    with pytest.raises(ImageFileError, match="has 2 pages, counted from 0; there is no page 2"):
        shown(tmp_path, data, window=Window(slice=2))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_a_page_for_each_band(tmp_path, kind):
    """What tifffile makes of an array with the bands in front."""
    values = noise(kind, 6)
    data = encoded(np.moveaxis(values, -1, 0).copy(), photometric="minisblack")
    read = shown(tmp_path, data, channels=6, window=Window(stored=True))
    np.testing.assert_array_equal(read, values)
    for channels, count in ((5, "1 channel"), (7, "1 channel")):
        with pytest.raises(ImageFileError, match=f"has {count}, but the net takes {channels}"):
            shown(tmp_path, data, channels=channels)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for side in (8, 9):
            writer.write(np.zeros((side, side), kind), photometric="minisblack")
    with pytest.raises(ImageFileError, match="has 2 pages of different kinds"):
        shown(tmp_path, stream.getvalue(), channels=2)


def test_orientation_of_16_bits(tmp_path):
    values = np.arange(6, dtype=np.uint16).reshape(2, 3) * 257
    read = shown(tmp_path, encoded(values, extratags=[(274, "H", 1, 6, True)]))
    np.testing.assert_array_equal(read[..., 0], np.rot90(np.arange(6).reshape(2, 3), -1))


def test_what_is_not_read_is_refused(tmp_path):
    values = noise("u2", 5, 4, 4)
    for data, reason in (
        (tagged(values, t259=[50000]), "packed with method 50000; possible: none, LZW, deflate, PackBits"),
        (tagged(values, t259=[8], t317=[3]), "predictor 3, which does not go with its numbers"),
        (tagged(values, t258=[24] * 5), "numbers of 24 bits and sample format"),
        (tagged(values, t258=[8, 16, 16, 16, 16]), "numbers of 8, 16 bits"),
        (tagged(values, t339=[6] * 5), "sample format"),
        (tagged(values), r"has 5 bands, but the net takes photographs of three; .* --bands 3,2,1"),
        (tagged(values[..., :1], t262=[32803]), "colours of kind 32803"),
    ):
        with pytest.raises(ImageFileError, match=reason):
            shown(tmp_path, data)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_an_error(tmp_path, share):
    for more in ({}, {"compression": "zlib"}, {"tile": (16, 16)}):
        data = encoded(noise("u2", 3), photometric="rgb", **more)
        stream = io.BytesIO(data)
        end = max(
            int(o) + int(c)
            for page in [tifffile.TiffFile(stream).pages[0]]
            for o, c in zip(page.dataoffsets, page.databytecounts)
        )
        with pytest.raises(ImageFileError, match="cut off|cannot be decoded"):
            shown(tmp_path, data[: int(share * end)])
