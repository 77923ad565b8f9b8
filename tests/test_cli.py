"""The command line: options, exit codes, messages; through click's runner, and once as a real process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from vgg_files import write_npy

from gradcam_tf1 import __version__
from gradcam_tf1.cli import main
from gradcam_tf1.cli.options import feed_value, feeds, numbers, size
from gradcam_tf1.cli.terminal import shown
from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.tf_runtime import tf

SCENES = demo_scenes()
# as a user's process: without the log level that conftest sets
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
PROGRAM = [sys.executable, "-m", "gradcam_tf1"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for scene, name in zip(SCENES, ("a.png", "b.png")):
        shutil.copy(scene.path, folder / name)
    return folder


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(DEMO_CLASSES))
    return str(path)


def command(*arguments, code=0):
    """Output of a command that must end with this exit code; an unexpected exception fails the test as itself."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def run(photos, out, *options, code=0, preset=("--preset", "inception"), model=None):
    return command("run", model or demo_model(), photos, "--out", out, *preset, *options, code=code)


def manifest(out):
    return [json.loads(line) for line in Path(out, "manifest.jsonl").read_text().splitlines()]


def maps(out):
    return [map for line in manifest(out) for target in line["targets"] for map in target["maps"]]


# run


def test_run_says_what_it_bound_and_what_it_did(photos, tmp_path, labels):
    text = run(photos, tmp_path / "out", "--labels", labels)
    for expected in ("input:0", "logits/BiasAdd:0", "conv5/Relu:0", "probabilities:0", "96 x 128 x 3", "x/127.5 - 1"):
        assert expected in text
    assert text.strip().endswith(f"2 pictures explained, 0 failed; results in {tmp_path / 'out'}")
    assert [DEMO_CLASSES[line["predicted"]] in scene.boxes for line, scene in zip(manifest(tmp_path / "out"), SCENES)]
    assert {map["method"] for map in maps(tmp_path / "out")} == {"gradcam", "guided_gradcam"}


def test_some_pictures_fail(photos, tmp_path):
    (photos / "bad.jpg").write_text("not a picture")
    text = run(photos, tmp_path / "out", code=1)
    assert "failed: " in text
    assert "bad.jpg' is not a picture in a known format" in text
    assert "2 pictures explained, 1 failed" in text
    quiet = run(photos, tmp_path / "out2", "--quiet", code=1)
    assert quiet.startswith("failed: ")
    assert len(quiet.splitlines()) == 1


def test_quiet_says_nothing(photos, tmp_path):
    assert run(photos, tmp_path / "out", "-q") == ""


@pytest.mark.parametrize(
    ("options", "methods", "layers"),
    [
        (
            ["--method", "hirescam", "--method", "positive_negative"],
            {"hirescam", "positive", "negative"},
            {"conv5/Relu:0"},
        ),
        (["--no-pooling"], {"hirescam", "guided_gradcam"}, {"conv5/Relu:0"}),
        (["--method", "gradcam", "--no-pooling"], {"hirescam"}, {"conv5/Relu:0"}),
        (
            ["--method", "gradcam", "--layer", "-1", "--layer", "conv3/Relu"],
            {"gradcam"},
            {"conv5/Relu:0", "conv3/Relu:0"},
        ),
        (["--method", "gradcam", "--backcount", "2"], {"gradcam"}, {"conv4/Relu:0"}),
        (["--method", "gradcam", "--backcount", "-3"], {"gradcam"}, {"conv3/Relu:0"}),
    ],
)
def test_methods_and_layers(photos, tmp_path, options, methods, layers):
    run(photos / "a.png", tmp_path / "out", *options)
    assert {map["method"] for map in maps(tmp_path / "out")} == methods
    assert {map["layer"] for map in maps(tmp_path / "out")} == layers


