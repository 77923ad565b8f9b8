"""Layers of nets with branches on the command line: what is printed works when it is typed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from branch_nets import ensemble, images, two_branches
from command_line import command, manifest, maps, run
from PIL import Image
from replica_nets import by_slice, towers

from gradcam_tf1.tf_runtime import tf

PRESET = ("--preset", "zero-one")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for n, image in enumerate(images(3)):
        Image.fromarray((image * 255).astype(np.uint8)).save(folder / f"{n}.png")
    return folder


def model(tmp_path, build):
    with tf.Graph().as_default() as graph:
        build()
    path = tmp_path / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_the_name_of_several_layers_can_be_typed(photos, tmp_path):
    net = model(tmp_path, ensemble)
    report = json.loads(command("inspect", net, "--json"))
    assert report["layer"] == "a/Relu:0 + b/Relu:0 + c/Relu:0"
    options = ("--method", "gradcam", "--class", "0", "--raw")
    run(photos, tmp_path / "out", *options, model=net, preset=PRESET)
    run(photos, tmp_path / "typed", *options, "--layer", report["layer"], model=net, preset=PRESET)
    assert [map["layer"] for map in maps(tmp_path / "out")] == [report["layer"]] * 3
    assert [map["layer"] for map in maps(tmp_path / "typed")] == [report["layer"]] * 3
    for line in manifest(tmp_path / "out"):
        (map,) = line["targets"][0]["maps"]
        first, second = (np.load(tmp_path / folder / map["files"]["raw"])["map"] for folder in ("out", "typed"))
        assert first.shape == (16, 16)
        np.testing.assert_array_equal(first, second)


def test_several_layers_make_their_own_files(photos, tmp_path):
    net = model(tmp_path, ensemble)
    layers = ("--layer", "a/Relu + b/Relu", "--layer", "c/Relu", "--layer", "auto")
    run(photos / "0.png", tmp_path / "out", "--method", "gradcam", *layers, "--fuse", "mean", model=net, preset=PRESET)
    found = maps(tmp_path / "out")
    assert {map["layer"] for map in found} == {"a/Relu:0 + b/Relu:0", "c/Relu:0", "auto", "fused"}
    files = [path for map in found for path in map["files"].values()]
    assert len(set(files)) == len(files) == 8


def test_branches_are_listed_and_auto_takes_each_class_s_own(photos, tmp_path):
    net = model(tmp_path, two_branches)
    assert "classes 0 to 4 from 'a/Relu:0', 5 to 11 from 'b/Relu:0': layer auto" in command("inspect", net)
    classes = ("--class", "1", "--class", "9")
    run(photos, tmp_path / "out", "--layer", "auto", *classes, "--figure", "layers", model=net, preset=PRESET)
    for line in manifest(tmp_path / "out"):
        for target, layer in zip(line["targets"], ("a/Relu:0", "b/Relu:0")):
            assert [map["notes"][-1] for map in target["maps"]] == [f"layer auto is '{layer}' here"] * 2
    run(photos, tmp_path / "a", "--layer", "a/Relu", "--method", "gradcam", *classes, model=net, preset=PRESET)
    reasons = [target["maps"][0]["reason"] for line in manifest(tmp_path / "a") for target in line["targets"][1:]]
    assert all("no gradient leads from this score to 'a/Relu:0'" in reason for reason in reasons)


def test_a_graph_of_several_devices(photos, tmp_path):
    net = model(tmp_path, lambda: towers(by_slice))
    text = run(photos, tmp_path / "out", "--method", "gradcam", "--batch-size", "1", model=net, preset=PRESET)
    assert "splits its batch over 2 replicas" in text
    assert "3 images explained, 0 failed" in text
    assert {map["layer"] for map in maps(tmp_path / "out")} == {"replica_0/net/Relu:0"}
