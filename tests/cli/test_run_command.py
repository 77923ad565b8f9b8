"""`run`: what it binds, asks, draws and says; models and nets of every kind."""

from __future__ import annotations

import json

import numpy as np
import pytest
from command_line import SCENES, manifest, maps, run
from image_folders import copy_scenes
from vgg_files import write_npy

from gradcam_tf1.nets.demo import DEMO_CLASSES
from gradcam_tf1.nets.vgg_layers import random_weights
from gradcam_tf1.tf_runtime import tf


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "a.png", "b.png")


def test_run_says_what_it_bound_and_what_it_did(photos, tmp_path, labels):
    text = run(photos, tmp_path / "out", "--labels", labels)
    for expected in ("input:0", "logits/BiasAdd:0", "conv5/Relu:0", "probabilities:0", "96 x 128 x 3", "x/127.5 - 1"):
        assert expected in text
    assert text.strip().endswith(f"2 images explained, 0 failed; results in {tmp_path / 'out'}")
    for line, scene in zip(manifest(tmp_path / "out"), SCENES):
        assert DEMO_CLASSES[line["predicted"]] in scene.boxes
    assert {map["method"] for map in maps(tmp_path / "out")} == {"gradcam", "guided_gradcam"}


def test_some_images_fail(photos, tmp_path):
    (photos / "bad.jpg").write_text("not an image")
    text = run(photos, tmp_path / "out", code=1)
    assert "failed: " in text
    assert "bad.jpg' is not an image in a known format" in text
    assert "2 images explained, 1 failed" in text
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
