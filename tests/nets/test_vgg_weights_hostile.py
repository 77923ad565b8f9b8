"""Weights files that are damaged, hostile or of another kind are refused by name; no code is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from vgg_files import (
    FORMATS,
    small_vgg,
    write_keras,
    write_slim,
    write_torch_legacy,
    write_torch_zip,
)

from gradcam_tf1.errors import WeightsError
from gradcam_tf1.nets import restricted_unpickler, vgg_layers
from gradcam_tf1.nets.vgg_weights import read_weights


@pytest.fixture(scope="module")
def vgg11(tmp_path_factory):
    """(weights, format -> path) of a VGG-11."""
    return small_vgg(tmp_path_factory.mktemp("vgg11"), 11)


class Asks:
    """An object whose pickle calls any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def save_pickle(path, value, protocol=2):
    """A .npy file whose pickle is `value` itself, as an attacker can write it."""
    with open(str(path), "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(value, stream, protocol=protocol)
    return str(path)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (os.system, ("touch pwned",), "posix.system|nt.system"),
        (eval, ("open('pwned', 'w')",), "builtins.eval|__builtin__.eval"),
        (getattr, ({}, "pop"), "builtins.getattr|__builtin__.getattr"),
        (np.load, ("x",), "numpy.*load"),
    ],
)
def test_pickles_that_ask_for_functions_are_refused_by_name(tmp_path, monkeypatch, function, arguments, name, protocol):
    monkeypatch.chdir(tmp_path)
    bad = {"conv1_1": Asks(function, *arguments)}
    with pytest.raises(WeightsError, match=f"the pickle asks for ({name}): refused"):
        read_weights(save_pickle(tmp_path / "bad.npy", bad, protocol), 19)
    with open("bad.pth", "wb") as stream:
        pickle.dump(bad, stream, protocol=max(protocol, 2))
    with pytest.raises(WeightsError, match=f"the pickle asks for ({name}): refused"):
        read_weights("bad.pth", 19)
    with zipfile.ZipFile("bad_zip.pth", "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(bad, protocol))
    with pytest.raises(WeightsError, match=f"the pickle asks for ({name}): refused"):
        read_weights("bad_zip.pth", 19)
    assert not (tmp_path / "pwned").exists()


def test_a_pickle_cannot_change_the_reader_for_the_next_file(tmp_path):
    # BUILD with a slot state sets attributes of its object, here of the stand-in for codecs.encode.
    program = b"\x80\x02c_codecs\nencode\nN}U\x0c__defaults__K\x01\x85s\x86b0}."
    with open(str(tmp_path / "bad.npy"), "wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        stream.write(program)
    with pytest.raises(WeightsError, match="is damaged or not a pickle: invalid partial state"):
        read_weights(str(tmp_path / "bad.npy"), 11)
    assert restricted_unpickler._encode.__defaults__ == ("latin1",)


def test_codecs_other_than_latin1_are_refused(tmp_path):
    import codecs

    with pytest.raises(WeightsError, match=r"codecs.encode with 'zip': refused"):
        read_weights(save_pickle(tmp_path / "bad.npy", Asks(codecs.encode, "x", "zip")), 19)


def test_pickles_of_other_things_are_named(tmp_path):
    with pytest.raises(WeightsError, match="holds a list; expected a dict"):
        read_weights(save_pickle(tmp_path / "a.npy", [1, 2]), 19)
    with pytest.raises(WeightsError, match=r"conv1_1 is not a pair of arrays \[kernel, bias\]"):
        read_weights(save_pickle(tmp_path / "b.npy", {"conv1_1": [1, 2]}), 19)
    with pytest.raises(WeightsError, match="object array that holds one dict"):
        read_weights(save_pickle(tmp_path / "c.npy", np.zeros(3)), 19)
    words = np.array(["a", "b"])
    with pytest.raises(WeightsError, match="conv1_1: an array of dtype 'U1' is not an array of numbers"):
        read_weights(save_pickle(tmp_path / "d.npy", {"conv1_1": [words, words]}), 19)
    objects = np.array([None, {}], dtype=object)
    with pytest.raises(WeightsError, match="conv1_1: a pickled array holds objects instead of numbers"):
        read_weights(save_pickle(tmp_path / "e.npy", {"conv1_1": [objects, objects]}), 19)
    np.save(str(tmp_path / "f.npy"), np.zeros((2, 3)))
    with pytest.raises(WeightsError, match=r"array of shape \[2, 3\] and dtype float64; expected one dict"):
        read_weights(str(tmp_path / "f.npy"), 19)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.98])
def test_truncated_files(tmp_path, vgg11, name, part):
    path = Path(vgg11[1][name])
    if name == "slim":
        path = path.parent / (path.name + ".data-00000-of-00001")
        (tmp_path / "vgg.ckpt.index").write_bytes((path.parent / "vgg.ckpt.index").read_bytes())
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(WeightsError, match=path.name):
        read_weights(str(cut), 11)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"just a text\n", bytes(range(256)) * 4])
def test_files_of_another_kind(tmp_path, content):
    path = tmp_path / "weights.npy"
    path.write_bytes(content)
    with pytest.raises(
        WeightsError, match=r"is no weights file of a known kind .*possible: .npy \(pickled dict\), .npz"
    ):
        read_weights(str(path), 19)