def test_classes_naming_and_drawing(photos, tmp_path, labels):
    out = tmp_path / "out"
    run(
        *(photos, out, "--labels", labels, "--class", "square", "--class", 1, "--method", "gradcam"),
        *("--naming", "indexed", "--no-heatmaps", "--raw", "--alpha", 0.25, "--colormap", "diverging", "--own-scale"),
    )
    assert [target["label"] for target in manifest(out)[0]["targets"]] == ["square", "ring"]
    written = sorted(path.name for path in out.glob("*class*"))
    assert written == sorted(
        f"gradcam_{i}_class_{label}.{end}" for i in (0, 1) for label in ("square", "ring") for end in ("png", "npz")
    )
    settings = json.loads((out / "run.json").read_text())
    assert (settings["alpha"], settings["colormap"], settings["share_scale"]) == (0.25, "diverging", False)


def test_own_preprocessing_is_the_preset_written_out(photos, tmp_path):
    run(photos, tmp_path / "one")
    run(photos, tmp_path / "two", preset=("--scale", "1/127.5", "--mean", "1"))
    run(photos, tmp_path / "three", preset=("--mean", "127.5,127.5,127.5", "--std", "127.5"))
    one, two, three = (manifest(tmp_path / name) for name in ("one", "two", "three"))
    for mine, *others in zip(one, two, three):
        for other in others:
            assert mine["targets"][0]["score"] == pytest.approx(other["targets"][0]["score"], abs=1e-3)
    run(photos, tmp_path / "bgr", preset=("--preset", "zero-one", "--bgr"))
    assert manifest(tmp_path / "bgr")[0]["targets"][0]["score"] != pytest.approx(
        one[0]["targets"][0]["score"], abs=1e-3
    )


def test_names_given_by_hand(photos, tmp_path):
    names = [
        "--input",
        "input",
        "--logits",
        "logits/BiasAdd:0",
        "--layer",
        "conv4/Relu",
        "--probabilities",
        "probabilities:0",
    ]
    run(photos, tmp_path / "out", *names)
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (settings["input"], settings["logits"], settings["layer"]) == ("input:0", "logits/BiasAdd:0", "conv4/Relu:0")


def test_fed_placeholders(photos, tmp_path):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        gain = tf.placeholder(tf.float32, [], name="gain")
        kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x * gain, kernel, [1, 1, 1, 1], "SAME"))
        logits = tf.matmul(tf.reduce_mean(features, [1, 2]), np.eye(4, 3, dtype=np.float32), name="logits")
        tf.nn.softmax(logits, name="prob")
    model = tmp_path / "gain.pb"
    model.write_bytes(graph.as_graph_def().SerializeToString())
    text = run(photos, tmp_path / "one", "--feed", "gain=1", model=model)
    assert "gain:0 = 1" in text
    run(photos, tmp_path / "two", "--feed", "gain:0=2.0", model=model)
    once, twice = (manifest(tmp_path / name)[0]["targets"][0]["score"] for name in ("one", "two"))
    assert twice == pytest.approx(2 * once, rel=1e-4)
    assert "gain" in run(photos, tmp_path / "three", model=model, code=2)


@pytest.mark.parametrize("options", [[], ["--fully-convolutional", "--fit", "short-side"]])
def test_reference_nets_know_what_their_weights_want(photos, tmp_path, options):
    weights = write_npy(tmp_path / "vgg11.npy", random_weights(11, classes=5, width=1 / 32).layers)
    options = ["--weights", weights, "--method", "gradcam", *options]
    text = run(photos, tmp_path / "out", *options, model="vgg11", preset=())
    assert "reference net vgg11" in text
    assert "BGR: VGG" in text
    assert {map["layer"] for map in maps(tmp_path / "out")} == {"conv5_2/Relu:0"}
    run(photos, tmp_path / "own", *options, model="vgg11", preset=("--preset", "raw"))
    pairs = zip(manifest(tmp_path / "out"), manifest(tmp_path / "own"))
    assert all(one["targets"][0]["score"] != other["targets"][0]["score"] for one, other in pairs)


# errors: one line that begins with Error, exit code 2, no traceback


