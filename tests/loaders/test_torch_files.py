"""Torch and ONNX files where they cannot be opened: what they hold is read without running it, and said."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

import pytest

from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.graphdef.file_kinds import identify
from gradcam_tf1.loaders import load, onnx_model, torch_model

DATA = Path(__file__).resolve().parent.parent / "data"
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
HARMFUL = b"\x80\x02cos\nsystem\nq\x00X\x0a\x00\x00\x00touch pwnedq\x01\x85q\x02Rq\x03."  # calls os.system
EMPTY = b"\x80\x02}q\x00."


@pytest.fixture
def whole(tmp_path, monkeypatch):
    """A file that looks like torch.save(model) of old, and would run a command."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.pth"
    path.write_bytes(MAGIC + b"\x80\x02M\xe9\x03." + EMPTY + HARMFUL + b"\x80\x02]q\x00.")
    return path


@pytest.mark.parametrize("name", ["vgg11_torch.pth", "vgg11_torch_legacy.pth"])
@pytest.mark.parametrize("trusted", [False, True])
def test_weights_alone_are_no_net(name, trusted):
    assert identify(DATA / name).kind == "torch"
    advice = r"holds weights alone, without the net \(found: features.0.weight, .*torch.save\(net.*vgg16 --weights"
    with pytest.raises(ModelFileError, match=advice):
        load(str(DATA / name), trust_model=trusted, input_shape=(3, 32, 32))


def test_a_whole_model_is_not_opened_without_trust(whole):
    assert identify(whole).kind == "torch"
    with pytest.raises(ModelFileError, match=r"whole torch model \(os.system\).*--trust-model --input-shape 3,224,224"):
        load(str(whole))
    assert not (whole.parent / "pwned").exists()


def test_a_trusted_model_needs_the_shape_of_its_input(whole):
    with pytest.raises(ModelFileError, match=r"--input-shape 3,224,224 or input_shape=\(3, 224, 224\)"):
        load(str(whole), trust_model=True)


@pytest.mark.parametrize("packages", [("no_such_package",), ("no_such_package", "numpy")])
def test_missing_packages_are_named_with_the_way_out(packages):
    message = r"a.onnx: no_such_package: needed to convert it.*pip install '\.\[onnx\]' there.*`gradcam-tf1 convert`"
    with pytest.raises(ModelFileError, match=message):
        onnx_model.check_packages("a.onnx", packages, "onnx")


def test_the_class_of_a_newer_pickle_is_found(tmp_path):
    path = tmp_path / "net.pth"
    pickled = b"\x80\x04\x8c\x02my\x8c\x03Net\x93."
    assert [opcode.name for opcode, _, _ in pickletools.genops(pickled)][-2] == "STACK_GLOBAL"
    path.write_bytes(MAGIC + b"\x80\x02K\x01." + EMPTY + pickled)
    assert torch_model.read_content(str(path)).classes == ["my.Net"]


def test_a_truncated_torch_file_is_damaged(whole):
    whole.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ModelFileError, match="net.pth is damaged: .*; copy it again"):
        load(str(whole))


@pytest.mark.parametrize("shape", ["3,224,224", (3, 0), (), (3.0,), (1, 2, 3, 4, 5), (True, 2)])
def test_input_shapes_that_are_none(shape):
    with pytest.raises(OptionError, match="give the sides of one input without the batch"):
        load("net.pb", input_shape=shape)


def test_a_packed_pickle_is_not_unpacked(tmp_path):
    path = tmp_path / "net.pt"
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", HARMFUL)
    with pytest.raises(ModelFileError, match="data.pkl is compressed, as torch never does"):
        load(str(path))
