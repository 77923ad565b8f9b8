"""The file of an older Keras tool: nothing runs without --allow-code, and with it the net is the one that it names."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import command, manifest
from keras_nets import saved_model
from PIL import Image

from gradcam_tf1 import tf_runtime as runtime
from gradcam_tf1.cli.run_command import _containing
from gradcam_tf1.errors import OptionError
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo

MODULE = """
import os
import sys

import numpy as np
from PIL import Image
from {helper} import small_model


def net(classes):
    assert classes == 3
    return small_model()


def broken(classes):
    raise RuntimeError("no such backbone\\nsecond line")


def wrong(classes):
    return "a model"


def leaves(classes):
    raise SystemExit(0)


def elsewhere(classes):
    sys.path.remove(os.getcwd())
    os.chdir("/")
    return net(classes)


class Broken:
    @property
    def net(self):
        raise RuntimeError("no net today")


broken_one = Broken()


class Definition:
    def build(self, classes):
        return {{"model": net(classes)}}

    @staticmethod
    def plain(classes):
        return net(classes)


def prepare(path, mean, std):
    return (np.asarray(Image.open(path).convert("RGB"), np.float32)[np.newaxis] - mean) / std


def gone(path):
    return np.zeros(3)


def words(path):
    return ["a", "b"]


VALUE = 1
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder with the whole model and its weights alone."""
    folder = tmp_path_factory.mktemp("weights")
    saved_model(folder / "whole.h5")
    with tf.Graph().as_default(), tf.Session().as_default():
        runtime.keras().models.load_model(str(folder / "whole.h5")).save_weights(str(folder / "weights.h5"))
    return folder


@pytest.fixture
def desk(tmp_path, monkeypatch, weights):
    """The current folder, with a package of the user's, weights alone, the whole model, and an image of its size."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / f"own_{tmp_path.name.replace('-', '_')}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "cars.py").write_text(MODULE.format(helper="keras_nets"))
    (package / "half.py").write_text("import not_there_at_all\n")
    (package / "bad.py").write_text("1 +\n")
    for name in ("whole.h5", "weights.h5"):
        shutil.copy(str(weights / name), name)
    Image.fromarray(np.random.RandomState(1).randint(0, 256, (12, 10, 3)).astype(np.uint8)).save("cat.png")
    yield package.name
    for name in [name for name in sys.modules if name.split(".")[0] == package.name]:
        del sys.modules[name]


def write(package, name="args.json", **changes):
    values = {
        "model_class": f"{package}.cars",
        "loader_method": "net",
        "weight_path": "weights.h5",
        "model_inputs": [3],
        "process": f"{package}.cars.prepare",
        "process_inputs": ["cat.png", 127.5, 127.5],
        **changes,
    }
    Path(name).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def explained(*words, code=0):
    with tf.Graph().as_default(), tf.Session().as_default():
        return command("run", *words, "--out", "out", code=code)


def test_nothing_runs_without_leave(desk):
    write(desk)
    said = explained("--config", "args.json", code=2)
    assert f"the run file names Python code (model_class '{desk}.cars', loader_method 'net', process" in said
    assert "then add --allow-code to the command" in said
    assert not [name for name in sys.modules if name.startswith(desk)]
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model_class": "{}.cars.Definition", "loader_method": "build"},
        {"model_class": "{}.cars.Definition", "loader_method": "plain"},
        {"model_class": "{}.cars.net", "loader_method": None},
    ],
)
def test_the_net_is_the_one_that_was_saved(desk, changes):
    """Same scores and maps as the whole model with the preset that does what `process` does."""
    write(desk, **{key: value and value.format(desk) for key, value in changes.items()})
    explained("-model_args_path", "args.json", "--allow-code", "-layer_name", "CONV", "-last_layer", "probs")
    (line,) = manifest("out")
    command("run", "whole.h5", "cat.png", "--out", "typed", "--preset", "inception", "--layer-containing", "conv")
    (typed,) = manifest("typed")
    assert Path(line["source"]) == Path("out/prepared/cat.png.npy")
    ours, plain = line["targets"][0], typed["targets"][0]
    assert ours["class_id"] == plain["class_id"]
    assert ours["score"] == pytest.approx(plain["score"], rel=1e-5)
    assert ours["maps"][0]["maximum"] == pytest.approx(plain["maps"][0]["maximum"], rel=1e-4)
    assert ours["maps"][0]["layer"].endswith(plain["maps"][0]["layer"])


def test_images_of_the_command_line_take_the_place_of_its_own(desk):
    write(desk)
    Image.open("cat.png").rotate(180).save("dog.png")
    explained("--config", "args.json", "--allow-code", "cat.png", "dog.png", "--separate_negative_positive")
    first, second = manifest("out")
    assert [Path(line["source"]).name for line in (first, second)] == ["cat.png.npy", "dog.png.npy"]
    assert {map["method"] for map in first["targets"][0]["maps"]} >= {"positive", "negative"}