def test_preprocessing_is_never_guessed(photos, tmp_path):
    text = run(photos, tmp_path / "out", preset=(), code=2)
    assert "Error: the model does not show how its pixel values were prepared" in text
    for name in ("inception", "torch", "caffe", "zero-one", "raw", "custom"):
        assert f"\n  {name} " in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "unicorn"], "class name 'unicorn' was asked for, but no labels were given"),
        (["--class", "7"], "no class 7: the net has 7 classes, ids 0 to 6"),
        (["--layer", "conv9"], "conv9"),
        (["--backcount", "0"], "--backcount counts from 1"),
        (["--preset", "vgg"], "unknown preprocessing 'vgg'"),
        (["--preset", "gray-raw"], "the net's input has 3 channels, but this preprocessing makes 1"),
        (["--scale", "1,2,3"], "--scale is one number for all channels"),
        (["--fit", "short-side"], "fit 'short-side' needs an input of free size"),
        (["--size", "64x64"], "the net's input has height 96, not 64"),
        (["--labels", "no/such/file.txt"], "label file 'no/such/file.txt' cannot be opened"),
        (["--fully-convolutional"], "a reference net needs its weights; give --weights FILE"),
        (["--weights", "vgg19.npy"], "no reference net is called"),
    ],
)
def test_errors_are_one_line(photos, tmp_path, options, message):
    text = run(photos, tmp_path / "out", *options, code=2)
    (line,) = [line for line in text.splitlines() if line.startswith("Error: ")]
    assert message in line
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--size", "0x5"], "'0x5' is not a size; write HEIGHTxWIDTH, as in 240x320"),
        (["--mean", "a,b"], "'a,b': write a number"),
        (["--std", "1/0"], "'1/0': write a number"),
        (["--std", "1/"], "'1/': write a number"),
        (["--feed", "training"], "'training': write NAME=VALUE"),
        (["--feed", "=1"], "'=1': write NAME=VALUE"),
        (["--feed", "x=__import__('os')"], "is not a value to feed"),
        (["--method", "grad"], "'grad' is not one of"),
        (["--alpha", "2"], "2.0 is not in the range"),
        (["--batch-size", "0"], "0 is not in the range"),
        (["--naming", "pretty"], "'pretty' is not one of"),
    ],
)
def test_usage_errors(photos, tmp_path, options, message):
    assert message in run(photos, tmp_path / "out", *options, code=2)


def test_models_and_pictures_that_are_not_there(photos, tmp_path):
    assert "Error: " in run(photos, tmp_path / "out", model="no/such/model.pb", code=2)
    assert "vgg19" in run(photos, tmp_path / "out", model="vgg19", code=2)
    bad = tmp_path / "text.pb"
    bad.write_text("this is not a graph")
    text = run(photos, tmp_path / "out", model=bad, code=2)
    assert "text.pb" in text
    assert "Traceback" not in text
    assert "no such file or folder: 'nowhere'" in run("nowhere", tmp_path / "out", code=2)
    assert "choose another output folder" in run(photos, photos, code=2)
    assert "Missing option '--out'" in command("run", demo_model(), photos, code=2)
    (tmp_path / "file").write_text("")
    assert "Error: File exists: " in run(photos, tmp_path / "file", code=2) or os.name != "posix"


