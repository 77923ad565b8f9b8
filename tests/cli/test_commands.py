"""The program as a whole, as a real process; `inspect` and `demo`."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from command_line import ENVIRONMENT, PROGRAM, SCENES, command, manifest
from image_folders import copy_scenes
from PIL import Image

from gradcam_tf1 import __version__
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.nets.scenes import KINDS


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", "a.png", "b.png")


def test_inspect_shows_the_layers():
    text = command("inspect", demo_model())
    assert "frozen graph" in text
    assert "unknown: give --preset" in text
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
    assert f"{len(SCENES)} scenes, {asked} objects: " in text
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


def test_demo_draws_scenes_that_its_net_knows(tmp_path):
    command("demo", "--draw", "heart", "--count", 6, "--out", tmp_path / "hearts")
    command("demo", "--draw", "heart", "--count", 2, "--seed", 1, "--out", tmp_path / "others")
    drawn = sorted(path.name for path in (tmp_path / "hearts").iterdir())
    assert drawn == [f"heart_{n:03d}.png" for n in range(6)]
    first, other = ((tmp_path / name / "heart_000.png").read_bytes() for name in ("hearts", "others"))
    assert first != other
    command("run", demo_model(), tmp_path / "hearts", "--preset", "inception", "--out", tmp_path / "out")
    assert [line["predicted"] for line in manifest(tmp_path / "out")] == [DEMO_CLASSES.index("heart")] * 6
    draw_a_dog = ("demo", "--draw", "dog", "--out", tmp_path / "dogs")
    again = command("demo", "--draw", "heart", "--out", tmp_path / "hearts", code=2)
    assert "is there already; scenes are drawn into a new folder" in again
    assert "no kind 'dog'; possible: star, ring" in command(*draw_a_dog, code=2)
    assert all(kind in " ".join(command("demo", "--help").split()) for kind in KINDS)


# the program as a whole


def test_help_and_version_answer_without_tensorflow():
    for arguments in (["--help"], ["run", "--help"], ["--version"]):
        done = subprocess.run([*PROGRAM, *arguments], stdout=subprocess.PIPE, check=True)
        assert done.stdout
    assert __version__ in done.stdout.decode()
    loaded = (
        "import sys, gradcam_tf1.cli; print([m for m in sys.modules if m.startswith(('tensorflow', 'tqdm', 'scipy'))])"
    )
    assert subprocess.check_output([sys.executable, "-c", loaded]).strip() == b"[]"


@pytest.mark.programs
def test_as_a_real_process(photos, tmp_path):
    (photos / "bad\x1b[31m.png").write_text("no")
    done = subprocess.run(
        [*PROGRAM, "run", demo_model(), str(photos), "--preset", "inception", "--out", str(tmp_path / "out")],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"2 images explained, 1 failed" in done.stdout
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 1, "no progress bar and no chatter of TensorFlow where nobody watches"
    assert "bad\\x1b[31m.png" in errors[0]
    assert b"\x1b" not in done.stderr
