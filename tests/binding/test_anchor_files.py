"""Anchors from files: the same numbers as from arrays, and nothing else than numbers is read."""

from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from gradcam_tf1.binding.anchor_files import anchor_bytes
from gradcam_tf1.errors import TargetError

ANCHORS = np.random.RandomState(0).uniform(0.1, 0.9, (6, 4))


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_a_file_has_the_numbers_of_its_array(tmp_path, dtype):
    path = tmp_path / "anchors.npy"
    np.save(str(path), np.asfortranarray(ANCHORS.astype(dtype)))
    expected = ANCHORS.astype(dtype).astype(np.float32)
    assert anchor_bytes(path) == anchor_bytes(str(path)) == anchor_bytes(expected) == expected.tobytes()


def header(dtype, shape, data=b""):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue() + data


def archive():
    stream = io.BytesIO()
    np.savez(stream, anchors=ANCHORS)
    assert zipfile.is_zipfile(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive(), r"are no \.npy file; give an \.npy file of numbers, as np\.save\('anchors\.npy', anchors\)"),
        (b"hello", r"are no \.npy file"),
        (b"", r"cannot be read"),
        (header("<f4", (1 << 40, 4)), r"are cut off: 17592186044416 bytes are missing"),
        (header("<c8", (1, 4), bytes(32)), r"are an array of complex64"),
        (header("<f4", (4,), bytes(16)), r"anchors are \[anchors, 4\], .*; given: \[4\]"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, content, message):
    path = tmp_path / "anchors.npy"
    path.write_bytes(content)
    with pytest.raises(TargetError, match=message):
        anchor_bytes(str(path))


@pytest.mark.parametrize("form", ["pickle", "objects"])
def test_code_in_a_file_never_runs(tmp_path, form):
    path, made = tmp_path / "anchors.npy", tmp_path / "made"
    with open(str(path), "wb") as file:
        if form == "pickle":
            pickle.dump(Code(str(made)), file)
        else:
            np.save(file, np.array([Code(str(made)), 1], object), allow_pickle=True)
    with pytest.raises(TargetError, match=r"no \.npy file|an array of object") as refusal:
        anchor_bytes(str(path))
    assert "allow_pickle" not in str(refusal.value)
    assert not made.exists()


def test_complex_anchors_are_refused():
    with pytest.raises(TargetError, match=r"anchors are \[anchors, 4\]"):
        anchor_bytes(ANCHORS.astype(np.complex64))