def test_other_exceptions_keep_their_traceback(photos, tmp_path, monkeypatch):
    def broken(*_arguments, **_options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("gradcam_tf1.graph.GradCamGraph.visualize_imgs", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(photos, tmp_path / "out")
    monkeypatch.setattr("gradcam_tf1.graph.GradCamGraph.visualize_imgs", lambda *_a, **_o: os.fdopen(-1))
    with pytest.raises((OSError, ValueError)):  # not about a file that the user named
        run(photos, tmp_path / "out")


# inspect


def test_inspect_shows_the_layers():
    text = command("inspect", demo_model())
    assert "frozen graph" in text
    assert "not known: say it with --preset" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["-1", "conv5/Relu:0", "Relu", "?", "x", "12", "x", "16", "x", "64"] in lines
    assert ["-5", "conv1/Relu:0"] in [line[:2] for line in lines]
    assert "Error" in command("inspect", "no/such/model.pb", code=2)


def test_inspect_for_programs():
    done = subprocess.run(
        [*PROGRAM, "inspect", demo_model(), "--json"], env=ENVIRONMENT, capture_output=True, check=True
    )
    report = json.loads(done.stdout.decode("ascii"))
    assert report["input"] == "input:0"
    assert report["logits"] == "logits/BiasAdd:0"
    assert report["probabilities"] == "probabilities:0"
    assert report["layer"] == "conv5/Relu:0"
    assert [layer["name"] for layer in report["layers"]][-1] == "conv5/Relu:0"
    assert report["layers"][-1]["shape"] == [None, 12, 16, 64]
    assert (report["feeds"], report["image_size"], report["classes"]) == ({}, [96, 128], 7)
    assert report["warnings"] == []
    assert done.stderr == b""


# demo


def test_demo_lights_up_what_it_is_asked_for(tmp_path):
    text = command("demo", "--out", tmp_path / "demo")
    asked = sum(len(scene.boxes) for scene in SCENES)
    assert f"{len(SCENES)} scenes, {asked} questions: " in text
    right = 0
    for line, scene in zip(manifest(tmp_path / "demo"), SCENES):
        assert [target["label"] for target in line["targets"]] == list(scene.boxes)
        for target in line["targets"]:
            top, left, bottom, right_edge = scene.boxes[target["label"]]
            row, column = target["maps"][0]["peak"]
            right += top <= row < bottom and left <= column < right_edge
    assert f"{right} of {asked} maps ({right / asked:.0%}) have their peak in the box" in text
    assert right / asked > 0.8
    sheet = np.asarray(Image.open(tmp_path / "demo" / "contact_sheet.png"))
    assert sheet.shape[1] > 1000
    assert sheet.std() > 20


# the program as a whole


def test_help_and_version_answer_at_once_without_tensorflow():
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run([*PROGRAM, *arguments], stdout=subprocess.PIPE, check=True)
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 1.0, "half a second on an idle machine"
        assert done.stdout
    assert __version__ in done.stdout.decode()
    loaded = (
        "import sys, gradcam_tf1.cli; print([m for m in sys.modules if m.startswith(('tensorflow', 'tqdm', 'scipy'))])"
    )
    assert subprocess.check_output([sys.executable, "-c", loaded]).strip() == b"[]"


def test_as_a_real_process(photos, tmp_path):
    (photos / "bad\x1b[31m.png").write_text("no")
    done = subprocess.run(
        [*PROGRAM, "run", demo_model(), str(photos), "--preset", "inception", "--out", str(tmp_path / "out")],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"2 pictures explained, 1 failed" in done.stdout
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 1, "no progress bar and no chatter of TensorFlow where nobody watches"
    assert "bad\\x1b[31m.png" in errors[0]
    assert b"\x1b" not in done.stderr


# small parts


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("1", 1), ("-2", -2), ("0.5", 0.5), (".5", 0.5), ("1e-3", 1e-3),
        ("[0.6, 0.7]", [0.6, 0.7]), ("[[1,2],[3,4]]", [[1, 2], [3, 4]]), ("[true,false]", [True, False]),
    ],
)  # fmt: skip
def test_values_to_feed(text, value):
    assert feed_value(text) == value
    assert type(feed_value(text)) is type(value)


@pytest.mark.parametrize("text", ["", "yes", "None", "null", "[]", '"a"', "{}", "[1,", "1;2", "lambda: 0", "[" * 9999])
def test_what_cannot_be_fed(text):
    with pytest.raises(OptionError, match="is not a value to feed; possible: true, false, a number, a list"):
        feed_value(text)


def test_option_values():
    assert feeds(None, None, ["a=1", "scope/b:0=[1,2]"]) == {"a": 1, "scope/b:0": [1, 2]}
    assert size(None, None, "240x320") == (240, 320)
    assert size(None, None, "224") == (224, 224)
    assert size(None, None, None) == (None, None)
    assert numbers(None, None, "1/127.5") == [1 / 127.5]
    assert numbers(None, None, "123.68, 116.78,103.94") == [123.68, 116.78, 103.94]


def test_text_cannot_harm_the_terminal():
    assert shown("a\nb\x1b[2J\u202e\udcff\u732b") == "a\\nb\\x1b[2J\\u202e\\udcff\u732b"
    assert shown("two\nlines", multiline=True) == "two\nlines"
