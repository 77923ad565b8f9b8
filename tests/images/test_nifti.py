"""NIfTI files that stand for much more than they are: what is held is bounded before anything is unpacked."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from measured_reads import outcome
from medical_files import write_nifti

from gradcam_tf1.errors import ImageFileError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.images.window import Window

nibabel = pytest.importorskip("nibabel")


def packed(path, side, kind, slices=1, content=None, **header):
    """A .nii.gz of zeros, written without holding them."""
    head = nibabel.Nifti1Header()
    head.set_data_dtype(kind)
    head.set_data_shape((side, side, slices))
    for name, value in header.items():
        head[name] = value
    head["vox_offset"] = 352
    with gzip.open(str(path), "wb", 1) as stream:
        stream.write(head.binaryblock + bytes(4))
        size = side * side * slices * np.dtype(kind).itemsize if content is None else content
        for start in range(0, size, 1 << 20):
            stream.write(bytes(min(1 << 20, size - start)))
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["complex64", "complex128"])
def test_complex_numbers_are_no_image(tmp_path, kind):
    data = packed(tmp_path / "a.nii.gz", 3000, kind)
    told, _, memory = outcome(tmp_path / "b.nii.gz", data)
    assert f"holds {kind} numbers, which are no image; save their magnitude as floats" in told
    assert memory < 60  # nibabel itself


def test_large_slices_of_large_numbers_are_refused(tmp_path):
    data = packed(tmp_path / "a.nii.gz", 9000, "float64", content=1 << 20)
    told, _, memory = outcome(tmp_path / "b.nii.gz", data)
    assert "has slices of 648,000,000 bytes, more than the 400,000,000 that are read" in told
    assert memory < 60


def test_small_numbers_do_not_become_large_ones(tmp_path):
    """64 megapixels of one byte, as floats 512 MB and more, are one byte each, and three where they are drawn."""
    data = packed(tmp_path / "a.nii.gz", 8000, "int8", scl_slope=1e-3, scl_inter=5)
    told, _, memory = outcome(tmp_path / "b.nii.gz", data)
    assert told == [8000, 8000, 3]
    assert memory < 450


def test_what_lies_in_front_of_the_slice_is_bounded(tmp_path):
    data = packed(tmp_path / "a.nii.gz", 20_000, "uint8", slices=30, content=1 << 20)
    (tmp_path / "a.nii.gz").write_bytes(data)
    with pytest.raises(ImageFileError, match=r"has 400,000,000 pixels|has 20000x20000 pixels"):
        read_image(str(tmp_path / "a.nii.gz"))
    (tmp_path / "a.nii.gz").write_bytes(packed(tmp_path / "b.nii.gz", 9000, "uint8", slices=200, content=1 << 20))
    with pytest.raises(ImageFileError, match="packed bytes before the slice; unpack it first"):
        read_image(str(tmp_path / "a.nii.gz"))


def test_slope_and_intercept_are_those_of_floats(tmp_path):
    values = np.array([[[-100], [0]], [[50], [100]]], np.int8)
    for slope, inter, low, high in ((2.0, 10.0, -100, 200), (-0.5, 3.0, -40, 60), (1e-6, 7.0, 6.99995, 7.00005)):
        path = write_nifti(tmp_path / "a.nii", values, scl_slope=slope, scl_inter=inter)
        measured = np.rot90(values[..., 0].astype(np.float64) * np.float32(slope) + np.float32(inter))
        expected = np.rint(((measured - low) / (high - low) * 255).clip(0, 255))
        read = read_image(path, window=Window(low=low, high=high))[..., 0]
        np.testing.assert_allclose(read, expected, atol=1)
        spread = (measured - measured.min()) / (measured.max() - measured.min())
        np.testing.assert_allclose(read_image(path)[..., 0], np.rint(spread * 255), atol=1)
        stored = read_image(path, window=Window(stored=True))
        np.testing.assert_allclose(stored[..., 0], measured, rtol=1e-6)


def test_a_slope_that_hides_everything(tmp_path):
    path = write_nifti(tmp_path / "a.nii", np.arange(8, dtype=np.int16).reshape(2, 2, 2), scl_slope=1e-30, scl_inter=1)
    assert not read_image(path).any()
    with pytest.raises(ImageFileError, match="has the slope 1e-30 and intercept 1 .*, with which nothing is visible"):
        read_image(path, window=Window(low=0, high=1e299))
