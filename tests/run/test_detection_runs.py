"""Runs over folders with detections: what is written, drawn and recorded, and the options of the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from command_line import command, manifest, parameters
from detector_nets import ANCHORS, opened, scene, ssd

from gradcam_tf1 import Boxes, Detection, Detections, Explanation, OptionError, RunOptions, Style
from gradcam_tf1.cli.detection_options import ACTIVATIONS, FORMS, MEASURES
from gradcam_tf1.cli.target_options import make_targets
from gradcam_tf1.drawing.detection_overlay import with_box
from gradcam_tf1.errors import ExplanationFileError, TargetError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.per_image import PerImage
from gradcam_tf1.scoring import box_reader, found_boxes
from gradcam_tf1.targets import Keypoint, Total
from gradcam_tf1.tf_runtime import tf

SCENES = {
    "a_two.png": scene(red=[(0, 0), (3, 3)]),
    "b_none.png": scene(),
    "c_one.png": scene(green=[(2, 1)]),
}
LARGE = 8  # pixels of the image for each of the input
TARGET = Detections(boxes=Boxes(anchors=ANCHORS))


@pytest.fixture(scope="module")
def net():
    with opened(ssd, labels=["mask", "face"]) as bound:
        yield bound


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, image in SCENES.items():
        cv2.imwrite(str(folder / name), np.kron(image, np.ones((LARGE, LARGE, 1), np.uint8))[..., ::-1])
    return str(folder)


def boxes_in(line):
    return [tuple(np.round(target["detection"]["box"], 4)) for target in line["targets"]]


def test_the_manifest_has_boxes_scores_and_labels(net, photos, tmp_path):
    results = net.visualize_imgs(photos, str(tmp_path), TARGET, methods="odam")
    two, none, one = manifest(tmp_path)
    assert boxes_in(two) == [(0, 0, 16, 16), (48, 48, 64, 64)]
    assert [target["label"] for target in two["targets"]] == ["mask", "mask"]
    assert two["targets"][0]["detection"]["confidence"] == pytest.approx(two["targets"][0]["probability"])
    assert boxes_in(one) == [(32, 16, 48, 32)]
    # an image without detections is explained, not failed, and says so
    assert none["status"] == "ok"
    (target,) = none["targets"]
    assert (target["class_id"], target["score"], target["label"]) == (-1, None, None)
    assert "detection" not in target
    (record,) = target["maps"]
    assert record["status"] == "empty"
    assert record["reason"] == "the image has no detection of confidence 0.5 or more"
    assert [len(result.targets) for result in results] == [2, 1, 1]
    assert results[0].targets[1].detection.box == pytest.approx((48, 48, 64, 64))


def test_a_manifest_is_read_back_and_a_run_resumed(net, photos, tmp_path):
    first = net.visualize_imgs(photos, str(tmp_path), TARGET, methods="odam")
    again = net.visualize_imgs(photos, str(tmp_path), TARGET, methods="odam", run=RunOptions(resume=True))
    assert again[0].targets == first[0].targets
    assert isinstance(again[0].targets[0].detection, Detection)
    other = Detections(boxes=Boxes(anchors=ANCHORS * np.float32([1, 1, 2, 2])))
    with pytest.raises(OptionError, match="settings were different: .*targets_sha256 was"):
        net.visualize_imgs(photos, str(tmp_path), other, methods="odam", run=RunOptions(resume=True))


def test_the_box_is_drawn_around_its_object(net, photos, tmp_path):
    net.visualize_imgs(photos, str(tmp_path), TARGET, methods="hirescam", style=Style(heatmaps=True))
    drawn = [read_image(str(tmp_path / f"a_two.png.c0-mask-detection-{n}.hirescam.png")) for n in (1, 2)]
    white = [(image == 255).all(axis=2) for image in drawn]
    for lines, rows in zip(white, (slice(0, 16), slice(48, 64))):
        assert lines[rows, rows].sum() > 30
        lines[rows, rows] = False
        assert not lines.any()
    # heat maps are read back as numbers, so that they have no box
    heat = read_image(str(tmp_path / "a_two.png.c0-mask-detection-1.hirescam.heatmap.png"))
    assert not (heat == 255).all(axis=2).any()


def test_an_overlay_of_one_map_has_the_box_and_so_has_its_smaller_copy(net):
    image = np.kron(SCENES["a_two.png"], np.ones((LARGE, LARGE, 1), np.uint8))
    found = net.explain(image, TARGET, methods="hirescam")
    second = list(found)[1]
    np.testing.assert_array_equal(second.overlay(), with_box(second.overlay(), second.detection))
    small = second.shrunk(32)
    assert small.detection.box == pytest.approx((24, 24, 32, 32))
    assert (small.overlay()[24:, 24:] == 255).all(axis=2).sum() > 20
    assert not (small.overlay()[:20, :20] == 255).all(axis=2).any()
    assert second.detection.box == pytest.approx((48, 48, 64, 64))


def test_a_box_thinner_than_a_pixel_is_still_drawn():
    image = np.zeros((20, 20, 3), np.uint8)
    assert with_box(image, None) is image
    assert (with_box(image, Detection((5.2, 5.2, 5.3, 5.3), 1.0, 0)) == 255).any()


def test_tables_have_the_boxes(net, photos, tmp_path):
    pandas = pytest.importorskip("pandas")
    sides = [f"detection_{side}" for side in ("top", "left", "bottom", "right")]
    results = net.visualize_imgs(photos, str(tmp_path), TARGET, methods="odam")
    found = net.explain(list(SCENES.values()), [TARGET], methods="odam")
    for frame, scale in ((results.to_dataframe(), LARGE), (found.to_dataframe(), 1)):
        boxed = frame[frame["anchor"].notna()]
        expected = np.array([(0, 0, 2, 2), (6, 6, 8, 8), (4, 2, 6, 4)]) * scale
        np.testing.assert_allclose(boxed[sides].to_numpy(float), expected, atol=1e-4)
        assert boxed["anchor"].tolist() == [0, 15, 9]
        assert boxed["label"].tolist() == ["mask", "mask", "face"]
        np.testing.assert_allclose(boxed["confidence"].to_numpy(float), 1 / (1 + np.exp(-4)), rtol=1e-5)
        assert str(frame["anchor"].dtype) == "Int64"
        none = frame[frame["status"] == "empty"]
        assert len(none) >= 1
        assert none[[*sides, "confidence", "anchor"]].isna().all(axis=None)
    assert pandas.isna(net.explain(SCENES["c_one.png"], 1).to_dataframe()["detection_top"][0])


def test_an_explanation_with_detections_goes_to_a_file_and_back(net, tmp_path):
    found = net.explain(list(SCENES.values()), [TARGET, 1], methods="odam")
    found.save(tmp_path / "found.npz")
    again = Explanation.load(tmp_path / "found.npz")
    assert again.detections == found.detections
    assert again.detections[0][0].box == pytest.approx((0, 0, 2, 2))
    plain = net.explain(SCENES["a_two.png"], 0, methods="odam")
    plain.save(tmp_path / "plain.npz")
    assert Explanation.load(tmp_path / "plain.npz").detections == ()


@pytest.mark.parametrize(
    "damage",
    [[], [[None]], [[[[1, 2, 3], 0.5, 1]]], [[[[1, 2, 3, "4"], 0.5, 1]]], [[[[1, 2, 3, 4], 0.5, -1]]], 7],
)
def test_damaged_detections_of_a_file_are_refused(net, tmp_path, damage):
    net.explain(SCENES["c_one.png"], TARGET, methods="odam").save(tmp_path / "found.npz")
    arrays = dict(np.load(tmp_path / "found.npz"))
    header = json.loads(arrays["header"].tobytes().decode())
    header["detections"] = damage
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "found.npz", **arrays)
    if damage in ([], [[None]]):  # no detection is possible too
        assert not any(any(row) for row in Explanation.load(tmp_path / "found.npz").detections)
        return
    with pytest.raises(ExplanationFileError, match="its detections are damaged"):
        Explanation.load(tmp_path / "found.npz")


def test_boxes_do_not_suit_other_inputs():
    from gradcam_tf1.engine.detections import placed_detections

    box = found_boxes.FoundBox(0, 0.9, 0, (0.0, 0.0, 1.0, 1.0), np.ones(2), "logit", None, "detection 1")
    with pytest.raises(
        TargetError, match="Detections are boxes in images; they do not suit signals, volumes and clips"
    ):
        placed_detections([[box]], [object()])
    assert placed_detections([[replace(box, missing="none")]], [object()]) == ((None,),)


# the command line


def asked(*options):
    return make_targets(parameters("model.pb", "photos", "--out", "out", *options))


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        (["--detections"], [Detections()]),
        (["--detections", "--class", "face", "--class", 3], [Detections(class_spec="face"), Detections(class_spec=3)]),
        (
            ["--detections", "--detection-score", 0, "--detection-iou", 0.3, "--max-detections", 9],
            [Detections(score=0.0, iou=0.3, k=9)],
        ),
        (
            [
                "--detections",
                "--detection-measure",
                "drise",
                "--box-tensor",
                "loc:0",
                "--box-form",
                "xyxy",
                "--box-pixels",
            ],
            [Detections(measure="drise", boxes=Boxes("loc:0", "xyxy", pixels=True))],
        ),
        (
            ["--detections", "--box-anchors", "a.npy", "--box-variances", "1,1,1,1", "--box-background", 0],
            [Detections(boxes=Boxes(anchors="a.npy", variances=(1, 1, 1, 1), background=0))],
        ),
        (["--detections", "--box-activation", "softmax"], [Detections(boxes=Boxes(activation="softmax"))]),
        (["--class-file", "c.csv", "--detections"], PerImage("c.csv", None, (None,), (), Detections())),
        (["--keypoint", 3, "--keypoint", "elbow", "--total", 0], [Keypoint(3), Keypoint("elbow"), Total(0)]),
    ],
)
def test_options_come_to_targets(options, targets):
    assert asked(*options) == targets


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box-form", "xyxy"], "--box-form is for --detections; add it"),
        (["--detection-score", 0.2], "--detection-score is for --detections; add it"),
        (["--box-background", 0], "--box-background is for --detections; add it"),
        (["--detections", "--region"], "--region and --detections exclude each other; give one of them"),
        (["--detections", "--top-k", 2], "--detections needs classes from --class or --class-file"),
    ],
)
def test_what_does_not_go_together_is_said(options, message):
    with pytest.raises(OptionError, match=message):
        asked(*options)


def test_the_choices_are_those_of_the_program():
    assert MEASURES == found_boxes.MEASURES
    assert FORMS == box_reader.FORMS
    assert ACTIVATIONS == box_reader.ACTIVATIONS


def test_a_run_of_the_command_line(photos, tmp_path):
    with tf.Graph().as_default() as graph:
        ssd()
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    np.save(tmp_path / "anchors.npy", ANCHORS)
    settings = ["--preset", "zero-one", "--layer", "features", "--method", "odam", "--detections"]
    anchors = ["--box-anchors", tmp_path / "anchors.npy"]
    output = command("run", tmp_path / "net.pb", photos, "--out", tmp_path / "out", *settings, *anchors)
    assert "3 images explained, 0 failed" in output
    assert [len(line["targets"]) for line in manifest(tmp_path / "out")] == [2, 1, 1]
    told = command("run", tmp_path / "net.pb", photos, "--out", tmp_path / "no", *settings, code=2)
    assert "the graph does not show what the columns of the boxes 'offsets:0' are" in told
    assert "--box-anchors" in told
