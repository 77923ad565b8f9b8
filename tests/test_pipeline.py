"""Folder in, folder out: what is written is what `explain` says, whatever lies in the folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gradcam_tf1.errors import GradientError, OptionError, TargetError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images import read_image
from gradcam_tf1.manifest import read_manifest
from gradcam_tf1.naming import layer_tokens
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.reading import Picture, batches
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import KeyTensors

SCENES = demo_scenes()


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        yield net


@pytest.fixture
def photos(tmp_path):
    """Three scenes in a folder and a subfolder."""
    for scene, place in zip(SCENES, ("a.png", "b.png", "sub/c.png")):
        path = tmp_path / "photos" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(scene.path, path)
    return tmp_path / "photos"


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


def free_size_graph():
    """A net of any size: 5x5 VALID convolution, ReLU, mean over the positions, dense."""
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, None, None, 3], name="input")
        kernel = random.randn(5, 5, 3, 4).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 2, 2, 1], "VALID"), name="features")
        dense = tf.matmul(tf.reduce_mean(features, [1, 2]), random.randn(4, 3).astype(np.float32))
        tf.nn.softmax(tf.identity(dense, name="logits"), name="prob")
    return graph.as_graph_def()


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def everything_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


def test_a_folder_with_nothing_but_two_arguments(net, photos, out):
    results = net.visualize_imgs(str(photos), out)
    assert [result.relative for result in results] == ["a.png", "b.png", "sub/c.png"]
    labels = [f"c{int(result)}-{DEMO_CLASSES[result]}" for result in results]
    expected = [
        f"{name}.{label}.{kind}.png"
        for name, label in zip(("a.png", "b.png", "sub/c.png"), labels)
        for kind in ("gradcam", "gradcam.heatmap", "guided_gradcam")
    ]
    assert everything_in(out) == sorted([*expected, "manifest.jsonl", "run.json"])
    images = [read_image(result.source) for result in results]
    assert (results == [net.explain(image).predicted[0] for image in images]).all()
    for result, image in zip(results, images):
        assert all(pixels(path).shape == image.shape for path in result.files)


def test_asked_for_each_object_the_red_is_on_that_object(net, out):
    results = net.visualize_imgs([scene.path for scene in SCENES], out, targets=[list(s.boxes) for s in SCENES])
    hits = []
    for result, scene in zip(results, SCENES):
        assert result.labels == list(scene.boxes)
        for target in result.targets:
            top, left, bottom, right = scene.boxes[target.label]
            files = target.maps[0].files
            red = (pixels(files["heatmap"]) == [128, 0, 0]).all(axis=2)  # the red end of jet is high
            assert red[target.maps[0].peak]
            rows, columns = np.nonzero(red)
            hits.append(top <= np.median(rows) < bottom and left <= np.median(columns) < right)
            over, heat, photo = pixels(files["overlay"]), pixels(files["heatmap"]), read_image(scene.path).astype(int)
            assert np.abs(2 * over - heat - photo).max() <= 2  # half photograph, half heat
    assert len(hits) == sum(len(scene.boxes) for scene in SCENES)
    assert np.mean(hits) > 0.8


def test_the_manifest_says_what_explain_says(net, photos, out):
    asked = ["star", 1]
    results = net.visualize_imgs(
        str(photos), out, targets=asked, methods=["gradcam", "positive_negative", "guided_backprop"], layers=[-1, -2]
    )
    lines = list(read_manifest(results.manifest))
    names = ("a.png", "b.png", "sub/c.png")
    assert [line["relative"] for line in lines] == list(names)
    explanation = net.explain(
        [read_image(str(photos / name)) for name in names],
        asked,
        ["gradcam", "positive_negative", "guided_backprop"],
        [-1, -2],
    )
    for n, line in enumerate(lines):
        assert line["predicted"] == explanation.predicted[n]
        assert line["size"] == list(read_image(line["source"]).shape[:2])
        assert [target["class_id"] for target in line["targets"]] == explanation.class_ids[n].tolist() == [0, 1]
        for t, target in enumerate(line["targets"]):
            assert target["label"] == DEMO_CLASSES[t]
            assert target["score"] == pytest.approx(explanation.scores[n, t], abs=1e-5)
            assert target["probability"] == pytest.approx(explanation.probabilities[n, t], abs=1e-5)
            assert [(m["method"], m["layer"]) for m in target["maps"]] == list(explanation.maps)
            for map in target["maps"]:
                status = explanation.statuses[map["method"], map["layer"]][n][t]
                assert (map["status"], map["reason"]) == (status.state, status.reason)
                assert map["minimum"] == pytest.approx(status.minimum, abs=1e-5)
                assert map["maximum"] == pytest.approx(status.maximum, abs=1e-5)
                for path in map["files"].values():
                    assert os.path.isfile(os.path.join(out, path))
                    assert (layer_tokens(explanation.layers)[map["layer"]] + ".") in path
                if map["status"] == "ok" and map["layer"]:
                    placed = explanation.placed(map["method"], n, t, map["layer"])
                    assert placed[tuple(map["peak"])] == pytest.approx(placed.max(), rel=1e-3)


def test_bad_pictures_are_recorded_and_the_run_goes_on(net, photos, out):
    whole = (photos / "a.png").read_bytes()
    (photos / "aa_truncated.png").write_bytes(whole[: len(whole) // 2])
    (photos / "ab_empty.jpg").write_bytes(b"")
    (photos / "ac_text.jpg").write_text("not a picture")
    results = net.visualize_imgs(str(photos), out, batch_size=2, max_pixels=10**6)
    assert [result.relative for result in results if not result.ok] == [
        "aa_truncated.png",
        "ab_empty.jpg",
        "ac_text.jpg",
    ]
    assert [int(result) for result in results.failed] == [-1, -1, -1]
    assert [result.relative for result in results if result.ok] == ["a.png", "b.png", "sub/c.png"]
    assert "truncated" in results[1].error
    lines = list(read_manifest(results.manifest))
    assert [line["status"] for line in lines] == ["ok", "error", "error", "error", "ok", "ok"]
    assert [line["error"] for line in lines] == [result.error or None for result in results]
    alone = net.visualize_imgs(str(photos / "b.png"), out + "2")
    assert alone[0] == results[4]
    assert alone[0].scores == pytest.approx(results[4].scores, abs=1e-5)


def test_too_large_pictures_are_refused_one_by_one(net, photos, out):
    Image.new("RGB", (400, 300)).save(str(photos / "large.png"))
    results = net.visualize_imgs(str(photos), out, max_pixels=110_000)
    assert [result.relative for result in results.failed] == ["large.png"]
    assert "more than the 110,000 that are allowed" in results.failed[0].error


def test_the_same_pictures_give_the_same_bytes(net, photos, out):
    for folder in (out, out + "2"):
        net.visualize_imgs(str(photos), folder, raw=True, naming="indexed")
    assert everything_in(out) == everything_in(out + "2")
    for name in everything_in(out):
        assert Path(out, name).read_bytes() == Path(out + "2", name).read_bytes(), name


def test_batches_of_any_size_give_the_same(net, photos, out):
    runs = [net.visualize_imgs(str(photos), f"{out}{size}", batch_size=size, raw=True) for size in (1, 2, 5)]
    for run in runs[1:]:
        assert run.tolist() == runs[0].tolist()
        for ours, alone in zip(run, runs[0]):
            assert ours.scores == pytest.approx(alone.scores, abs=1e-4)
            for one, other in zip(ours.maps, alone.maps):
                with np.load(one.files["raw"]) as mine, np.load(other.files["raw"]) as theirs:
                    np.testing.assert_allclose(mine["map"], theirs["map"], atol=1e-4)


def test_indexed_names(net, photos, out):
    (photos / "ab.png").write_bytes(b"bad")
    results = net.visualize_imgs(str(photos), out, naming="indexed", heatmaps=False)
    third = DEMO_CLASSES[results[3]]
    assert {f"gradcam_3_class_{third}.png", f"guided_gradcam_3_class_{third}.png"} < set(everything_in(out))
    assert not any("_1_class_" in name for name in everything_in(out))


def test_one_row_of_targets_per_picture(net, photos, out):
    results = net.visualize_imgs(str(photos), out, targets=[["star"], ["ring", 3], [2]], methods="gradcam")
    assert [result.class_ids for result in results] == [[0], [1, 3], [2]]
    by_id = net.visualize_imgs(str(photos), out, targets=np.array([[0], [1], [2]]), methods="gradcam")
    assert [result.class_ids for result in by_id] == [[0], [1], [2]]
    assert by_id[1].scores[0] == pytest.approx(results[1].scores[0], abs=1e-5)
    with pytest.raises(TargetError, match="targets has 2 rows, but there are 3 pictures"):
        net.visualize_imgs(str(photos), out, targets=[[0], [1]])


def test_a_class_that_is_asked_for_twice_is_written_once(net, photos, out):
    (result,) = net.visualize_imgs(str(photos / "a.png"), out, targets=["star", 0, "ring"], methods="gradcam")
    assert result.class_ids == [0, 1]
    assert len(everything_in(out)) == 2 * 2 + 2


def test_pictures_of_different_sizes_in_a_net_of_any_size(out, tmp_path):
    random = np.random.RandomState(1)
    sizes = [(40, 60), (60, 40), (40, 60), (1, 60), (64, 64)]
    for i, (height, width) in enumerate(sizes):
        Image.fromarray(random.randint(0, 256, (height, width, 3)).astype(np.uint8)).save(str(tmp_path / f"{i}.png"))
    paths = [str(tmp_path / f"{i}.png") for i in range(5)]
    with GradCamGraph(free_size_graph(), preset="inception") as net:
        results = net.visualize_imgs(paths, out, raw=True)
        assert [result.ok for result in results] == [True, True, True, False, True]
        assert "its pixels came to 1x60, another may do" in results[3].error
        for path, result in zip(paths, results):
            if result.ok:
                alone = net.explain(read_image(path))
                assert alone.predicted[0] == result
                with np.load(result.maps[0].files["raw"]) as raw:
                    np.testing.assert_allclose(raw["map"], alone["gradcam"][0, 0], atol=1e-5)


def test_a_net_of_fixed_size_that_cannot_run_is_not_the_pictures_fault(photos, out):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"))
        check = tf.debugging.assert_greater(x, 5.0, message="never so")
        with tf.control_dependencies([check]):
            tf.nn.softmax(tf.matmul(tf.reduce_mean(features, [1, 2]), np.ones((2, 3), np.float32), name="logits"))
    with GradCamGraph(graph.as_graph_def(), preset="inception", logits="logits") as net, pytest.raises(
        Exception, match="never so"
    ):
        net.visualize_imgs(str(photos), out)


class NoRelu(GradCamGraph):
    """A net whose activations are not ReLUs: guided methods do not work on it."""

    def fetch_key_tensors(self):
        return KeyTensors(logits="logits:0", layer="features:0")


def tanh_graph():
    random = np.random.RandomState(0)
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        kernel = random.randn(3, 3, 3, 4).astype(np.float32)
        features = tf.tanh(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME"), name="features")
        tf.matmul(tf.reduce_mean(features, [1, 2]), random.randn(4, 3).astype(np.float32), name="logits")
    return graph.as_graph_def()


def test_default_methods_that_a_net_does_not_allow_are_left_out_and_named(photos, out):
    with NoRelu(tanh_graph(), preset="inception") as net:
        results = net.visualize_imgs(str(photos), out)
        assert {record.method for result in results for record in result.maps} == {"gradcam"}
        assert len(results.warnings) == 1
        assert results.warnings[0].startswith("guided_gradcam was left out: ")
        assert json.loads(Path(out, "run.json").read_text())["warnings"] == list(results.warnings)
        with pytest.raises(GradientError, match=r"(?i)relu"):
            net.visualize_imgs(str(photos), out, methods=["guided_gradcam"])


def test_without_any_gradient_the_reason_is_given(photos, out):
    graph = tf.Graph()
    with graph.as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        features = tf.nn.relu(tf.nn.conv2d(x, np.ones((3, 3, 3, 2), np.float32), [1, 1, 1, 1], "SAME"), name="features")
        stopped = tf.stop_gradient(features, name="wall")
        tf.matmul(tf.reduce_mean(stopped, [1, 2]), np.ones((2, 3), np.float32), name="logits")
    with NoRelu(graph.as_graph_def(), preset="inception") as net, pytest.raises(GradientError, match="features:0"):
        net.visualize_imgs(str(photos), out)


class OlderStyle(GradCamGraph):
    """As scripts of this kind were written: attributes are assigned, nothing is returned."""

    def fetch_key_tensors(self):
        tensor = self.sess.graph.get_tensor_by_name
        self.X, self.logit, self.layer = tensor("input:0"), tensor("logits/BiasAdd:0"), tensor("conv5/Relu:0")
        self.feed_dict = {}

    def preprocess(self, images):
        return images / 127.5 - 1.0


def test_the_older_style_gets_an_array_of_predicted_classes(net, photos, out):
    predicted = OlderStyle(demo_model(), len(DEMO_CLASSES)).visualize_imgs(str(photos), out)
    assert np.asarray(predicted).tolist() == net.visualize_imgs(str(photos), out + "2").tolist()
    assert DEMO_CLASSES[predicted[0]] in SCENES[0].boxes
    assert (predicted == predicted[0]).sum() >= 1


def test_its_own_output_is_never_explained_again(net, photos):
    inside = str(photos / "out")
    runs = [net.visualize_imgs(str(photos), inside, methods="gradcam") for _ in range(2)]
    assert len(runs[0]) == len(runs[1]) == 3
    with pytest.raises(OptionError, match="choose another output folder"):
        net.visualize_imgs(str(photos), str(photos))


def test_run_settings_say_how_it_was_made(net, photos, out):
    net.visualize_imgs(str(photos), out, targets="star", methods="positive_negative", layers=-2, alpha=0.25)
    run = json.loads(Path(out, "run.json").read_text())
    assert run["logits"] == "logits/BiasAdd:0"
    assert (run["targets"], run["methods"], run["layers"]) == ("star", ["positive", "negative"], -2)
    assert (run["alpha"], run["colormap"], run["images"], run["fit"]) == (0.25, "jet", 3, "stretch")
    assert "x/127.5 - 1" in run["preset"]


def test_progress_is_told_of_every_picture(net, photos, out):
    (photos / "bad.png").write_bytes(b"bad")
    told = []
    net.visualize_imgs(str(photos), out, methods="gradcam", progress=lambda result, total: told.append((result, total)))
    assert [(result.relative, total) for result, total in told] == [
        (n, 4) for n in ("a.png", "b.png", "bad.png", "sub/c.png")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"naming": "pretty"}, "no naming 'pretty'"),
        ({"colormap": "rainbow"}, "unknown colour map 'rainbow'"),
        ({"batch_size": 0}, "batch_size is the number of pictures held at a time, at least 1, not 0"),
        ({"methods": ["grad"]}, "no method 'grad'"),
    ],
)
def test_wrong_options_stop_the_run_before_anything_is_written(net, photos, out, options, message):
    with pytest.raises(OptionError, match=message):
        net.visualize_imgs(str(photos), out, **options)
    assert not os.path.exists(out)


def test_names_of_any_bytes(net, photos, out):
    odd = os.fsdecode(b"caf\xe9 \n.png")
    shutil.copy(str(photos / "a.png"), os.path.join(str(photos), odd))
    results = net.visualize_imgs(str(photos), out, methods="gradcam", heatmaps=False)
    assert results[2].source.endswith(odd)
    assert os.path.basename(results[2].files[0]).startswith("caf%E9 %0A.png.c")
    assert [line["source"] for line in read_manifest(results.manifest)] == [result.source for result in results]


def test_cat_jpg_and_cat_png_both_survive(net, tmp_path, out):
    for name in ("cat.jpg", "cat.png", "Cat.png"):
        Image.open(SCENES[0].path).convert("RGB").save(str(tmp_path / name))
    results = net.visualize_imgs([str(tmp_path / n) for n in ("cat.jpg", "cat.png", "Cat.png")], out, methods="gradcam")
    files = [os.path.basename(path).lower() for result in results for path in result.files]
    assert len(set(files)) == len(files) == 6


def test_large_pictures_make_smallerbatches():
    small, large = np.zeros((10, 10, 3), np.uint8), np.zeros((7000, 7000, 3), np.bool_)
    pictures = [Picture(i, None, None, "", image) for i, image in enumerate([small, large, small, None, small, small])]
    assert [[picture.index for picture in batch] for batch in batches(pictures, 3)] == [[0, 1], [2, 3, 4], [5]]
    assert list(batches([], 3)) == []


def test_the_lit_animal_of_a_real_photograph(models_dir, out):
    """A photograph of 640x480 with a dog above a cat: asked for one of them, the peak lies on it."""
    with GradCamGraph(
        str(models_dir / "pb/mobilenet_v1_0.75_224/quantized_graph.pb"),
        preset="inception",
        labels=str(models_dir / "labels/mobilenet_v1_labels_1001.txt"),
    ) as net:
        names = ("cat_dog.jpg", "zebra.jpeg", "n02510455_giant_panda.JPEG")
        paths = [str(models_dir / "photos" / name) for name in names]
        asked = [["bull mastiff", "tabby"], ["zebra"], ["giant panda"]]
        results = net.visualize_imgs(paths, out, targets=asked, methods="gradcam")
    assert [int(result) for result in results] == [result.class_ids[0] for result in results]
    dog, cat = (target.maps[0].peak for target in results[0].targets)
    for (row, column), (top, left, bottom, right) in ((dog, (20, 220, 310, 480)), (cat, (240, 120, 480, 580))):
        assert top <= row < bottom
        assert left <= column < right
