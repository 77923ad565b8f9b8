"""Finding and reading pictures: every format against known pixels, every bad file against its reason."""

from __future__ import annotations

import os
import socket
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images import EXTENSIONS, ImageFile, list_images, read_image

# Four flat quarters of 8x8: robust to JPEG, and every turn or flip of them is different.
QUARTERS = {"red": (250, 10, 20), "green": (15, 240, 30), "blue": (20, 25, 245), "white": (250, 250, 250)}


def quarters(height=16, width=24):
    image = np.empty((height, width, 3), np.uint8)
    h, w = height // 2, width // 2
    image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:] = QUARTERS.values()
    return image


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def relatives(source):
    return [item.relative for item in list_images(source)]


# Listing


def test_folder_is_recursive_sorted_and_without_hidden_or_other_files(tmp_path):
    touch(tmp_path, "b.JPG", "a.png", "sub/c.TiFF", "sub/deep/d.webp", "notes.txt", ".hidden.jpg", ".git/e.jpg", "jpg")
    assert relatives(tmp_path) == ["a.png", "b.JPG", "sub/c.TiFF", "sub/deep/d.webp"]
    assert list_images(str(tmp_path))[3] == ImageFile(str(tmp_path / "sub" / "deep" / "d.webp"), "sub/deep/d.webp")


def test_every_known_extension(tmp_path):
    touch(tmp_path, *(f"{i:02}.{extension}" for i, extension in enumerate(EXTENSIONS)))
    assert len(relatives(tmp_path)) == len(EXTENSIONS) == 16


def test_one_file_of_any_extension_even_hidden(tmp_path):
    touch(tmp_path, ".photo.dat")
    assert list_images(tmp_path / ".photo.dat") == [ImageFile(str(tmp_path / ".photo.dat"), ".photo.dat")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["a.jpg"]),
        ("*", ["a.jpg", "b.png"]),
        ("**", ["a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg", "z/c.jpg"]),
        ("**/*.jpg", ["a.jpg", "x/c.jpg", "x/y/d.jpg", "z/c.jpg"]),
        ("*/c.jpg", ["x/c.jpg", "z/c.jpg"]),
        ("[x]/**/*.jp?", ["x/c.jpg", "x/y/d.jpg"]),
        ("x/*.jpg", ["c.jpg"]),
    ],
)
def test_patterns(tmp_path, pattern, expected):
    touch(tmp_path, "a.jpg", "b.png", "x/c.jpg", "x/y/d.jpg", "z/c.jpg", "x/readme.md", ".h/e.jpg")
    assert relatives(tmp_path / pattern) == expected


def test_pattern_in_the_working_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "x/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert relatives("*.jpg") == ["a.jpg"]
    assert relatives("**/*.jpg") == ["a.jpg", "x/b.jpg"]


def test_a_name_with_brackets_that_exists_is_no_pattern(tmp_path):
    touch(tmp_path, "cat[1].jpg", "cat1.jpg")
    assert relatives(tmp_path / "cat[1].jpg") == ["cat[1].jpg"]


