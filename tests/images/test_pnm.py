"""Every kind of PNM: written by hand, against the numbers written."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images import pnm as pnm_module
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.window import Window


def shown(tmp_path, data, **options):
    (tmp_path / "a.pnm").write_bytes(data)
    return read_image(str(tmp_path / "a.pnm"), **options)


def header(kind, width, height, most=None):
    return b"P%d # a comment 9 9\n%d %d%s\n" % (kind, width, height, b"" if most is None else b"\n%d" % most)


@pytest.mark.parametrize("most", [1, 7, 100, 254, 255, 256, 1000, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_any_maximum(tmp_path, kind, most):
    depth = 3 if kind in (3, 6) else 1
    values = np.random.default_rng(most).integers(0, most, (5, 7, depth), endpoint=True)
    values[0, 0], values[0, 1] = 0, most
    if kind < 4:
        body = b"\n".join(b" ".join(b"%d" % value for value in row.ravel()) for row in values)
    else:
        body = values.astype("u1" if most < 256 else ">u2").tobytes()
    read = shown(tmp_path, header(kind, 7, 5, most) + body)
    np.testing.assert_array_equal(
        read, np.rint(np.repeat(values, 4 - depth if depth == 1 else 1, axis=2) * 255.0 / most)
    )
    assert read.dtype == np.uint8


def test_a_large_image_of_any_maximum_is_read_at_once(tmp_path):
    """Pillow takes it pixel by pixel, in more steps than a file may be read in."""
    values = np.random.default_rng(0).integers(0, 255, (1500, 1500, 3), dtype=np.uint8)
    read = shown(tmp_path, header(6, 1500, 1500, 254) + values.tobytes())
    np.testing.assert_array_equal(read, np.rint(values * (255 / 254)))


@pytest.mark.parametrize("kind", [1, 4])
def test_one_bit(tmp_path, kind):
    black = np.random.default_rng(0).integers(0, 2, (5, 13))
    if kind == 1:
        body = b"".join(b"%d" % bit + (b"\n" if i % 5 == 4 else b"") for i, bit in enumerate(black.ravel()))
    else:
        body = np.packbits(black.astype(np.uint8), axis=1).tobytes()
    np.testing.assert_array_equal(shown(tmp_path, header(kind, 13, 5) + body)[..., 0], 255 * (1 - black))


def test_text_is_the_same_however_it_is_cut(tmp_path, monkeypatch):
    values = np.random.default_rng(0).integers(0, 1000, (9, 11))
    body = b"".join(b"%d%s" % (value, b" # 3 4\n" if i % 7 == 0 else b" ") for i, value in enumerate(values.ravel()))
    for block in (1, 2, 5, 17, 1 << 20):
        monkeypatch.setattr(pnm_module, "_BLOCK", block)
        read = shown(tmp_path, header(2, 11, 9, 999) + body)
        np.testing.assert_array_equal(read[..., 0], np.rint(values * 255.0 / 999), err_msg=str(block))


@pytest.mark.parametrize(
    ("depth", "kind", "expected"),
    [
        (1, "GRAYSCALE", [40] * 3),
        (2, "GRAYSCALE_ALPHA", [212] * 3),
        (3, "RGB", [40, 80, 120]),
        (4, "RGB_ALPHA", [212, 220, 228]),
    ],
)
@pytest.mark.parametrize("most", [255, 65535])
def test_arbitrary_maps(tmp_path, depth, kind, expected, most):
    pixel = ([40, 80, 120, 51] if depth > 2 else [40, 51])[:depth]
    data = b"P7\n# x\nWIDTH 1\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % (depth, most, kind.encode())
    pixels = np.array(pixel) * (most // 255)
    assert shown(tmp_path, data + pixels.astype("u1" if most == 255 else ">u2").tobytes())[0, 0].tolist() == expected


def test_bands_of_a_map_are_not_a_photograph(tmp_path):
    data = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n\1\2\3\4\5"
    with pytest.raises(ImageFileError, match="has 5 bands, but the net takes photographs of three"):
        shown(tmp_path, data)
    assert shown(tmp_path, data, channels=5).tolist() == [[[1, 2, 3, 4, 5]]]
    assert shown(tmp_path, data, bands=(5, 3, 1)).tolist() == [[[5, 3, 1]]]


@pytest.mark.parametrize("order", "<>")
def test_floats_need_a_window(tmp_path, order):
    values = np.array([[0, 0.5], [1, 2]], np.float32)
    data = b"Pf\n2 2\n%s1.0\n" % (b"-" if order == "<" else b"") + values[::-1].astype(f"{order}f4").tobytes()
    with pytest.raises(ImageFileError, match=r"has 32-bit float pixels, .* --window LOW,HIGH"):
        shown(tmp_path, data)
    assert shown(tmp_path, data, window=Window(low=0, high=1))[..., 0].tolist() == [[0, 128], [255, 255]]


def test_what_pillow_reads_is_read_as_pillow_does(tmp_path):
    for mode in ("1", "L", "RGB"):
        noise = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
        image, stream = Image.fromarray(noise).convert(mode), io.BytesIO()
        image.save(stream, "ppm")
        np.testing.assert_array_equal(shown(tmp_path, stream.getvalue()), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P6 3 2 255\n" + bytes(17), "truncated, 1 bytes are missing"),
        (b"P4 9 2\n" + bytes(3), "truncated, 1 bytes"),
        (b"P3 3 2 255\n1 2 3", "truncated, 15 values"),
        (b"P2 2 1 9\n5 10", "a value above its maximum 9"),
        (b"P2 2 1 9\n5 -1", "a value above its maximum 9"),
        (b"P2 2 1 9\n5 x", "cannot be decoded: invalid literal"),
        (b"P6 3 2 65536\n", "the maximum 65536; possible: 1 to 65535"),
        (b"P6 0 2 255\n", "its header says 0x2 pixels"),
        (b"P6 99999 99999 255\n", "has 99999x99999 pixels"),
        (b"P6 3 ", "its header has no end"),
        (b"P6 #" + bytes(1 << 17), "its header has no end"),
        (b"P7\nWIDTH 1\nHEIGHT 1\n" + b"#\n" * 2000, "its header has no end"),
        (b"P7\nWIDTH 1\nENDHDR\n", "cannot be decoded: 'DEPTH'"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2000000000\nMAXVAL 255\nENDHDR\n", "holds 2,000,000,000 bytes of numbers"),
        (b"P2 9 9 9\n" + b"1" * 5000, "too long for a number"),
        (b"Pf 1 1 0\n" + struct.pack("f", 1), "damaged PNM"),
    ],
)
def test_damaged_ones(tmp_path, data, reason):
    with pytest.raises(ImageFileError, match=reason):
        shown(tmp_path, data)
