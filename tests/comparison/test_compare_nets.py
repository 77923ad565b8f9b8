"""Two nets whose difference is known: what `compare_nets` says of them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from array_nets import ArrayNet
from blob_nets import open_blob_net
from PIL import Image
from small_nets import SmallNet

from gradcam_tf1 import CompareOptions, GradCamGraph, compare_nets
from gradcam_tf1.errors import ImageFileError, OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SCENES = [scene.path for scene in demo_scenes()[:4]]


def demo_graph_def():
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(Path(demo_model()).read_bytes())
    return graph_def


def changed(change):
    """The demo net with its float constants changed: `change` takes the name and the array of each."""
    graph_def = demo_graph_def()
    for node in graph_def.node:
        if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
            values = change(node.name, tf.make_ndarray(node.attr["value"].tensor))
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values.astype(np.float32)))
    return graph_def


def rows(found):
    return {Path(row["relative"]).name: row for row in found.rows}


def test_a_net_agrees_with_itself_exactly(net):
    found = compare_nets(net, net, SCENES, options=CompareOptions(methods=["gradcam", "gradient"]))
    assert found.agrees
    assert not found.sure
    assert found.verdict.endswith("But 4 images cannot show that others agree too; give six or more.")
    for name in ("class_agreement", "top5_overlap", "rank_correlation"):
        assert (found.scores[name].mean, found.scores[name].n) == (1.0, 4)
    assert found.largest_difference == 0
    assert found.scores["logit_difference"].mean == 0
    for method in ("gradcam", "gradient"):
        for kind in ("same", "own"):
            assert [found.maps[method][kind][name].mean for name in ("spearman", "ssim", "iou")] == pytest.approx(
                [1] * 3
            )


def test_weights_in_half_precision_change_little(net):
    rounded = changed(lambda _, values: values.astype(np.float16))
    with GradCamGraph(rounded, preset=DEMO_PRESET, labels=DEMO_CLASSES) as other:
        found = compare_nets(net, other, SCENES)
    assert found.agrees
    assert 0 < found.largest_difference < 0.01
    assert 0.99 < found.maps["gradcam"]["same"]["spearman"].mean < 1


def test_classes_in_another_order_are_matched_by_name(net):
    order = np.array([1, 0, 2, 3, 4, 5, 6])  # class 0 and 1 change places
    swapped = changed(lambda name, values: values[..., order] if values.shape[-1:] == (7,) else values)
    with GradCamGraph(swapped, preset=DEMO_PRESET) as by_id:
        found = compare_nets(net, by_id, [scene.path for scene in demo_scenes()])
    tops = [row["class_a"] for row in found.rows]
    assert found.scores["class_agreement"].mean == pytest.approx(np.mean([top > 1 for top in tops]))
    assert 0 < found.scores["class_agreement"].mean < 1
    assert "only A has class names" in found.notes[-1]
    with GradCamGraph(swapped, preset=DEMO_PRESET, labels=[DEMO_CLASSES[i] for i in order]) as by_name:
        found = compare_nets(net, by_name, SCENES)
    assert found.agrees
    assert found.largest_difference < 1e-6
    assert found.maps["gradcam"]["same"]["iou"].mean == pytest.approx(1)


def test_a_blind_region_is_found_and_its_image_comes_first(blobs, photos, tmp_path):
    seen = np.ones((32, 32))
    seen[:, :16] = 0
    with open_blob_net(seen=seen) as blind:
        found = compare_nets(blobs, blind, photos, str(tmp_path / "out"))
    got = rows(found)
    # logits are 100 * mean(relu(colour - 0.5)): a blob of n x n pixels gives 50 n^2 / 32^2
    assert [row["same_class"] for row in got.values()] == [True, True, True, False]  # red without anything: class 0
    assert (got["d_both.png"]["name_a"], got["d_both.png"]["name_b"]) == ("red", "green")
    red, green = 50 * 64 / 1024, 50 * 16 / 1024
    assert got["d_both.png"]["logit_difference"] == pytest.approx(red, rel=0.01)
    before = math.exp(red) / (math.exp(red) + math.exp(green) + 1)
    after = 1 / (1 + math.exp(green) + 1)
    assert got["d_both.png"]["probability_difference"] == pytest.approx(before - after, abs=0.003)
    for name in ("b_green.png", "c_blue.png"):
        assert got[name]["distance"] == pytest.approx(0)
        assert got[name]["maps"]["gradcam"]["same"]["ssim"] == pytest.approx(1)
    # where B sees nothing of the class, its map is empty: no likeness at all
    assert got["a_red.png"]["maps"]["gradcam"]["same"] == {"spearman": 0.0, "ssim": 0.0, "iou": 0.0}
    assert not found.agrees
    page = (tmp_path / "out" / "comparison.html").read_text(encoding="utf-8")
    shown = [page.index(f"{name}: A says") for name in ("d_both.png", "a_red.png", "b_green.png")]
    assert shown == sorted(shown)
    assert "B, its own class: green" in page


def test_other_input_sizes_compare_on_the_image(blobs, photos):
    with open_blob_net(side=64) as large:
        found = compare_nets(blobs, large, photos, options=CompareOptions(map_measure="ssim"))
    assert found.agrees
    assert found.maps["gradcam"]["same"]["iou"].mean > 0.95
    assert found.checks[2].value == found.maps["gradcam"]["same"]["ssim"].mean > 0.95


def test_channels_first_and_last_agree(blobs, photos):
    with open_blob_net(channels_first=True, layer="features_first:0") as other:
        found = compare_nets(blobs, other, photos, options=CompareOptions(methods=["gradcam", "gradient"]))
    assert found.agrees
    assert found.largest_difference < 1e-6
    assert found.maps["gradient"]["same"]["spearman"].mean == pytest.approx(1)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_model_without_probabilities_gets_those_of_the_other_kind(net, swapped):
    bare = tf.graph_util.extract_sub_graph(demo_graph_def(), ["logits/BiasAdd"])  # the demo net ends in a sigmoid
    with GradCamGraph(bare, preset=DEMO_PRESET, labels=DEMO_CLASSES) as other:
        found = compare_nets(*((other, net) if swapped else (net, other)), SCENES[:2])
    assert found.agrees
    assert found.largest_difference < 1e-5
    names = ("A", "B") if swapped else ("B", "A")
    told = "{} has no probabilities in its graph; they are the sigmoid of its logits, as in {}"
    assert told.format(*names) in found.notes


def test_a_folded_batch_norm_changes_nothing(photos):
    random = np.random.RandomState(0)
    kernel, gamma, beta = random.randn(3, 3, 3, 5), random.rand(5) + 0.5, random.randn(5)
    mean, variance, dense = random.randn(5), random.rand(5) + 0.5, random.randn(5, 3)
    factor = gamma / np.sqrt(variance + 1e-3)

    def graph_def(folded):
        with tf.Graph().as_default() as graph:
            x = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
            weights = kernel * factor if folded else kernel
            y = tf.nn.conv2d(x, weights.astype(np.float32), [1, 2, 2, 1], "SAME")
            if folded:
                y = tf.nn.bias_add(y, (beta - mean * factor).astype(np.float32))
            else:
                values = [each.astype(np.float32) for each in (gamma, beta, mean, variance)]
                y = tf.nn.fused_batch_norm(y, *values, epsilon=1e-3, is_training=False)[0]
            pooled = tf.reduce_mean(tf.nn.relu(y), [1, 2])
            tf.nn.softmax(tf.matmul(pooled, dense.astype(np.float32), name="logits"))
        return graph.as_graph_def()

    with GradCamGraph(graph_def(False), preset="zero-one") as a, GradCamGraph(graph_def(True), preset="zero-one") as b:
        found = compare_nets(a, b, photos)
    assert found.agrees
    assert found.largest_difference < 1e-5
    assert found.maps["gradcam"]["same"]["spearman"].mean > 0.9999


def test_a_bad_image_is_left_out_and_said(blobs, photos, tmp_path):
    folder = shutil.copytree(photos, str(tmp_path / "photos"))
    Path(folder, "b_bad.png").write_bytes(b"no image")
    found = compare_nets(blobs, blobs, folder)
    assert (found.images, found.failed) == (4, 1)
    assert found.agrees
    assert not found.sure
    assert "1 image could not be compared" in found.verdict
    shutil.rmtree(folder)
    Path(folder).mkdir()
    Path(folder, "b_bad.png").write_bytes(b"no image")
    with pytest.raises(ImageFileError, match="no image could be compared; the first reason: .*b_bad.png"):
        compare_nets(blobs, blobs, folder)


def test_an_answer_of_one_model_only_is_a_difference(blobs, photos):
    with open_blob_net(broken_above=0.02) as broken:  # NaN on images with a large red blob
        options = CompareOptions(min_class_agreement=0, max_score_difference=1, min_map_similarity=-1)
        found = compare_nets(blobs, broken, photos, options=options)
    assert (found.images, found.one_sided) == (2, 2)
    assert all(check.holds for check in found.checks)
    assert not found.agrees
    assert "on 2 images only one model has an answer" in found.verdict
    assert rows(found)["a_red.png"]["no_answer"] == {"B": "its scores are NaN or infinite"}
    assert found.scores["class_agreement"].mean == 0.5


def test_an_interrupted_comparison_goes_on(blobs, photos, tmp_path):
    whole = compare_nets(blobs, blobs, photos, str(tmp_path / "whole"))
    asked = []

    def stop():
        asked.append(None)
        return len(asked) > 2

    part = compare_nets(blobs, blobs, photos, str(tmp_path / "part"), options=CompareOptions(stop=stop))
    assert (part.images, part.complete, part.sure) == (2, False, False)
    resumed = compare_nets(blobs, blobs, photos, str(tmp_path / "part"), options=CompareOptions(resume=True))
    assert list(resumed.rows) == list(whole.rows)
    for name in ("comparison.json", "comparison.csv", "comparison.html"):
        texts = [(tmp_path / folder / name).read_bytes() for folder in ("whole", "part")]
        assert texts[0] == texts[1], name
    options = CompareOptions(resume=True, methods="layercam")
    with pytest.raises(OptionError, match="cannot be resumed, because its settings were different: methods was"):
        compare_nets(blobs, blobs, photos, str(tmp_path / "part"), options=options)


def test_what_does_not_fit_both_is_refused(blobs, photos):
    for other, told in (
        (open_blob_net(labels=("x", "y", "z")), "have no name in common .*--b-labels"),
        (open_blob_net(labels=None, weights=np.eye(3, 2), bias=(0, 0)), "A has 3 classes and B has 2, so ids do not"),
        (GradCamGraph(SmallNet("flat").graph().as_graph_def(), preset="zero-one"), "'cam' does not work on B"),
        (GradCamGraph(SmallNet("gap", channels=5).graph().as_graph_def(), preset="zero-one"), "3 channels and B of 5"),
        (GradCamGraph(ArrayNet((11,)).graph()), "B takes signals, volumes or clips"),
    ):
        with other, pytest.raises(OptionError, match=told):
            compare_nets(blobs, other, photos, options=CompareOptions(methods="cam"))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("min_class_agreement", 1.1, "min_class_agreement is a number from 0 to 1, not 1.1"),
        ("max_score_difference", -1, "max_score_difference is a number from 0 to 1, not -1"),
        ("min_map_similarity", "x", "min_map_similarity is a number from -1 to 1, not 'x'"),
        ("map_measure", "psnr", "map_measure is one of spearman, ssim, iou, not 'psnr'"),
        ("n_images", 0, "n_images is at least 1, not 0"),
        ("shown", True, "shown is a whole number, not True"),
        ("resume", 1, "resume is True or False, not 1"),
        ("stop", 1, "stop is a function, not 1"),
        ("timeout", 0, "timeout is a number of seconds above 0, not 0"),
        ("explain", None, "explain is None; give explain=ExplainOptions"),
    ],
)
def test_options_are_checked(field, value, told):
    with pytest.raises(OptionError, match=told):
        CompareOptions(**{field: value})
    assert CompareOptions().min_class_agreement == 0.99


def test_options_and_folder_are_checked(blobs, photos):
    with pytest.raises(OptionError, match="give options=CompareOptions"):
        compare_nets(blobs, blobs, photos, options=3)
    with pytest.raises(OptionError, match="give out_folder"):
        compare_nets(blobs, blobs, photos, options=CompareOptions(resume=True))


def test_large_and_tiny_images(blobs, tmp_path):
    random = np.random.RandomState(1)
    for side in (6, 700):
        Image.fromarray(random.randint(0, 255, (side, side, 3), dtype=np.uint8)).save(str(tmp_path / f"{side}.png"))
    with open_blob_net(seen=np.linspace(0.5, 1, 32 * 32).reshape(32, 32)) as other:
        found = rows(compare_nets(blobs, other, str(tmp_path)))
    assert found["6.png"]["maps"]["gradcam"]["same"]["ssim"] is None
    assert 0 < found["6.png"]["maps"]["gradcam"]["same"]["spearman"] < 1
    assert 0 < found["700.png"]["maps"]["gradcam"]["same"]["ssim"] < 1