def test_home_folder(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert list_images("~/a.jpg") == [ImageFile(str(tmp_path / "a.jpg"), "a.jpg")]


def test_list_keeps_its_order_and_takes_every_form(tmp_path):
    touch(tmp_path, "z.jpg", "sub/b.jpg", "sub/a.jpg", "other/c.png")
    source = (str(tmp_path / "z.jpg"), tmp_path / "sub", [str(tmp_path / "other" / "*.png")])
    assert relatives(source) == ["z.jpg", "a.jpg", "b.jpg", "c.png"]


def test_equal_names_of_different_folders_stay_apart(tmp_path):
    touch(tmp_path, "one/cat.jpg", "two/cat.jpg", "two/dog.jpg", "deep/one/cat.jpg")
    source = [tmp_path / "one", tmp_path / "two" / "cat.jpg", tmp_path / "two" / "dog.jpg", tmp_path / "deep" / "one"]
    assert relatives(source) == ["one/cat.jpg", "two/cat.jpg", "dog.jpg", "one/cat-2.jpg"]
    assert relatives(source) == relatives(source)


def test_a_file_given_twice_is_listed_twice_under_two_names(tmp_path):
    touch(tmp_path, "one/cat.jpg")
    assert relatives([tmp_path / "one" / "cat.jpg"] * 3) == ["one/cat.jpg", "one/cat-2.jpg", "one/cat-3.jpg"]


def test_a_new_name_never_takes_one_that_is_there(tmp_path):
    touch(tmp_path, "all/one/cat.jpg", "one/cat.jpg", "two/cat.jpg")
    names = relatives([tmp_path / "all", tmp_path / "one" / "cat.jpg", tmp_path / "two" / "cat.jpg"])
    assert names == ["one/cat.jpg", "one/cat-2.jpg", "two/cat.jpg"]


def test_symlink_loops_end_and_each_folder_is_listed_once(tmp_path):
    touch(tmp_path, "a/one.jpg", "b/two.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    assert relatives(tmp_path) == ["a/one.jpg", "b/two.jpg"]
    assert relatives(tmp_path / "**" / "*.jpg") == ["a/one.jpg", "b/two.jpg"]


def test_linked_folders_and_files_are_followed(tmp_path):
    touch(tmp_path, "elsewhere/one.jpg", "photos/two.jpg")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "same.jpg").symlink_to(tmp_path / "photos" / "two.jpg")
    assert relatives(tmp_path / "photos") == ["link/one.jpg", "same.jpg", "two.jpg"]


def test_an_unreadable_folder_stays_in_the_listing_with_its_reason(tmp_path, monkeypatch):
    touch(tmp_path, "a.jpg", "locked/b.jpg")
    real = os.scandir

    def refusing(folder):  # the tests may run as root, whom no permission stops
        if str(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert relatives(tmp_path) == ["a.jpg", "locked"]
    assert relatives(tmp_path / "locked*" / "*.jpg") == ["locked"]
    with pytest.raises(ImageFileError, match=r"locked' is a folder, not a picture file"):
        read_image(list_images(tmp_path)[1].path)


def test_nothing_found_says_where_and_what_is_known(tmp_path):
    touch(tmp_path, "a.txt", "sub/b.heic")
    for source in (tmp_path, tmp_path / "**"):
        with pytest.raises(ImageFileError, match=r"no pictures in '.*': 2 other files there; .*: jpg jpeg .* ppm pgm"):
            list_images(source)


def test_missing_path(tmp_path):
    with pytest.raises(ImageFileError, match=r"no such file or folder: '.*nowhere'"):
        list_images(tmp_path / "nowhere")


def test_empty_list():
    with pytest.raises(ImageFileError, match="the list of paths is empty"):
        list_images([])


@pytest.mark.parametrize("source", [None, 7, b"photos", np.zeros((2, 2, 3))])
def test_something_else_than_paths(source):
    with pytest.raises(ImageFileError, match="a folder, file, pattern or list of these"):
        list_images(source)


# Reading


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
def test_a_broken_exif_block_does_not_lose_the_picture(tmp_path, exif):
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


def png(width, height, bits, kind, rows):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_16_bit_colour_becomes_8_bit_colour(tmp_path):
    values = np.array([[[65535, 32896, 0], [257, 514, 65535]]], ">u2")
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 2, b"\0" + values.tobytes()))
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


# Reading what is no picture


@pytest.mark.parametrize("extension", ["jpg", "png", "gif", "bmp", "webp", "tif", "ppm"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_an_error_not_half_a_picture(tmp_path, extension, share):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"a.{extension}"
    Image.fromarray(noise).save(path)
    read_image(str(path))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ImageFileError, match=r"cannot be decoded|known format"):
        read_image(str(path))


def test_a_truncated_progressive_jpeg_is_an_error(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", progressive=True)
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-400])
    with pytest.raises(ImageFileError, match=r"cannot be decoded: .*truncated"):
        read_image(str(tmp_path / "a.jpg"))


