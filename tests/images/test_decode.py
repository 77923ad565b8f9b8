"""Every format of images read against known pixels."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_files import QUARTERS, chunk, png, quarters
from PIL import Image

from gradcam_tf1.images.image_files import list_images, read_image


@pytest.mark.parametrize("extension", ["png", "bmp", "tif", "ppm", "webp"])
def test_lossless_formats_keep_every_pixel(tmp_path, extension):
    image = np.random.default_rng(0).integers(0, 256, (7, 11, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / f"a.{extension}", **({"lossless": True} if extension == "webp" else {}))
    read = read_image(str(tmp_path / f"a.{extension}"))
    np.testing.assert_array_equal(read, image)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous
    assert read.flags.writeable


def test_jpeg_is_rgb_not_bgr(tmp_path):
    Image.fromarray(quarters(32, 48)).save(tmp_path / "a.jpg", quality=98, subsampling=0)
    np.testing.assert_allclose(read_image(str(tmp_path / "a.jpg")).astype(int), quarters(32, 48), atol=6)


def test_the_content_decides_not_the_extension(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.jpg")), quarters())


def stored_for(orientation, upright):
    """The pixels a camera stores under this EXIF orientation, EXIF 2.32: where row 0 and column 0 lie."""
    row0, column0 = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[orientation]  # fmt: skip
    stored = upright if row0 in ("top", "bottom") else upright.transpose(1, 0, 2)
    return stored[:: -1 if row0 in ("bottom", "right") else 1, :: -1 if column0 in ("bottom", "right") else 1]


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_exactly_once(tmp_path, orientation, extension):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 98, "subsampling": 0} if extension == "jpg" else {}
    if extension == "webp":
        options = {"lossless": True}
    stored = np.ascontiguousarray(stored_for(orientation, quarters(32, 48)))
    Image.fromarray(stored).save(tmp_path / f"a.{extension}", exif=exif, **options)
    read = read_image(str(tmp_path / f"a.{extension}"))
    assert read.shape == (32, 48, 3)
    np.testing.assert_allclose(read.astype(int), quarters(32, 48), atol=6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage that is no TIFF", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_a_broken_exif_block_does_not_lose_the_image(tmp_path, exif):
    Image.fromarray(quarters(32, 48)).save(tmp_path / "a.jpg", quality=98, subsampling=0, exif=exif)
    np.testing.assert_allclose(read_image(str(tmp_path / "a.jpg")).astype(int), quarters(32, 48), atol=6)


def test_an_orientation_out_of_range_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 77
    Image.fromarray(quarters()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.png")), quarters())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_alpha_is_laid_on_white(tmp_path, mode, extension):
    if mode == "LA" and extension == "webp":
        extension = "png"
    colours = np.array([[[200, 100, 0], [200, 100, 0], [200, 100, 0], [200, 100, 0]]], np.float64)
    if mode == "LA":
        colours = np.full_like(colours, 90)
    alpha = np.array([[255, 128, 51, 0]], np.float64)
    stored = np.concatenate([colours[..., : 3 if mode == "RGBA" else 1], alpha[..., None]], axis=2).astype(np.uint8)
    options = {"lossless": True, "exact": True} if extension == "webp" else {}
    Image.fromarray(stored, mode).save(tmp_path / f"a.{extension}", **options)
    share = alpha[..., None] / 255
    np.testing.assert_allclose(
        read_image(str(tmp_path / f"a.{extension}")), colours * share + 255 * (1 - share), atol=1
    )


def test_palette_with_and_without_transparency(tmp_path):
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 200, 100, 50, 7, 8, 9])
    indexed.save(tmp_path / "plain.png")
    indexed.save(tmp_path / "clear.png", transparency=1)
    indexed.save(tmp_path / "clear.gif", transparency=1)
    np.testing.assert_array_equal(read_image(str(tmp_path / "plain.png")), [[[10, 20, 30], [200, 100, 50], [7, 8, 9]]])
    for name in ("clear.png", "clear.gif"):
        np.testing.assert_array_equal(read_image(str(tmp_path / name)), [[[10, 20, 30], [255, 255, 255], [7, 8, 9]]])


def test_rgb_with_a_transparent_colour(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "a.png", transparency=QUARTERS["red"])
    read = read_image(str(tmp_path / "a.png"))
    np.testing.assert_array_equal(read[:8, :12], np.full((8, 12, 3), 255))
    np.testing.assert_array_equal(read[8:], quarters()[8:])


@pytest.mark.parametrize("extension", ["png", "tif", "pgm"])
def test_16_bit_gray_is_scaled_not_clipped(tmp_path, extension):
    values = np.array([[0, 257, 32896, 65535, 300, 60000]], np.uint16)
    path = tmp_path / f"a.{extension}"
    if extension == "pgm":
        path.write_bytes(b"P5 6 1 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(path)
    read = read_image(str(path))
    np.testing.assert_array_equal(read[..., 0], [[0, 1, 128, 255, 1, 233]])
    assert read.shape == (1, 6, 3)
    np.testing.assert_array_equal(read[..., 0], read[..., 2])


def test_big_endian_16_bit_gray(tmp_path):
    values = np.array([[0, 0x0102, 65535]], ">u2")
    header = struct.pack(">2sHI", b"MM", 42, 8)
    tags = [(256, 3, 3), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (277, 3, 1), (278, 3, 1)]
    entries = [struct.pack(">HHIHH", tag, kind, 1, value, 0) for tag, kind, value in tags]
    offset = 8 + 2 + 12 * 9 + 4
    entries.insert(5, struct.pack(">HHII", 273, 4, 1, offset))
    entries.append(struct.pack(">HHII", 279, 4, 1, values.nbytes))
    data = header + struct.pack(">H", 9) + b"".join(entries) + struct.pack(">I", 0) + values.tobytes()
    (tmp_path / "a.tif").write_bytes(data)
    np.testing.assert_array_equal(read_image(str(tmp_path / "a.tif"))[..., 1], [[0, 1, 255]])


def test_16_bit_colour_becomes_8_bit_colour(tmp_path):
    values = np.array([[[65535, 32896, 0], [257, 514, 65535]]], ">u2")
    data = chunk(b"IDAT", zlib.compress(b"\0" + values.tobytes()))
    (tmp_path / "a.png").write_bytes(png(2, 1, data, bits=16))
    np.testing.assert_allclose(read_image(str(tmp_path / "a.png")).astype(int), [[[255, 128, 0], [1, 2, 255]]], atol=1)


@pytest.mark.parametrize("extension", ["png", "jpg", "bmp", "pgm"])
def test_gray_becomes_three_equal_channels(tmp_path, extension):
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(tmp_path / f"a.{extension}")
    np.testing.assert_array_equal(read_image(str(tmp_path / f"a.{extension}")), np.full((8, 8, 3), 77))


@pytest.mark.parametrize("extension", ["png", "tif", "bmp"])
def test_one_bit_is_black_and_white(tmp_path, extension):
    Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1").save(tmp_path / f"a.{extension}")
    np.testing.assert_array_equal(read_image(str(tmp_path / f"a.{extension}"))[..., 0], [[0, 255, 255]])


def test_cmyk_jpeg_is_not_a_negative(tmp_path):
    Image.fromarray(quarters(32, 48)).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    np.testing.assert_allclose(read_image(str(tmp_path / "a.jpg")).astype(int), quarters(32, 48), atol=12)


@pytest.mark.parametrize("extension", ["gif", "webp", "png", "tif"])
def test_first_frame_of_an_animation(tmp_path, extension):
    frames = [Image.new("RGB", (9, 5), colour) for colour in ("white", "black", "black")]
    frames[0].save(tmp_path / f"a.{extension}", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(str(tmp_path / f"a.{extension}")), np.full((5, 9, 3), 255))


def test_real_photographs_are_all_readable(models_dir):
    listed = list_images(models_dir / "photos")
    assert len(listed) > 30
    shapes = {Path(item.path).name: read_image(item.path).shape for item in listed}
    assert shapes["laska.png"] == (227, 227, 3)  # RGBA
    assert shapes["n02676566_acoustic_guitar.JPEG"] == (467, 700, 3)  # gray
