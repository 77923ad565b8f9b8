"""Torch models come in: trusted files of every form and live modules, with the maps of torch's own autograd."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("onnx2tf")
pytest.importorskip("torch")

import numpy as np
import torch
import torch_twins
from command_line import manifest, run
from PIL import Image
from torch import nn
from torch_nets import DepthwiseNet, ResidualNet, drawn
from twin_maps import assert_equal_maps

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.errors import ModelFileError, OptionError
from gradcam_tf1.loaders import load, torch_export, torch_worker

SHAPE = (3, *torch_twins.SIDES)
NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
"""


@pytest.mark.parametrize(("kind", "seed"), torch_twins.STORED.values(), ids=torch_twins.STORED)
def test_maps_of_a_live_module_equal_those_of_torch(kind, seed):
    net = drawn(kind(), seed).train()  # as a training program leaves it
    with GradCamGraph(load(net, input_shape=SHAPE), preset="torch") as graph:
        assert net.training
        assert graph.model.kind == "torch"
        expected = torch_twins.twins(net.eval(), torch_twins.photographs(), net.last)
        assert_equal_maps(graph, expected, torch_twins.STEPS)


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A folder with a net's class and the net of torch.save(model), which is the current folder."""
    (tmp_path / "my_own_net.py").write_text(NET)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as context:
        context.syspath_prepend(str(tmp_path))
        import my_own_net

        net = drawn(my_own_net.Net())
        torch.save(net, "net.pth")
        context.delitem(sys.modules, "my_own_net")
    return tmp_path, net


def test_one_command_explains_a_saved_model(saved, tmp_path):
    folder, net = saved
    image = torch_twins.photographs(1)
    (folder / "photos").mkdir()
    Image.fromarray(image[0]).save(folder / "photos/a.png")
    options = ("--input-shape", "3,64,48", "--trust-model")
    run("photos", tmp_path / "out", *options, model="net.pth", preset=("--preset", "torch"))
    (line,) = manifest(tmp_path / "out")
    scores = net(torch_twins.as_input(image)).detach().numpy()[0]
    assert (line["status"], line["predicted"]) == ("ok", int(scores.argmax()))
    assert line["top"][0]["score"] == pytest.approx(float(scores.max()), rel=1e-4)


def test_a_class_that_is_not_there_is_named(saved, monkeypatch, tmp_path):
    folder, _ = saved
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(
        ModelFileError, match=r"net.pth: the class of its net is in the module 'my_own_net', which is not"
    ):
        load(str(folder / "net.pth"), trust_model=True, input_shape=SHAPE)


def plain_net() -> nn.Module:
    return drawn(
        nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    )


def save_script(net, path):
    torch.jit.script(net).save(path)


def save_program(net, path):
    free = {0: torch.export.Dim("batch")}
    torch.export.save(torch.export.export(net, (torch.zeros(2, *SHAPE),), dynamic_shapes=(free,)), path)


def save_checkpoint(net, path):
    torch.save({"epoch": 3, "model": nn.DataParallel(net.half())}, path)


@pytest.mark.parametrize("save", [torch.save, save_script, save_program, save_checkpoint])
def test_every_form_of_file_is_exported(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    net = plain_net()
    save(net, "model.pt")
    form = {save_script: "script", save_program: "program"}.get(save, "pickle")
    assert torch_worker.convert({"form": form, "sides": SHAPE}) == {"done": True}
    assert (tmp_path / "exported.onnx").stat().st_size > 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "args": torch.device("cpu")}, r"it holds no nets \(found: epoch, args\)"),
        ({"a": nn.ReLU(), "b": nn.ReLU()}, r"it holds 2 nets \(found: a, b\)"),
        (nn.Linear(7, 2), r"the net does not take inputs of \[2, 3, 64, 48\]: RuntimeError"),
    ],
)
def test_files_without_one_net_are_refused(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content, "model.pt")
    with pytest.raises(ModelFileError, match=message):
        torch_worker.convert({"form": "pickle", "sides": SHAPE})


def test_a_class_of_the_saving_script_is_explained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main = sys.modules["__main__"]
    kind = type("ScriptNet", (nn.Linear,), {"__module__": "__main__"})
    monkeypatch.setattr(main, "ScriptNet", kind, raising=False)
    torch.save(kind(4, 2), "model.pt")
    monkeypatch.delattr(main, "ScriptNet")
    with pytest.raises(ModelFileError, match="a class of the script that saved it is not found again"):
        torch_worker.convert({"form": "pickle", "sides": (4,)})


def test_an_export_that_computes_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_export, "TOLERANCE", -1.0)
    with pytest.raises(ModelFileError, match="its ONNX export differs from torch by"):
        torch_export.export(plain_net(), SHAPE, str(tmp_path / "net.onnx"))


def test_a_live_module_needs_the_shape_of_its_input():
    with pytest.raises(OptionError, match=r"torch Linear: .* give load\(net, input_shape=\(3, 224, 224\)\), without"):
        load(nn.Linear(3, 2))


def test_the_stored_graphs_are_those_of_these_nets():
    """tests/loaders/test_torch_twins.py compares them on both runtimes."""
    for name, (kind, seed) in torch_twins.STORED.items():
        net = drawn(kind(), seed)
        with np.load(torch_twins.DATA / f"{name}.npz") as stored:
            logits = net(torch_twins.as_input(stored["images"])).detach().numpy()
            np.testing.assert_allclose(logits, stored["logits"], rtol=1e-4)
    assert {DepthwiseNet, ResidualNet} == {kind for kind, _ in torch_twins.STORED.values()}
