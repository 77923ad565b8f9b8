"""HDF5 files of unknown origin: refused if they name other files, crash, hang or unpack to gigabytes."""

from __future__ import annotations

import sys
import zlib

import h5py
import numpy as np
import pytest

from gradcam_tf1.errors import ModelFileError, WeightsError
from gradcam_tf1.loaders import hdf5, load
from gradcam_tf1.loaders.hdf5 import find_damage
from gradcam_tf1.nets.vgg_weights import read_weights


def test_files_that_name_other_files(tmp_path):
    with h5py.File(str(tmp_path / "other.h5"), "w") as file:
        file["secret"] = [1.0]
    with h5py.File(str(tmp_path / "link.h5"), "w") as file:
        file.create_group("group")["x"] = h5py.ExternalLink("other.h5", "secret")
    (tmp_path / "raw").write_bytes(b"secret  " * 4)
    with h5py.File(str(tmp_path / "raw.h5"), "w") as file:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_external(str(tmp_path / "raw").encode(), 0, 32)
        space = h5py.h5s.create_simple((4,))
        h5py.h5d.create(file.id, b"weights", h5py.h5t.NATIVE_DOUBLE, space, properties)
    assert "it has a link to another file, 'x'" in find_damage(str(tmp_path / "link.h5"))
    assert "the data of 'weights' lie in another file" in find_damage(str(tmp_path / "raw.h5"))
    assert find_damage(str(tmp_path / "other.h5")) is None
    with pytest.raises(WeightsError, match=r"link\.h5 is damaged: .*another file"):
        read_weights(str(tmp_path / "link.h5"), 11)


def test_a_crash_and_a_hang_of_hdf5_stay_outside(tmp_path, monkeypatch):
    small_file(tmp_path / "net.h5")
    monkeypatch.setattr(hdf5, "_PROBE", "import os; os.abort()")
    with pytest.raises(ModelFileError, match=r"net\.h5 is damaged: HDF5 crashes on it \(signal 6\)"):
        load(tmp_path / "net.h5")
    monkeypatch.setattr(hdf5, "_PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(hdf5, "_SECONDS", 0.1)
    with pytest.raises(ModelFileError, match=r"HDF5 does not finish reading it in 1 s"):
        load(tmp_path / "net.h5")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of processor time")
def test_time_is_that_of_the_processor(tmp_path, monkeypatch):
    """A busy machine makes no file damaged; a file that keeps the processor busy is refused."""
    path = small_file(tmp_path / "net.h5")
    monkeypatch.setattr(hdf5, "_SECONDS", 0.6)
    limited = hdf5._PROBE.split("total = 0")[0]
    sleeps, loops = limited + "import time\ntime.sleep(1.5)\n", limited + "while True: pass\n"
    monkeypatch.setattr(hdf5, "_PROBE", sleeps)
    assert find_damage(path) is None
    monkeypatch.setattr(hdf5, "_PROBE", loops)
    monkeypatch.setattr(hdf5, "_PATIENCE", 120)
    assert find_damage(path) == "HDF5 does not finish reading it in 1 s of processor time"


def small_file(path):
    with h5py.File(str(path), "w") as file:
        file["x"] = np.zeros(100, np.float32)
    return str(path)


def packed_file(path, shape, chunks, data):
    """A data set of floats with only its first chunk written."""
    with h5py.File(str(path), "w") as file:
        sides = (None,) * len(shape)
        item = file.create_dataset("x", shape, "f4", chunks=chunks, maxshape=sides, compression="gzip")
        item.id.write_direct_chunk((0,) * len(shape), zlib.compress(data))
    return str(path)


def test_data_that_unpack_to_more_than_the_file_allows(tmp_path):
    with h5py.File(str(tmp_path / "sum.h5"), "w") as file:
        for number in range(6):
            file.create_dataset(str(number), (5_000, 5_000), "f4", chunks=(50, 50), compression="gzip")
    assert "its data are more than 512 MB, with those of '5'" in find_damage(str(tmp_path / "sum.h5"))
    with h5py.File(str(tmp_path / "overflow.h5"), "w") as file:
        file.create_dataset("x", (2**31, 2**31), "f4", chunks=(1000, 1000))
    assert "its data are more than 512 MB" in find_damage(str(tmp_path / "overflow.h5"))


def test_large_files_may_have_large_data(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "_MEMORY", 1 << 20)
    with h5py.File(str(tmp_path / "a.h5"), "w") as file:
        file["x"] = np.random.default_rng(0).random((1000, 1500), np.float32)
    assert find_damage(str(tmp_path / "a.h5")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of memory")
def test_a_chunk_that_unpacks_to_more_memory_than_there_is(tmp_path, monkeypatch):
    """Ten numbers in a chunk of 100 MB."""
    path = packed_file(tmp_path / "a.h5", (10,), (25_000_000,), bytes(100_000_000))
    assert find_damage(path) is None
    monkeypatch.setattr(hdf5, "_MEMORY", 60 << 20)
    assert "HDF5 cannot open it" in find_damage(path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of memory")
def test_the_limits_of_the_process(tmp_path, monkeypatch):
    told = "print(resource.getrlimit(resource.RLIMIT_CPU)[0], resource.getrlimit(resource.RLIMIT_AS)[0] - used)"
    monkeypatch.setattr(hdf5, "_PROBE", f"{hdf5._PROBE.split('total = 0')[0]}{told}\nsys.exit(3)")
    path = small_file(tmp_path / "a.h5")
    size = (tmp_path / "a.h5").stat().st_size
    assert find_damage(path) == f"HDF5 cannot open it (11 {(512 << 20) + 4 * size})"


def test_a_check_that_fails_is_no_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5, "_PROBE", "import nowhere")
    with pytest.raises(ModelFileError, match="it cannot be tried in a separate process .ModuleNotFoundError: No mod"):
        load(small_file(tmp_path / "net.h5"))