def test_empty_file(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(ImageFileError, match=r"a.jpg' is empty \(0 bytes\)"):
        read_image(str(tmp_path / "a.jpg"))


@pytest.mark.parametrize(
    "content", [b"hello, I am a text file", b"<html>404</html>", b"PK\3\4zip", bytes(range(256)) * 9]
)
def test_other_content(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageFileError, match=r"not a picture in a known format \(JPEG, PNG,"):
        read_image(str(tmp_path / "a.jpg"))


def test_postscript_is_never_handed_to_an_interpreter(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n")
    with pytest.raises(ImageFileError, match="known format"):
        read_image(str(tmp_path / "a.jpg"))


def test_folder(tmp_path):
    with pytest.raises(ImageFileError, match="is a folder, not a picture file"):
        read_image(str(tmp_path))


def test_named_pipe_does_not_block(tmp_path):
    os.mkfifo(str(tmp_path / "a.jpg"))
    with pytest.raises(ImageFileError, match="is a named pipe"):
        read_image(str(tmp_path / "a.jpg"))


def test_socket_and_device(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is limited to about 100 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.jpg")
        with pytest.raises(ImageFileError, match="is a socket"):
            read_image("a.jpg")
    with pytest.raises(ImageFileError, match="is a device"):
        read_image(os.devnull)


def test_missing_file_and_dangling_link(tmp_path):
    with pytest.raises(ImageFileError, match=r"cannot be opened: No such file"):
        read_image(str(tmp_path / "a.jpg"))
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a.jpg")
    with pytest.raises(ImageFileError, match="a link that leads nowhere"):
        read_image(str(tmp_path / "b.jpg"))
    assert relatives(tmp_path) == ["b.jpg"]


def test_no_permission(tmp_path, monkeypatch):
    Image.fromarray(quarters()).save(tmp_path / "a.png")

    def refusing(path, flags):  # the tests may run as root, whom no permission stops
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(ImageFileError, match="cannot be opened: Permission denied"):
        read_image(str(tmp_path / "a.png"))


def test_nul_in_the_path():
    with pytest.raises(ImageFileError, match="cannot be opened: embedded null"):
        read_image("a\0.jpg")


def test_size_is_checked_before_decoding(tmp_path):
    # The header promises 80 million pixels and no data follow: only a check in the header can say this.
    (tmp_path / "a.png").write_bytes(png(10_000, 8_000, 8, 2, b""))
    with pytest.raises(ImageFileError, match=r"has 10000x8000 pixels, more than the 79,999,999"):
        read_image(str(tmp_path / "a.png"), max_pixels=79_999_999)
    Image.fromarray(quarters()).save(tmp_path / "b.png")
    with pytest.raises(ImageFileError, match=r"has 24x16 pixels, more than the 383"):
        read_image(str(tmp_path / "b.png"), max_pixels=16 * 24 - 1)
    read_image(str(tmp_path / "b.png"), max_pixels=16 * 24)


def test_a_decompression_bomb(tmp_path):
    (tmp_path / "a.png").write_bytes(png(60_000, 60_000, 1, 0, b""))
    with pytest.raises(ImageFileError, match=r"has too many pixels: .*3600000000"):
        read_image(str(tmp_path / "a.png"))
    (tmp_path / "b.png").write_bytes(png(10_000, 9_000, 1, 0, b""))  # Pillow only warns of these
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageFileError, match=r"has too many pixels: .*90000000"):
            read_image(str(tmp_path / "b.png"))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_32_bit_pixels_have_no_known_white(tmp_path, kind):
    Image.fromarray(np.ones((4, 4), kind)).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match="has 32-bit pixels"):
        read_image(str(tmp_path / "a.tif"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged TIFF tags
def test_damaged_files_give_one_kind_of_error(tmp_path):
    """Thousands of flipped bytes: a picture or an ImageFileError, never a traceback out of Pillow."""
    random = np.random.default_rng(2)
    outcomes = set()
    for extension in ("jpg", "png", "gif", "bmp", "webp", "tif", "ppm"):
        path = tmp_path / f"a.{extension}"
        Image.fromarray(quarters(32, 48)).save(path)
        data = np.frombuffer(path.read_bytes(), np.uint8)
        for _ in range(60):
            damaged = data.copy()
            damaged[random.integers(0, min(data.size, 200), 6)] = random.integers(0, 256, 6)
            path.write_bytes(damaged.tobytes())
            try:
                outcomes.add(read_image(str(path), max_pixels=10**6).shape[2])
            except ImageFileError:
                outcomes.add("error")
    assert outcomes == {3, "error"}


def test_real_photographs_are_all_readable(models_dir):
    listed = list_images(models_dir / "photos")
    assert len(listed) > 30
    shapes = {Path(item.path).name: read_image(item.path).shape for item in listed}
    assert shapes["laska.png"] == (227, 227, 3)  # RGBA
    assert shapes["n02676566_acoustic_guitar.JPEG"] == (467, 700, 3)  # gray
