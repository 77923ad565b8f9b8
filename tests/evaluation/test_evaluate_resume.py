"""An evaluation goes on where it was killed, survives bad images, and refuses what does not fit."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from image_folders import copy_scenes
from output_files import contents

from gradcam_tf1.errors import GradientError, ManifestError, OptionError
from gradcam_tf1.evaluation.evaluate_net import evaluate
from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.metrics.metric_choices import metric
from gradcam_tf1.nets.demo import demo_model
from gradcam_tf1.tf_runtime import tf

NAMES = [f"{number}.png" for number in range(4)]
BAD = "1.png"
METRICS = [metric("insertion", steps=3), "complexity"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = copy_scenes(tmp_path_factory.mktemp("photos"), *NAMES)
    (folder / BAD).write_bytes(b"no image")
    return str(folder)


def run(net, photos, out, **options):
    return evaluate(
        net, photos, "gradcam", METRICS, out_folder=str(out), options=EvaluateOptions(page=False, **options)
    )


@pytest.fixture(scope="module")
def whole(net, photos, tmp_path_factory):
    """What an unbroken evaluation writes: name -> bytes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(net, photos, out)
    return contents(out)


def test_a_bad_image_is_counted_and_named(net, photos, whole, tmp_path):
    assert set(whole) == {"evaluation.csv", "evaluation.json", "evaluation.jsonl"}
    content = json.loads(whole["evaluation.json"])
    assert (content["images"]["measured"], content["images"]["failed"]) == (3, 1)
    assert BAD in content["failures"][0]
    lines = whole["evaluation.csv"].decode().splitlines()
    assert lines[0] == "image,class_id,class,method,metric,value,reason"
    assert len(lines) == 1 + 3 * 4 * 2 + 1, "an image, four maps, two metrics; one line for the bad one"
    assert [line for line in lines if line.startswith(f"{BAD},,,,,,")]


@pytest.mark.parametrize(("rows", "torn"), [(0, 0), (0, 30), (1, 0), (2, 30), (4, 0)])
def test_a_killed_evaluation_goes_on_and_gives_the_same_bytes(net, photos, whole, tmp_path, rows, torn):
    lines = whole["evaluation.jsonl"].splitlines(keepends=True)
    kept = b"".join(lines[: 1 + rows]) + b"".join(lines[1 + rows : 2 + rows])[:torn]
    (tmp_path / "evaluation.jsonl").write_bytes(kept)
    seen = []
    run(net, photos, tmp_path, resume=True, progress=lambda name, count: seen.append((name, count)))
    assert contents(tmp_path) == whole
    assert seen == [(name, len(NAMES)) for name in NAMES]


def test_finished_images_are_not_measured_again(net, photos, whole, tmp_path):
    head, first, *_ = whole["evaluation.jsonl"].splitlines(keepends=True)
    row = json.loads(first)
    row["values"]["gradcam"]["complexity"]["value"] = 0.125
    (tmp_path / "evaluation.jsonl").write_bytes(head + json.dumps(row).encode() + b"\n")
    run(net, photos, tmp_path, resume=True)
    assert "0.png,0,star,gradcam,complexity,0.125," in (tmp_path / "evaluation.csv").read_text()