def test_missing_file():
    with pytest.raises(WeightsError, match=r"no weights file nowhere.npy; possible: .npy"):
        read_weights("nowhere.npy", 19)


def test_zip_that_is_neither_torch_nor_npz(tmp_path):
    with zipfile.ZipFile(str(tmp_path / "x.zip"), "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(WeightsError, match=r"is a zip without data.pkl: neither a torch file nor a .npz"):
        read_weights(str(tmp_path / "x.zip"), 19)


def test_object_arrays_in_npz_are_refused(tmp_path):
    np.savez(str(tmp_path / "bad.npz"), conv1_1_W=np.array([Asks(os.system, "true")], dtype=object))
    with pytest.raises(WeightsError, match=r"bad.npz is damaged or not what its content looks like: .*allow_pickle"):
        read_weights(str(tmp_path / "bad.npz"), 19)


def test_what_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg_layers, "SIZE_LIMIT", 1000)
    np.savez_compressed(str(tmp_path / "bomb.npz"), conv1_1_W=np.zeros(10**6))
    with pytest.raises(WeightsError, match="holds 8000128 bytes of weights; no VGG is larger"):
        read_weights(str(tmp_path / "bomb.npz"), 19)
    with zipfile.ZipFile(str(tmp_path / "bomb.pth"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"0" * 10**6)
    with pytest.raises(WeightsError, match="holds 1000000 bytes of weights; no VGG is larger"):
        read_weights(str(tmp_path / "bomb.pth"), 19)


def test_h5_sizes_are_checked_before_reading(tmp_path, monkeypatch, vgg11):
    path = write_keras(tmp_path / "huge.h5", {})
    with h5py.File(path, "r+") as file:
        group = file.create_group("block1_conv1")
        group.attrs["weight_names"] = np.array([b"block1_conv1/kernel:0"])
        group.create_dataset("block1_conv1/kernel:0", (3, 3, 10**6, 10**6), "f4", chunks=(3, 3, 8, 8))
        file.attrs["layer_names"] = np.array([b"block1_conv1"])
    with pytest.raises(WeightsError, match="its data are more than 512 MB"):
        read_weights(path, 19)
    path = write_keras(tmp_path / "large.h5", vgg11[0].layers)
    monkeypatch.setattr(vgg_layers, "SIZE_LIMIT", 1000)
    with pytest.raises(WeightsError, match=r"large.h5 holds \d+ bytes of weights; no VGG is larger than 1000"):
        read_weights(path, 11)


def test_checkpoint_sizes_are_checked_before_reading(tmp_path, monkeypatch, vgg11):
    path = write_slim(tmp_path / "large.ckpt", vgg11[0].layers, "vgg_a")
    assert read_weights(path, 11).layers
    monkeypatch.setattr(vgg_layers, "SIZE_LIMIT", 1000)
    with pytest.raises(WeightsError, match=r"large.ckpt holds \d+ bytes of weights; no VGG is larger than 1000"):
        read_weights(path, 11)


def test_h5_without_what_it_lists(tmp_path, vgg11):
    path = write_keras(tmp_path / "broken.h5", vgg11[0].layers)
    with h5py.File(path, "r+") as file:
        del file["block1_conv1"]
    with pytest.raises(WeightsError, match=r"broken.h5 is damaged or not what its content looks like: "):
        read_weights(path, 11)


@pytest.mark.parametrize("write", [write_torch_zip, write_torch_legacy])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"torch\nFloatStorage\n", b"torch\nFlootStorage\n", "asks for torch.FlootStorage: refused"),
        (b"_rebuild_tensor_v2", b"_rebuild_tensor_v9", "asks for torch._utils._rebuild_tensor_v9: refused"),
        (b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00starage", "a persistent id that is no storage"),
        (b"(J\x03\x00\x00\x00t", b"(J\xff\x00\x00\x00t", "it reaches to number 254 of a storage of 3"),
        (b"(J\x03\x00\x00\x00t", b"(J\xff\xff\xff\xfft", r"is damaged: shape \(-1,\)"),
    ],
)
def test_damaged_torch_pickles(tmp_path, write, old, new, message):
    path = Path(write(tmp_path / "bad.pth", {"classifier.6.bias": np.ones(3, np.float32)}))
    content = path.read_bytes()
    assert old in content
    if write is write_torch_zip:
        with zipfile.ZipFile(str(path)) as archive:
            members = {name: archive.read(name).replace(old, new) for name in archive.namelist()}
        with zipfile.ZipFile(str(path), "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        path.write_bytes(content.replace(old, new))
    with pytest.raises(WeightsError, match=message):
        read_weights(str(path), 11)


def test_torch_files_of_other_things(tmp_path):
    with open(str(tmp_path / "list.pth"), "wb") as stream:
        pickle.dump([1, 2], stream, protocol=2)
    with pytest.raises(WeightsError, match=r"is a pickle, but not one written by torch.save"):
        read_weights(str(tmp_path / "list.pth"), 11)
    with zipfile.ZipFile(str(tmp_path / "list_zip.pth"), "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps([1, 2], 2))
    with pytest.raises(WeightsError, match="holds a list; expected a state dict"):
        read_weights(str(tmp_path / "list_zip.pth"), 11)


def test_checkpoint_of_another_net(tmp_path):
    path = write_slim(tmp_path / "other.ckpt", {}, "vgg_19")
    with pytest.raises(WeightsError, match="no VGG layer at all"):
        read_weights(path, 19)