def test_one_bad_image_stops_nothing(desk):
    write(desk)
    Path("bad.png").write_bytes(b"no image")
    said = explained("--config", "args.json", "--allow-code", "bad.png", "cat.png", code=1)
    assert "failed: 'bad.png': process: prepare(...) failed with UnidentifiedImageError" in said
    assert "1 image explained, 1 failed" in said
    assert [Path(line["source"]).name for line in manifest("out")] == ["cat.png.npy"]
    said = explained("--config", "args.json", "--allow-code", "bad.png", "cat.png", "--on-error", "stop", code=1)
    assert "'bad.png': process: prepare(...) failed" in said


def test_code_that_changes_the_folder_is_refused(desk, monkeypatch):
    write(desk, loader_method="elsewhere")
    monkeypatch.setattr(sys, "path", list(sys.path))
    said = explained("--config", "args.json", "--allow-code", "cat.png", code=2)
    assert "changed the current folder to '/', and the paths of this run are relative to the one before" in said


@pytest.mark.parametrize("words", [("--preset", "caffe"), ("--window", "0,1")])
def test_prepared_images_take_no_preset(desk, words):
    write(desk)
    said = explained("--config", "args.json", "--allow-code", *words, code=2)
    assert "process prepares the images already; leave out the options of the preset and --window" in said


def test_without_process_it_takes_a_preset(desk):
    write(desk, process=None, process_inputs=None)
    assert "choose one with --preset" in explained("--config", "args.json", "--allow-code", "cat.png", code=2)
    assert "Missing argument 'IMAGES...'" in explained("--config", "args.json", "--allow-code", code=2)
    explained("--config", "args.json", "--allow-code", "cat.png", "--preset", "inception", "--write-config", "s.yml")
    with tf.Graph().as_default(), tf.Session().as_default():
        command("run", "--config", "s.yml", "--allow-code", "--out", "again")
    assert manifest("again")[0]["targets"][0]["score"] == manifest("out")[0]["targets"][0]["score"]
    assert "add --allow-code to the command" in command("run", "--config", "s.yml", code=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_class": 3}, "model_class is 3; write a dotted name, as in models.car_color"),
        ({"model_class": "a b"}, "model_class is 'a b'; write a dotted name"),
        ({"model_class": "not_there.x"}, "model_class: no module 'not_there'; names are looked up from the current"),
        ({"model_class": "{}.half"}, "half cannot be imported: No module named 'not_there_at_all'"),
        ({"model_class": "{}.bad"}, "bad cannot be imported: invalid syntax"),
        ({"model_class": "{}.cars.nothing"}, ".cars has no 'nothing'"),
        ({"loader_method": "nothing"}, ".cars has no 'nothing'"),
        ({"loader_method": None}, "is no function; name the function, or give loader_method"),
        ({"loader_method": "broken"}, "loader_method: broken(...) failed with RuntimeError: no such backbone"),
        ({"loader_method": "leaves"}, "loader_method: leaves(...) failed with SystemExit: 0"),
        ({"model_class": "{}.cars.broken_one.net"}, "model_class: 'net' cannot be read: no net today"),
        ({"weight_path": "a\0b"}, "weight_path: no such file: 'a\\x00b'"),
        ({"loader_method": "wrong"}, "model_class: the code returned a str, not a Keras model"),
        ({"model_inputs": "3"}, "model_inputs is '3'; give a list, the arguments in their order"),
        ({"weight_path": "none.h5"}, "weight_path: no such file: 'none.h5'"),
        ({"weight_path": "cat.png"}, "weight_path: 'cat.png' does not fit the net"),
        ({"process_inputs": []}, "process_inputs is empty; its first value is the path of the image"),
        ({"process_inputs": ["none.png", 1, 1]}, "process: prepare(...) failed with FileNotFoundError"),
        ({"process": "{}.cars.gone", "process_inputs": ["cat.png"]}, "process returned shape [3] for 'cat.png'"),
        ({"process": "{}.cars.words", "process_inputs": ["cat.png"]}, "process returned a list for 'cat.png'"),
    ],
)
def test_mistakes_are_one_sentence(desk, changes, message):
    write(desk, **{key: value.format(desk) if isinstance(value, str) else value for key, value in changes.items()})
    said = explained("--config", "args.json", "--allow-code", code=2)
    (line,) = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert message in line
    assert "second line" not in said


def test_a_layer_by_a_part_of_its_name():
    layers = [LayerInfo(f"{name}:0", "Relu", (None, 2, 2, 1)) for name in ("conv1", "conv10", "conv1/Relu", "pool")]
    assert _containing(layers, "conv1") == "conv1:0"
    assert _containing(layers, "conv1:0") == "conv1:0"
    assert _containing(layers, "CONV") == "conv1/Relu:0"
    with pytest.raises(OptionError, match="no layer has 'dense' in its name; the last are conv10:0, conv1/Relu:0, poo"):
        _containing(layers, "dense")