@pytest.mark.programs
def test_a_real_kill(net, photos, whole, labels, tmp_path):
    """A process dies in the middle; another one goes on and gives the same bytes."""
    out = tmp_path / "out"
    program = [sys.executable, "-m", "gradcam_tf1", "evaluate", demo_model(), photos, "--preset", "inception"]
    options = ["--labels", labels, "--metric", "insertion,complexity", "--set", "insertion.steps=3", "--out", str(out)]
    killed = subprocess.Popen([*program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal, end = out / "evaluation.jsonl", time.monotonic() + 100
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
        assert killed.poll() is None
        assert time.monotonic() < end
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    run(net, photos, out, resume=True)
    assert {name: data for name, data in contents(out).items() if name in whole} == whole


def test_it_stops_between_images_and_says_so(net, photos, whole, tmp_path):
    calls = []

    def stop():
        calls.append(1)
        return len(calls) > 2

    found = run(net, photos, tmp_path, stop=stop)
    assert not found.complete
    assert found.images.measured == 1
    assert json.loads((tmp_path / "evaluation.json").read_text())["complete"] is False
    assert run(net, photos, tmp_path, resume=True).complete
    assert contents(tmp_path) == whole


def test_other_settings_and_other_images_are_refused(net, photos, whole, tmp_path):
    (tmp_path / "evaluation.jsonl").write_bytes(whole["evaluation.jsonl"])
    with pytest.raises(OptionError, match="seed was 0, now it is 3"):
        run(net, photos, tmp_path, resume=True, seed=3)
    with pytest.raises(OptionError, match="steps.: 3.*now it is.*steps.: 4"):
        evaluate(
            *(net, photos, "gradcam", [metric("insertion", steps=4), "complexity"]),
            out_folder=str(tmp_path),
            options=EvaluateOptions(resume=True, page=False),
        )
    other = copy_scenes(tmp_path / "other", "0.png", "9.png")
    with pytest.raises(OptionError, match="image 2 was '1.png', now it is '9.png'"):
        run(net, str(other), tmp_path, resume=True)


def test_files_of_others_are_kept(net, photos, tmp_path):
    (tmp_path / "evaluation.csv").write_text("mine")
    with pytest.raises(OptionError, match="evaluation.csv.* would be overwritten.*choose another output folder"):
        run(net, photos, tmp_path)
    assert (tmp_path / "evaluation.csv").read_text() == "mine"


def test_nothing_is_written_without_a_folder(net, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = evaluate(net, photos, "gradcam", "complexity")
    assert found.out_folder is None
    assert os.listdir(str(tmp_path)) == []
    assert found.images.measured == 3


def test_metrics_of_places_need_them(net, photos):
    with pytest.raises(OptionError, match="pointing need the places of the objects: give boxes"):
        evaluate(net, photos, "gradcam", "pointing")


def blocked_net():
    """A net whose first layer has a gradient to the pixels, but no dense layer behind pooling: no CAM."""
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, 24, 32, 3], name="input")
        kernel = tf.constant(np.random.RandomState(0).normal(size=(3, 3, 3, 4)), tf.float32)
        features = tf.nn.relu(tf.nn.conv2d(images, kernel, strides=[1, 2, 2, 1], padding="SAME"), name="features")
        tf.nn.softmax(tf.reduce_max(features, axis=[1, 2], name="logits"), name="probabilities")
    return graph.as_graph_def()


def test_a_method_that_the_net_does_not_allow_is_left_out(photos):
    with GradCamGraph(blocked_net(), preset="inception") as net:
        found = evaluate(net, photos, ["cam", "gradcam"], metric("insertion", steps=2))
        assert found.methods == ("gradcam",)
        assert list(found.left_out) == ["cam"]
        with pytest.raises(GradientError, match="cam"):
            evaluate(net, photos, "cam")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": "softmax"}, "score is one of auto, probability, logit"),
        ({"target": "truth"}, "give boxes, or explain the predicted class"),
        ({"class_map": {"a": 1}}, "give boxes too"),
        ({"boxes": "a", "masks": "b"}, "give one of them"),
        ({"seed": -1}, "seed is 0 to"),
        ({"n_images": 0}, "n_images is at least 1"),
        ({"confidence": 1.0}, "confidence is a number above 0 and below 1"),
        ({"resume": 1}, "resume is True or False"),
        ({"stop": 3}, "stop is a function"),
        ({"max_pixels": 1.5}, "max_pixels is a whole number"),
    ],
)
def test_options_that_are_not_possible(options, message):
    with pytest.raises(OptionError, match=message):
        EvaluateOptions(**options)


def test_two_layers_are_refused(net, photos):
    with pytest.raises(OptionError, match="at one layer, 2 are given"):
        evaluate(net, photos, "gradcam", "complexity", layer=["conv4/Relu", "conv5/Relu"])


