"""Every file that is no image, or half of one, against its reason."""

from __future__ import annotations

import os
import socket
import warnings

import numpy as np
import pytest
from image_files import png, quarters, relatives
from PIL import Image

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image


@pytest.mark.parametrize("extension", ["jpg", "png", "gif", "bmp", "webp", "tif", "ppm"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_file_is_an_error_not_half_an_image(tmp_path, extension, share):
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
    with pytest.raises(ImageFileError, match=r"not an image in a known format \(JPEG, PNG,"):
        read_image(str(tmp_path / "a.jpg"))


def test_postscript_is_never_handed_to_an_interpreter(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n%%EOF\n")
    with pytest.raises(ImageFileError, match="known format"):
        read_image(str(tmp_path / "a.jpg"))


def test_folder(tmp_path):
    with pytest.raises(ImageFileError, match="is a folder, not an image file"):
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
    (tmp_path / "a.png").write_bytes(png(10_000, 8_000))
    with pytest.raises(ImageFileError, match=r"has 10000x8000 pixels, more than the 79,999,999"):
        read_image(str(tmp_path / "a.png"), max_pixels=79_999_999)
    Image.fromarray(quarters()).save(tmp_path / "b.png")
    with pytest.raises(ImageFileError, match=r"has 24x16 pixels, more than the 383"):
        read_image(str(tmp_path / "b.png"), max_pixels=16 * 24 - 1)
    read_image(str(tmp_path / "b.png"), max_pixels=16 * 24)


def test_a_decompression_bomb(tmp_path):
    (tmp_path / "a.png").write_bytes(png(60_000, 60_000, bits=1, kind=0))
    with pytest.raises(ImageFileError, match="has 60000x60000 pixels, more than the 100,000,000 that are allowed"):
        read_image(str(tmp_path / "a.png"))


@pytest.mark.parametrize(("height", "reason"), [(9_500, "cannot be decoded"), (17_000, "has 10000x17000 pixels")])
def test_no_warning_of_pillow_reaches_the_user(tmp_path, height, reason):
    """Pillow warns of 90 to 179 million pixels."""
    limit = Image.MAX_IMAGE_PIXELS
    (tmp_path / "a.png").write_bytes(png(10_000, height, bits=1, kind=0))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(ImageFileError, match=reason):
            read_image(str(tmp_path / "a.png"))
    assert [str(warning.message) for warning in told] == []
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", ["float", "signed"])
def test_32_bit_pixels_have_no_known_white(tmp_path, kind):
    Image.fromarray(np.ones((4, 4), {"float": np.float32, "signed": np.int32}[kind])).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match=rf"has 32-bit {kind} pixels, .* --window LOW,HIGH"):
        read_image(str(tmp_path / "a.tif"))


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, on damaged TIFF tags
def test_damaged_files_give_one_kind_of_error(tmp_path):
    """Thousands of flipped bytes: an image or an ImageFileError, never a traceback out of Pillow."""
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
