"""What the command line asks: every option's target, what does not go together, and the numbers of real runs."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from command_line import command, manifest, parameters
from image_folders import copy_scenes
from map_net import MapNet
from PIL import Image

from gradcam_tf1.cli.target_options import SCORES, make_targets
from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.run.per_image import PerImage
from gradcam_tf1.scoring.score_functions import CLASS_SCORES
from gradcam_tf1.targets import All, Anchor, Contrast, Region, Scalar, Top, Worst

SCENES = demo_scenes()


def asked(*options):
    """The targets that these options come to."""
    return make_targets(parameters("model.pb", "photos", "--out", "out", *options))


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ([], None),
        (["--class", "star", "--class", 0], ["star", 0]),
        (["--top-k", 3, "--worst"], [Top(3), Worst()]),
        (["--class", 7, "--all-classes"], [7, All()]),
        (["--contrast", "tabby, 3", "--contrast", "lynx"], [Contrast("tabby", 3), Contrast("lynx")]),
        (["--region"], [Region()]),
        (["--class", 1, "--class", 2, "--region"], [Region(1), Region(2)]),
        (["--class", "cat", "--point", "120, 80.5"], [Region("cat", point=(120.0, 80.5))]),
        (["--anchor", 0], [Anchor(index=0)]),
        (["--class", 1, "--best-anchors", 5, "--scalar", "x:0"], [Anchor(1, best=5), Scalar("x:0")]),
        (["--mask", "m"], PerImage(None, "m", (None,), (), None)),
        (["--mask", "m", "--class", 4], PerImage(None, "m", (4,), (), None)),
        (["--class-file", "c.csv", "--worst"], PerImage("c.csv", None, (), (Worst(),), None)),
        (["--class-file", "c.csv", "--region"], PerImage("c.csv", None, (None,), (), Region())),
    ],
)
def test_options_come_to_targets(options, targets):
    assert asked(*options) == targets


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--region", "--anchor", 0], "--region and --anchor exclude each other; give one of them"),
        (["--mask", "m", "--point", "0,0"], "--point and --mask exclude each other"),
        (["--region", "--top-k", 2], "--region needs classes from --class or --class-file, not ranks such as --top-k"),
        (["--class-file", "c.csv", "--class", 1], "both set the classes; give one of them"),
    ],
)
def test_what_does_not_go_together_is_said(options, message):
    with pytest.raises(OptionError, match=message):
        asked(*options)


@pytest.mark.parametrize("point", ["nan,5", "5,inf", "-1,5"])
def test_a_point_that_is_in_no_image_is_one_mistake_and_not_one_for_each(point):
    with pytest.raises(click.BadParameter, match="is in no image; write ROW,COLUMN in pixels, counted from 0"):
        asked("--point", point)


def test_the_scores_are_those_of_the_program():
    assert SCORES == CLASS_SCORES


# runs


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "a.png", "b.png", "c.png")


def run(*options, code=0):
    return command("run", *options, "--method", "gradcam", "--no-heatmaps", code=code)


def demo(photos, out, *options, code=0):
    return run(demo_model(), photos, "--out", out, "--preset", "inception", *options, code=code)


def targets_in(out):
    return [line["targets"] for line in manifest(out)]


def test_ranks_contrasts_and_scores_fit_the_scores_of_all_classes(photos, tmp_path, labels):
    demo(photos, tmp_path / "all", "--all-classes")
    demo(photos, tmp_path / "out", "--labels", labels, "--top-k", 2, "--worst", "--contrast", "star,1", "--contrast", 2)
    demo(photos, tmp_path / "margin", "--score", "margin")
    demo(photos, tmp_path / "down", "--class", 3, "--score", "down")
    for every, found, (margin,), (down,) in zip(*(targets_in(tmp_path / n) for n in ("all", "out", "margin", "down"))):
        scores = np.array([target["score"] for target in every])
        order = np.argsort(-scores)
        assert [target["class_id"] for target in every] == list(range(7))
        assert [target["class_id"] for target in found] == [*order[:2], order[-1], 0, 2]
        assert [target["about"] for target in found] == ["", "", "", "not 1", "not predicted"]
        expected = [*scores[order[:2]], scores[order[-1]], scores[0] - scores[1], scores[2] - scores.max()]
        assert [target["score"] for target in found] == pytest.approx(expected, abs=1e-3)
        assert margin["score"] == pytest.approx(scores[order[0]] - scores[order[1]], abs=1e-3)
        assert down["score"] == pytest.approx(-scores[3], abs=1e-3)


def test_a_class_of_its_own_for_each_image(photos, tmp_path, labels):
    table = tmp_path / "classes.csv"
    table.write_text("image,class\nc.png,star\na.png,2\nb.png,ring\nb.png,0\n")
    demo(photos, tmp_path / "out", "--labels", labels, "--class-file", table)
    assert [[target["class_id"] for target in row] for row in targets_in(tmp_path / "out")] == [[2], [1, 0], [0]]
    table.write_text("a.png,1\n")
    text = demo(photos, tmp_path / "two", "--class-file", table, code=2)
    assert "has no class for 2 of 3 images: 'b.png', 'c.png'" in text
    table.write_text("a.png,1\nb.png,2\nc.png,unicorn\n")
    assert "no class is named 'unicorn'" in demo(
        photos, tmp_path / "two", "--labels", labels, "--class-file", table, code=2
    )
    assert not (tmp_path / "two").exists()


def test_likeness_to_a_reference_is_one_for_itself(photos, tmp_path):
    demo(photos, tmp_path / "out", "--reference", photos / "b.png")
    scores = [target["score"] for (target,) in targets_in(tmp_path / "out")]
    assert scores[1] == pytest.approx(1, abs=1e-5)
    assert max(scores[0], scores[2]) < 0.99


def test_a_draw_of_the_images(photos, tmp_path):
    demo(photos, tmp_path / "out", "--n-images", 2, "--seed", 5)
    demo(photos, tmp_path / "again", "--n-images", 2, "--seed", 5)
    first, second = (Path(tmp_path, name, "manifest.jsonl").read_text() for name in ("out", "again"))
    assert first == second
    assert len(first.splitlines()) == 2


@pytest.fixture
def segmenter(tmp_path):
    """A segmentation net as a file, with three images of its size and one of another, and masks for all."""
    net = MapNet()
    (tmp_path / "seg.pb").write_bytes(net.graph.as_graph_def().SerializeToString())
    random = np.random.RandomState(0)
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.zeros((8, 12), np.uint8)
    mask[2:6, 4:8] = 255
    for name, size in (("a", (8, 12)), ("b", (8, 12)), ("c", (16, 24))):
        Image.fromarray(random.randint(0, 256, (*size, 3)).astype(np.uint8)).save(str(tmp_path / "in" / f"{name}.png"))
        Image.fromarray(mask).save(str(tmp_path / "masks" / f"{name}.bmp"))
    return net


def segment(tmp_path, out, *options, code=0):
    names = ("--logits", "scores", "--layer", "features", "--preset", "raw")
    return run(tmp_path / "seg.pb", tmp_path / "in", "--out", tmp_path / out, *names, *options, code=code)


def score_maps(net, path):
    pixels = np.asarray(Image.open(str(path)), np.float64)[np.newaxis]
    features = np.maximum(pixels @ net.kernel, 0)
    return features.reshape(1, 4, 2, 6, 2, 4).mean((2, 4))[0] @ net.weights


def test_masks_points_and_own_regions_of_a_segmentation_net(segmenter, tmp_path):
    text = segment(tmp_path, "mask", "--mask", tmp_path / "masks", "--class", 1, code=1)
    assert "c.png': the mask is [8, 12], the image [16, 24]" in text
    assert "2 images explained, 1 failed" in text
    segment(tmp_path, "own", "--region", "--class", 2)
    segment(tmp_path, "point", "--point", "7,2", "--class", 0)
    for n, name in enumerate("ab"):
        maps = score_maps(segmenter, tmp_path / "in" / f"{name}.png")
        weights = np.zeros((4, 6))
        weights[1:3, 2:4] = 1
        expected = {
            "mask": (weights * maps[..., 1]).sum(),
            "own": ((maps.argmax(-1) == 2) * maps[..., 2]).sum(),
            "point": maps[3, 1, 0],
        }
        for out, score in expected.items():
            assert targets_in(tmp_path / out)[n][0]["score"] == pytest.approx(score, rel=1e-4, abs=1e-2), out


def test_a_point_outside_of_an_image_fails_that_image_alone(segmenter, tmp_path):
    text = segment(tmp_path, "out", "--point", "12,2", code=1)
    assert "row 12.0 is outside the part that the net saw, 0 to 7" in text
    assert "1 image explained, 2 failed" in text


def test_which_output_of_a_net_with_several(photos, tmp_path):
    demo(photos / "a.png", tmp_path / "name", "--output", "logits/BiasAdd:0")
    demo(photos / "a.png", tmp_path / "number", "--output", 0)  # of the graph's ends: the probabilities, walked back
    for name in ("name", "number"):
        settings = json.loads((tmp_path / name / "run.json").read_text())
        assert settings["logits"] == "logits/BiasAdd:0"
    text = demo(photos, tmp_path / "out", "--output", 5, code=2)
    assert "no output 5; the model has 1: 0 'probabilities:0'" in text
    text = demo(photos, tmp_path / "out", "--output", 0, "--logits", "logits", code=2)
    assert "output 0 and logits 'logits' both name what is explained; give one of them" in text


def test_a_scalar_by_name(photos, tmp_path):
    assert "no tensor 'nothing' in the graph" in demo(photos, tmp_path / "out", "--scalar", "nothing", code=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--contrast", "a,b,c"], "'a,b,c': write two classes as A,B; use ids if a name has a comma"),
        (["--contrast", "a,"], "'a,': write two classes"),
        (["--point", "3"], "'3' is not a point; write ROW,COLUMN"),
        (["--top-k", "0"], "0 is not in the range"),
        (["--best-anchors", "0"], "0 is not in the range"),
        (["--score", "loss"], "'loss' is not one of"),
        (["--box", "1"], "1.0 is not in the range"),
        (["--style", "x"], "'x' is not one of"),
        (["--n-images", "0"], "0 is not in the range"),
        (["--top-k", "8"], "Top(8): the net has 7 classes"),
        (["--region"], "Region, Keypoint and Total targets need maps of scores"),
        (["--keypoint", "0"], "Region, Keypoint and Total targets need maps of scores"),
        (["--mask", "nowhere"], "no such file or folder: 'nowhere'"),
        (["--class-file", "nowhere.csv"], "'nowhere.csv' cannot be read: No such file or directory; give a CSV file"),
    ],
)
def test_wrong_values_are_named(photos, tmp_path, options, message):
    assert message in demo(photos, tmp_path / "out", *options, code=2)


def test_styles_and_boxes_reach_the_images(photos, tmp_path):
    demo(photos, tmp_path / "plain")
    demo(photos, tmp_path / "out", "--style", "mask-only", "--box")
    demo(photos, tmp_path / "half", "--box", 0.5)
    settings = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (settings["style"], settings["box"]) == ("mask-only", 0.15)
    for (plain,), (wide,), (narrow,) in zip(*(targets_in(tmp_path / name) for name in ("plain", "out", "half"))):
        boxes = [target["maps"][0]["box"] for target in (wide, narrow)]
        assert plain["maps"][0]["box"] is None
        areas = [(bottom - top) * (right - left) for top, left, bottom, right in boxes]
        assert areas[0] > areas[1] > 0
        image = np.asarray(Image.open(str(tmp_path / "out" / wide["maps"][0]["files"]["overlay"])))
        assert (image == 0).all(axis=2).mean() > 0.2