def changed(row, **values):
    """The row with other values of the first map."""
    return {
        **row,
        "values": {**row["values"], "gradcam": {"insertion": {**row["values"]["random"]["insertion"], **values}}},
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda row: 3,
        lambda row: [row],
        lambda row: {"relative": row["relative"], "index": 0},
        lambda row: {**row, "relative": None},
        lambda row: {**row, "relative_hex": 3},
        lambda row: {**row, "class_id": 10**30},
        lambda row: {**row, "values": [1]},
        lambda row: changed(row, value="0.5"),
        lambda row: changed(row, value=float("inf")),
        lambda row: changed(row, value=10**400),
        lambda row: changed(row, reason={}),
        lambda row: changed(row, curve=[[0.5], 1]),
        lambda row: changed(row, curve=["0.5"] * 51),
    ],
)
def test_a_row_that_was_changed_by_hand_is_refused(net, photos, whole, tmp_path, change):
    head, first, *_ = whole["evaluation.jsonl"].splitlines(keepends=True)
    (tmp_path / "evaluation.jsonl").write_bytes(head + json.dumps(change(json.loads(first))).encode() + b"\n")
    with pytest.raises(ManifestError, match="run without resume to start again"):
        run(net, photos, tmp_path, resume=True)


def test_a_table_that_cannot_be_written_is_named(net, photos, whole, tmp_path):
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "evaluation.csv").unlink()
    (tmp_path / "evaluation.csv" / "x").mkdir(parents=True)
    with pytest.raises(OSError, match="cannot write the table: .*evaluation.csv'$"):
        run(net, photos, tmp_path, resume=True)
    assert not list(tmp_path.glob(".*"))


def test_names_of_images_are_no_formulas_and_no_commands_of_a_terminal(net, tmp_path):
    names = ["=cmd|' !A0.png", "+1.png", "@x.png", "esc\x1b[31m.png", 'a,"b".png']
    run(net, str(copy_scenes(tmp_path / "photos", *names)), tmp_path / "out")
    with open(str(tmp_path / "out" / "evaluation.csv"), newline="") as stream:
        found = {row[0] for row in csv.reader(stream)}
    assert found == {"image", "'=cmd|' !A0.png", "'+1.png", "'@x.png", r"esc\x1b[31m.png", 'a,"b".png'}


def test_drawing_images_does_not_change_whose_a_box_is(net, tmp_path):
    """Of two images of one name a draw takes one; the box may be that of the other."""
    folder = copy_scenes(tmp_path / "photos", "x/p.png", "y/p.png", "x/q.png")
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("image,class,left,top,right,bottom\np.png,star,1,1,50,50\nq.png,star,1,1,60,60\n")
    for seed in range(3):
        options = EvaluateOptions(boxes=str(boxes), n_images=1, seed=seed)
        with pytest.raises(OptionError, match="'p.png' is the name of 2 images"):
            evaluate(net, str(folder), "gradcam", ["pointing"], options=options)
    boxes.write_text("image,class,left,top,right,bottom\nx/p.png,star,1,1,50,50\nq.png,star,1,1,60,60\n")
    found = evaluate(net, str(folder), "gradcam", ["pointing"], options=EvaluateOptions(boxes=str(boxes), n_images=2))
    assert found.images.measured == 2


def test_an_image_that_was_replaced_does_not_keep_the_page_from_being_written(net, tmp_path):
    folder = copy_scenes(tmp_path / "photos", "0.png", "1.png", "2.png")
    lines = [f"{number}.png,star,100,100,{150 + number},150" for number in range(3)]
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("\n".join(["image,class,left,top,right,bottom", *lines]))
    options = EvaluateOptions(boxes=str(boxes), target="truth", resume=True)
    for _ in range(2):
        found = evaluate(net, str(folder), "gradcam", ["energy"], out_folder=str(tmp_path / "out"), options=options)
        assert found.images.measured == 3
        (tmp_path / "out" / "evaluation.html").unlink()
        for path in folder.iterdir():
            cv2.imwrite(str(path), np.zeros((50, 60, 3), np.uint8))
