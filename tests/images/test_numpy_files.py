"""Arrays of numpy whose headers lie: read as images, and fed to other inputs."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from gradcam_tf1.cli.feed_options import feeds
from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image


def npy(path, shape, descr="'|u1'", data=b"", fortran=False):
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return str(path)


DAMAGED = [(-1, 200), (8, -8), (-8, -8), (8, 8, -3), (-1, -1, 3)]


@pytest.mark.parametrize("shape", DAMAGED, ids=str)
def test_a_negative_side_is_damage(tmp_path, shape):
    with pytest.raises(ImageFileError, match=r"is a damaged array: its header says the shape \["):
        read_image(npy(tmp_path / "a.npy", shape, data=bytes(1000)), max_pixels=100)


@pytest.mark.parametrize("shape", [(1, 1, 2**62), (1, 4, 2**62), (2, 2, 2**63), (3, 3, 10**30)], ids=str)
def test_a_product_that_goes_round_is_too_large(tmp_path, shape):
    with pytest.raises(ImageFileError, match="bytes of numbers, more than the 400,000,000 that are read"):
        read_image(npy(tmp_path / "a.npy", shape, "'<f4'", bytes(1000)))


@pytest.mark.parametrize("descr", ["'|O'", "'<U3'", "'|S9'", "[('a', '<f4'), ('b', '|O')]", "'<M8[s]'", "'|V8'"])
def test_what_holds_no_numbers_is_no_image(tmp_path, descr):
    with pytest.raises(ImageFileError, match="an image is"):
        read_image(npy(tmp_path / "a.npy", (8, 8), descr, bytes(9999)))


def test_the_first_side_may_run_fastest(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    path = npy(tmp_path / "a.npy", (5, 4, 3), data=values.tobytes("F"), fortran=True)
    np.testing.assert_array_equal(read_image(path), values)


@pytest.mark.parametrize(
    ("shape", "descr", "reason"),
    [
        ((-1, 200), "'|u1'", "is a damaged array: its header says the shape"),
        ((2**62, 4), "'<f4'", "larger than the 2 GB that can be fed"),
        ((1 << 30, 3), "'|u1'", "larger than the 2 GB that can be fed"),
        ((8, 8), "[('a', '<f4'), ('b', '<f4')]", "possible: numbers, bools, strings"),
        ((8, 8), "'|O'", "possible: numbers, bools, strings"),
    ],
    ids=str,
)
def test_a_header_that_lies_is_not_fed(tmp_path, shape, descr, reason):
    path = npy(tmp_path / "a.npy", shape, descr, bytes(9999))
    with pytest.raises(Exception, match=reason) as error:
        feeds(None, None, (f"x=@{path}",))
    assert type(error.value).__name__ == "BadParameter"


@pytest.mark.parametrize("value", [np.float32(3), np.zeros((0, 3)), np.array(["a", "bc"]), np.eye(3) > 0], ids=str)
def test_arrays_of_any_other_shape_are_fed(tmp_path, value):
    np.save(str(tmp_path / "a.npy"), value)
    np.testing.assert_array_equal(feeds(None, None, (f"x=@{tmp_path / 'a.npy'}",))["x"], value)
