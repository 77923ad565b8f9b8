"""Presets on nets of which the right one is known, and nets that have none to choose."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from array_nets import ArrayNet
from clip_nets import clip_graph
from command_line import SCENES, command, manifest
from device_nets import cpus
from further_nets import with_meta
from image_folders import copy_scenes, write_noise
from PIL import Image

from gradcam_tf1 import PRESETS, GradCamGraph
from gradcam_tf1.diagnosis.preset_search import search_presets
from gradcam_tf1.errors import ImageFileError, OptionError, TargetError
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.tf_runtime import tf

SCENE_PATHS = [scene.path for scene in SCENES]


@pytest.fixture
def demo():
    with GradCamGraph(demo_model(), labels=DEMO_CLASSES, config=cpus()) as net:
        yield net


def test_the_demo_net_tells_its_preset(demo):
    table = search_presets(demo, SCENE_PATHS)
    first = table.rows[0]
    assert first.candidate.name == "inception"
    assert first.norm_distance < 0.1 < table.rows[2].norm_distance
    assert table.images == len(SCENES)
    assert "first batch norm" in table.rule
    assert table.enough


@pytest.mark.parametrize("truth", ["csv", "folders"])
def test_the_truth_decides(demo, tmp_path, truth):
    """The classes that the net sees with its own preset, and in the CSV file all that a scene shows."""
    demo.preset = PRESETS["inception"]
    lines = []
    for number, scene in enumerate(SCENES[:6]):
        label = next(iter(demo.explain(scene.path))).label
        copied = copy_scenes(tmp_path / label, f"{number}.png") / f"{number}.png"
        copied.write_bytes(Path(scene.path).read_bytes())
        lines += [f"{label}/{number}.png,{name}" for name in {*scene.boxes, label}]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    given = str(tmp_path / "truth.csv") if truth == "csv" else truth
    table = search_presets(demo, str(tmp_path), given)
    accuracies = {row.candidate.name: row.accuracy for row in table.rows}
    assert "right classes" in table.rule
    assert accuracies["inception"] == table.rows[0].accuracy == 1
    assert min(accuracies.values()) == table.rows[-1].accuracy < 1


def test_an_integer_input_shows_what_it_takes(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.uint8, [None, 8, 8, 3], name="input")
        kernel = np.random.RandomState(0).randn(3, 3, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(tf.cast(x, tf.float32) / 255.0, kernel, [1, 1, 1, 1], "SAME"))
        tf.matmul(tf.reduce_mean(features, [1, 2]), np.eye(4, 3, dtype=np.float32), name="logits")
    write_noise(tmp_path, {"a.png": (9, 9), "b.png": (7, 12)})
    with GradCamGraph(graph.as_graph_def(), config=cpus()) as net:
        table = search_presets(net, str(tmp_path))
    assert [row.candidate.name for row in table.rows] == ["raw", "raw-bgr"]
    assert (table.rule, table.notes, table.enough) == ("what the graph itself shows", (), True)


def test_images_that_cannot_be_read_are_left_out(demo, tmp_path):
    copy_scenes(tmp_path, "a.png", "b.png")
    (tmp_path / "c.png").write_bytes(b"no")
    table = search_presets(demo, str(tmp_path))
    assert table.images == 2
    assert not table.enough
    assert table.notes[0].startswith("1 of 3 images cannot be read, the first: ")
    assert table.notes[1] == "2 images cannot tell preprocessings apart; give at least 5, better 30"
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "c.png").write_bytes(b"no")
    with pytest.raises(ImageFileError, match="c.png"):
        search_presets(demo, str(tmp_path / "only"))


def test_only_some_images_are_tried_always_the_same(demo):
    tables = [search_presets(demo, SCENE_PATHS, count=5, seed=3) for _ in range(2)]
    assert [table.images for table in tables] == [5, 5]
    assert tables[0].rows == tables[1].rows


def test_images_unlike_those_of_the_training_fit_no_preset(demo, tmp_path):
    for number in range(6):
        Image.fromarray(np.full((96, 128, 3), 3 * number, np.uint8)).save(str(tmp_path / f"{number}.png"))
    assert any("no preprocessing fits: the best is" in note for note in search_presets(demo, str(tmp_path)).notes)


def test_nets_without_presets_are_refused(tmp_path):
    copy_scenes(tmp_path, "a.png")
    for graph, message in (
        (ArrayNet((11,)).graph(), "the net takes signals, and presets are for single images"),
        (ArrayNet((3, 4, 5)).graph(), "the net takes volumes"),
        (clip_graph().as_graph_def(), "the net takes clips"),
    ):
        with GradCamGraph(graph, config=cpus()) as net, pytest.raises(OptionError, match=message):
            search_presets(net, str(tmp_path))
    message = "the net takes meta:0 with each image; give one value for all"
    with GradCamGraph(with_meta(), feed={"meta": None}, config=cpus()) as net, pytest.raises(
        OptionError, match=message
    ):
        search_presets(net, str(tmp_path))


def test_a_wrong_truth_is_refused(demo, tmp_path):
    copy_scenes(tmp_path / "77", "a.png")
    with pytest.raises(TargetError, match="no class 77: the net has 7 classes, ids 0 to 6"):
        search_presets(demo, str(tmp_path), "folders")
    (tmp_path / "t.csv").write_text("77/a.png,unicorn")
    with pytest.raises(TargetError, match="no class is named 'unicorn'"):
        search_presets(demo, str(tmp_path), str(tmp_path / "t.csv"))
    (tmp_path / "t.csv").write_text("77/a.png," + "9" * 5000)
    with pytest.raises(TargetError, match="no class is named '9999"):
        search_presets(demo, str(tmp_path), str(tmp_path / "t.csv"))
    (tmp_path / "t.csv").write_text("77/a.png,unicorn")
    message = "class name 'unicorn' needs labels"
    with GradCamGraph(demo_model(), config=cpus()) as net, pytest.raises(TargetError, match=message):
        search_presets(net, str(tmp_path), str(tmp_path / "t.csv"))


class TestCommand:
    def test_the_next_command_works_when_typed(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        copy_scenes(tmp_path / "my photos", *(f"{number}.png" for number in range(6)))
        said = command("presets", demo_model(), "my photos", "--layer", "-2")
        assert said.splitlines()[2].split()[:2] == ["1", "inception"]
        (line,) = [line for line in said.splitlines() if line.startswith("go on with: ")]
        assert line.endswith("run " + str(demo_model()) + " 'my photos' --out out --layer -2 --preset inception")
        command(*shlex.split(line)[4:], "--method", "gradcam")
        assert len(manifest("out")) == 6

    def test_with_too_few_images_the_truth_stays(self, tmp_path):
        copy_scenes(tmp_path / "star", "a.png")
        (tmp_path / "names.txt").write_text("\n".join(DEMO_CLASSES))
        words = ("--labels", tmp_path / "names.txt", "--truth", "folders", "--n-images", 3)
        told = command("presets", demo_model(), tmp_path / "star", *words).splitlines()[-1]
        assert told.endswith(f"MORE_IMAGES --labels {tmp_path / 'names.txt'} --truth folders")

    def test_json_is_the_same_table(self, tmp_path):
        copy_scenes(tmp_path, "a.png", "b.png")
        told = json.loads(command("presets", demo_model(), tmp_path, "--json"))
        assert told["presets"][0]["preset"] == "inception"
        assert (told["images"], told["decided"]) == (2, False)
        assert told["command"].endswith("MORE_IMAGES")
        assert set(told["presets"][0]) >= {"options", "norm_distance", "top", "entropy", "changed", "tied", "accuracy"}


def test_the_right_preset_is_first_for_real_nets(models_dir):
    """One net with fused and one with spelled-out batch norms; docs/choosing-preprocessing.md has all nets."""
    nets = json.loads((models_dir / "models.json").read_text())
    for name, right in (("mobilenet_v1_0.25_128_2018", "inception"), ("vww_96", "zero-one")):
        with GradCamGraph(str(models_dir / nets[name]["path"]), config=cpus()) as net:
            table = search_presets(net, str(models_dir / "photos"), count=8)
        assert table.rows[0].candidate.name == right
        assert table.decided
