"""The whole search on the demo net: pictures, images, files, the command, and what a classifier of its own says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import kind_judge
import numpy as np
import pytest
from command_line import command

from gradcam_tf1 import (
    FeatureOptions,
    FeatureReport,
    FeatureUnit,
    GradCamGraph,
    ImageFileError,
    OptionError,
    find_features,
    load,
)
from gradcam_tf1.features.noise_images import noise_images
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.tf_runtime import tf

SCENES = [scene.path for scene in demo_scenes()]
QUICK = FeatureOptions(steps=144, rate=0.05, top=5)
CHANNEL = FeatureUnit(layer="conv4/Relu", channel=7)


@pytest.fixture(scope="module")
def written(net, tmp_path_factory):
    """(report, its folder)."""
    out = tmp_path_factory.mktemp("features")
    bad = out / "bad.png"
    bad.write_bytes(b"no image")
    units = ["star", CHANNEL, FeatureUnit("star", negative=True)]
    return find_features(net, units, [*SCENES, str(bad)], str(out / "out"), options=QUICK), out / "out"


def test_the_picture_is_far_above_noise_and_above_every_image(written):
    for feature in written[0].features[:2]:
        assert feature.reached > feature.top[0].value > feature.noise
        assert feature.reached > feature.start
    against = written[0].features[2]
    assert against.reached < against.start
    assert against.top[0].value < against.top[-1].value < 0


def test_the_picture_that_is_stored_has_the_value_that_is_told(written, net):
    report, out = written
    image = cv2.imread(str(out / "star.png"))[..., ::-1]
    np.testing.assert_array_equal(image, report.features[0].picture)
    found = net.explain(image, "star").scores[0, 0]
    assert found == pytest.approx(report.features[0].reached, rel=1e-4)


def test_the_top_images_are_those_with_the_highest_scores(written, net):
    scores = net.explain(SCENES, "star").scores[:, 0]
    order = np.argsort(-scores)[:5]
    top = written[0].features[0].top
    assert [Path(each.source).name for each in top] == [Path(SCENES[n]).name for n in order]
    np.testing.assert_allclose([each.value for each in top], scores[order], rtol=1e-4)
    lowest = written[0].features[2].top
    assert [Path(each.source).name for each in lowest] == [Path(SCENES[n]).name for n in np.argsort(scores)[:5]]


def test_the_top_images_of_a_channel_are_those_of_its_mean(written, net):
    """Against the features themselves, through the ops of another part of the package."""
    means = []
    for path in SCENES:
        batch = net.preprocess(net.fit_image(path).pixels[np.newaxis])
        means.append(net.sess.run("conv4/Relu:0", {"input:0": batch})[0, :, :, 7].mean())
    order = np.argsort(means)[::-1][:5]
    top = written[0].features[1].top
    assert [Path(each.source).name for each in top] == [Path(SCENES[n]).name for n in order]
    np.testing.assert_allclose([each.value for each in top], np.array(means)[order], rtol=1e-4)


def test_the_region_of_a_class_lies_on_its_object(written):
    boxes = {Path(scene.path).name: scene.boxes.get("star") for scene in demo_scenes()}
    found = 0
    for each in written[0].features[0].top:
        truth = boxes[Path(each.source).name]
        if truth is not None and each.box is not None:
            row, column = (each.box[0] + each.box[2]) / 2, (each.box[1] + each.box[3]) / 2
            found += truth[0] <= row < truth[2] and truth[1] <= column < truth[3]
    assert found >= 4


def test_the_region_of_a_channel_is_where_its_layer_is_highest(graph, tmp_path):
    """A net whose channel is the brightness of 4 x 4 pixels: the region is the bright spot of a larger image."""
    x = tf.placeholder(tf.float32, [None, 32, 32, 3], name="input")
    a = tf.nn.avg_pool(x, [1, 4, 4, 1], [1, 4, 4, 1], "VALID")
    a = tf.nn.conv2d(a, np.ones((1, 1, 3, 1), "f4"), [1, 1, 1, 1], "SAME", name="features")
    tf.concat([tf.reduce_mean(a, [1, 2])] * 2, 1, name="logits")
    image = np.zeros((64, 96, 3), np.uint8)
    image[40:48, 12:24] = 255
    cv2.imwrite(str(tmp_path / "spot.png"), image)
    net = GradCamGraph(load(graph.as_graph_def()), input="input", logits="logits", preset="raw")
    with net:
        units = [FeatureUnit(layer="features", channel=0, position=place) for place in (None, (5, 1), (0, 0))]
        report = find_features(net, units, str(tmp_path), options=FeatureOptions(steps=0))
    boxes = [feature.top[0].box for feature in report.features]
    assert boxes[0] == boxes[1] == (40, 12, 48, 24)
    assert boxes[2] is None
    assert [feature.top[0].value for feature in report.features] == pytest.approx([765 / 64, 765, 0])


def test_the_files(written):
    report, out = written
    names = sorted(path.name for path in out.iterdir())
    assert names == [
        "against-star.png",
        "against-star.sheet.png",
        "channel-7.conv4-Relu.png",
        "channel-7.conv4-Relu.sheet.png",
        "features.json",
        "star.png",
        "star.sheet.png",
    ]
    found = json.loads((out / "features.json").read_text())
    assert found["images"] == len(SCENES)
    assert list(found["failed"]) == ["bad.png"]
    star, channel, against = found["features"]
    assert (star["class_id"], star["layer"], channel["layer"], channel["channel"]) == (0, None, "conv4/Relu:0", 7)
    assert star["best_image"] == star["top"][0]["value"]
    assert against["negative"] is True
    assert star["files"] == {"sheet": "star.sheet.png", "picture": "star.png"}
    assert found["settings"]["steps"] == QUICK.steps
    assert report.files["star"] == str(out / "star.sheet.png")
    assert cv2.imread(str(out / "star.sheet.png")).shape[1] > 5 * 200


def test_two_units_of_one_name_have_files_of_their_own(net, out):
    report = find_features(net, ["star", "star"], None, out, options=FeatureOptions(steps=1))
    assert isinstance(report, FeatureReport)
    assert {path.name for path in Path(out).iterdir()} >= {"star.png", "star~2.png"}


def test_images_alone_need_no_gradient(net):
    report = find_features(net, CHANNEL, SCENES[:3], options=FeatureOptions(steps=0, top=2))
    feature = report.features[0]
    assert (feature.picture, feature.reached, len(feature.top)) == (None, None, 2)
    assert report.files == {}


def test_progress_counts_steps_and_images(net):
    seen = []
    options = FeatureOptions(steps=3, progress=lambda name, total: seen.append((name, total)))
    find_features(net, ["star", "ring", CHANNEL], SCENES[:2], options=options)
    assert seen[:6] == [("pictures", 6)] * 6
    assert [total for _, total in seen[6:]] == [2, 2]


def test_noise_has_two_kinds_and_a_seed(net):
    unit_net = UnitNet(net, (0, 255))
    images = noise_images(unit_net, FeatureOptions(seed=3))
    assert images.shape == (16, 96, 128, 3)
    np.testing.assert_array_equal(images, noise_images(unit_net, FeatureOptions(seed=3)))
    rough = np.abs(np.diff(images, axis=2)).mean(axis=(1, 2, 3))
    assert rough[:8].min() > 2 * rough[8:].max()
    assert images.min() >= 0
    assert images.max() <= 255


def test_what_makes_no_sense_is_refused(net, tmp_path):
    with pytest.raises(OptionError, match=r"options is 3; give options=FeatureOptions\(...\)"):
        find_features(net, "star", options=3)
    with pytest.raises(OptionError, match="without steps and without images there is nothing to do"):
        find_features(net, "star", options=FeatureOptions(steps=0))
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(ImageFileError, match="bad.png"):
        find_features(net, "star", str(bad), options=FeatureOptions(steps=0))


def unwanted(_name, _total):
    raise AssertionError("work before the mistake was told")


def test_mistakes_are_told_before_the_work(net, tmp_path):
    (tmp_path / "file").write_text("")
    unable = FeatureOptions(steps=2, progress=unwanted)
    with pytest.raises(OptionError, match="is not a folder, so .* cannot be made"):
        find_features(net, "star", None, str(tmp_path / "file" / "out"), options=unable)
    with pytest.raises(ImageFileError, match="no such file or folder: 'nowhere'"):
        find_features(net, "star", "nowhere", options=unable)


@pytest.mark.parametrize("command_line", [("features", "no.pb"), ("concepts", "no.pb", "photos")])
@pytest.mark.skipif(sys.platform != "linux", reason="a folder that not even root may write into")
def test_a_folder_that_may_not_be_written_is_told_before_the_model_is_loaded(command_line):
    given = (*command_line, "--out", "/proc/self/deep/out", *(("--class", "0") * (command_line[0] == "features")))
    assert "'/proc/self' may not be written to; choose another output folder" in command(*given, code=2)


def test_the_command(tmp_path, labels):
    out = tmp_path / "out"
    printed = command(
        *("features", demo_model(), "--preset", "inception", "--labels", labels, "--class", "star"),
        *(
            "--layer",
            "conv4/Relu",
            "--channel",
            "3,7,3",
            "--class",
            "star",
            "--images",
            Path(SCENES[0]).parent,
            "--n-images",
            4,
        ),
        *("--steps", 8, "--top", 2, "--out", out),
    )
    assert "star: noise " in printed
    assert "conv4/Relu channel 7: noise " in printed
    assert ", best image " in printed
    assert ", picture " in printed
    found = json.loads((out / "features.json").read_text())
    assert [each["name"] for each in found["features"]] == ["star", "conv4/Relu channel 3", "conv4/Relu channel 7"]
    assert found["images"] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "nothing to look at; give --channel 3,7 with --layer NAME, or --class NAME"),
        (("--channel", "a"), "'a': write numbers of channels from 0, with commas: 3,7"),
        (("--channel", "1", "--position", "4"), "'4': write row and column of the layer, from 0: 5,7"),
        (("--class", "0", "--values", "x"), "'x': write the lowest and the highest value: 0,255"),
        (("--channel", "²"), "'²': write numbers of channels from 0"),
        (("--channel", "1", "--position", "²,1"), "'²,1': write row and column"),
        (("--class", "0", "--layer", "conv4/Relu"), "--layer is of channels; add --channel 3,7, or leave it out"),
        (("--class", "0", "--position", "1,1"), "--position is of channels"),
        (("--class", "0", "--cosine", "2"), "--cosine is of channels"),
        (("--class", "0", "--jitter", "96"), "jitter 96 moves pictures of 96 x 128 out of sight; give at most 95"),
        (("--channel", "64"), "no channel 64: 'conv5/Relu:0' has 64, 0 to 63"),
        (("--class", "0", "--cosine", "9", "--channel", "1"), "cosine is a power from 0 to 8, not 9.0"),
        (("--class", "0", "--steps", "0"), "nothing to do; give --steps or --images"),
        (("--class", "0", "--steps", "-1"), "steps is a whole number from 0, not -1"),
        (("--class", "0", "--feed-file", "f.csv"), "features feeds one value for all images"),
    ],
)
def test_mistakes_on_the_command_line(options, message, tmp_path):
    model = demo_model() if "jitter 96" in message or "no channel 64" in message else "not-loaded-yet.pb"
    given = ("features", model, "--preset", "inception", "--out", tmp_path / "out", *options)
    assert message in " ".join(command(*given, code=2).split())


def test_a_bad_image_is_an_exit_code(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    given = ("--images", SCENES[0], "--images", bad, "--steps", 0, "--class", "0")
    printed = command(*("features", demo_model(), "--preset", "inception", "--out", tmp_path / "out", *given), code=1)
    assert "failed: bad.png" in printed


@pytest.fixture(scope="module")
def judge():
    return kind_judge.load_judge()


def test_the_judge_knows_the_kinds(judge):
    """On drawings that it has never seen; chance is 0.125."""
    images, kinds = kind_judge.drawings(160, seed=4242)
    assert (kind_judge.judged(images, judge).argmax(axis=1) == kinds).mean() > 0.7


@pytest.mark.programs  # it draws seven pictures by the defaults, which takes 20 s
def test_the_pictures_of_the_classes_show_their_kinds_to_a_classifier_of_its_own(net, judge):
    """What it says of the whole pictures, as they are; one of eight would be chance."""
    report = find_features(net, list(DEMO_CLASSES))
    said = kind_judge.judged(np.stack([feature.picture for feature in report.features]), judge).argmax(axis=1)
    right = {kind: bool(said[n] == n) for n, kind in enumerate(DEMO_CLASSES)}
    assert right["star"], right
    assert sum(right.values()) >= 5, right


@pytest.mark.programs
def test_the_star_is_a_star_whatever_the_seed(net, judge):
    stars = [find_features(net, "star", options=FeatureOptions(seed=seed)).features[0].picture for seed in range(5)]
    said = [kind_judge.JUDGED[n] for n in kind_judge.judged(np.stack(stars), judge).argmax(axis=1)]
    assert said.count("star") >= 4, said
