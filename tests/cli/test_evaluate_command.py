"""`gradcam-tf1 evaluate`: what it prints, writes and returns."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import SCENES, command
from image_folders import copy_scenes
from PIL import Image

from gradcam_tf1.nets.demo import demo_model

NAMES = ["0.png", "1.png", "2.png"]
QUICK = ("--set", "insertion.steps=2", "--set", "deletion.steps=2")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return copy_scenes(tmp_path_factory.mktemp("photos"), *NAMES)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    lines = ["image,class,left,top,right,bottom"]
    for name, scene in zip(NAMES, SCENES):
        lines += [f"{name},{kind},{box[1]},{box[0]},{box[3]},{box[2]}" for kind, box in scene.boxes.items()]
    path.write_text("\n".join(lines))
    return str(path)


def evaluate(photos, *options, code=0):
    return command("evaluate", demo_model(), photos, "--preset", "inception", *options, code=code)


def test_the_table_and_the_files(photos, boxes, labels, tmp_path):
    out = tmp_path / "out"
    options = ("--method", "gradcam,layercam", "--method", "hirescam", "--boxes", boxes, "--labels", labels)
    printed = evaluate(photos, *options, *QUICK, "--metric", "insertion,deletion", "--metric", "pointing", "--out", out)
    lines = printed.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("method"))
    assert lines[head].split() == ["method", "insertion", "(higher)", "deletion", "(lower)", "pointing", "(higher)"]
    assert [line.split()[0] for line in lines[head + 1 : head + 4]] == ["gradcam", "layercam", "hirescam"]
    assert set(lines[head + 4]) == {"-"}
    assert [line.split()[0] for line in lines[head + 5 : head + 8]] == ["random", "edges", "centre"]
    assert "3 images measured, 0 failed" in printed
    assert "3 images with a marked object of the explained class" in printed
    rows = list(csv.DictReader((out / "evaluation.csv").open()))
    assert len(rows) == 3 * 6 * 3
    content = json.loads((out / "evaluation.json").read_text())
    for metric in ("insertion", "deletion", "pointing"):
        values = [float(row["value"]) for row in rows if (row["metric"], row["method"]) == (metric, "layercam")]
        mean = content["metrics"][metric]["means"]["layercam"]["mean"]
        assert mean == pytest.approx(np.mean(values))
        assert f"{mean:.3f}" in lines[head + 2]
    settings = content["settings"]
    assert settings["metrics"]["insertion"] == {"steps": 2, "baseline": "blur"}
    assert settings["score"] == "probability"
    assert settings["joined_channels"] == "sum of absolute values"
    assert re.fullmatch("[0-9a-f]{64}", settings["model_sha256"])


def test_the_page_shows_the_same_numbers(photos, boxes, labels, tmp_path):
    out = tmp_path / "out"
    options = (
        "--method",
        "gradcam,guided_backprop",
        "--boxes",
        boxes,
        "--labels",
        labels,
        "--metric",
        "energy,insertion",
    )
    printed = evaluate(photos, *options, "--set", "insertion.steps=2", "--out", out)
    page = Path(out, "evaluation.html").read_text()
    rows = [re.findall("<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall("<tr>(.*?)</tr>", page, re.DOTALL)]
    (cells,) = [cells for cells in rows if cells[:1] == ["guided_backprop"] and "[" in cells[1]]
    line = next(line for line in printed.splitlines() if line.startswith("guided_backprop"))
    assert cells[1] in line
    assert cells[2] in line
    assert "(floor)" in page
    assert page.count("data:image/jpeg") == 2, "half of the images are best, half are worst"
    assert "http-equiv" in page.lower()
    again = tmp_path / "again"
    evaluate(photos, *options, "--set", "insertion.steps=2", "--out", again)
    assert Path(again, "evaluation.html").read_bytes() == Path(out, "evaluation.html").read_bytes()


def test_masks_say_where_the_objects_are(photos, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name, scene in zip(NAMES, SCENES):
        Image.fromarray(np.full(scene.size, 255, np.uint8)).save(str(masks / name))
    printed = evaluate(photos, "--masks", masks, "--metric", "pointing,energy", "-q")
    (line,) = [line for line in printed.splitlines() if line.startswith("gradcam")]
    assert line.split()[1] == line.split()[4] == "1.000", "all of the image is the object"


def test_a_left_out_method_and_a_bad_image_end_with_1(photos, tmp_path):
    folder = copy_scenes(tmp_path / "bad", "0.png", "1.png")
    (folder / "1.png").write_bytes(b"no image")
    printed = evaluate(folder, "--metric", "complexity", code=1)
    assert "failed: " in printed
    assert "1.png" in printed
    assert "1 image measured, 1 failed" in printed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "gradcamm"), "gradcamm"),
        (("--metric", "insertio"), "insertio"),
        (("--set", "rise.masks=5"), "add --method rise"),
        (("--metric", "deletion", "--set", "insertion.steps=5"), "add --metric insertion"),
        (("--metric", "pointing"), "give boxes (--boxes) or masks (--masks)"),
        (("--resume",), "give --out"),
        (("--layer", "conv4/Relu", "--layer", "conv5/Relu"), "give one --layer, not 2"),
        (("--target", "truth"), "give boxes"),
        (("--set", "insertion.steps=0"), "insertion.steps is a whole number at least 1"),
    ],
)
def test_mistakes_are_named_before_anything_is_measured(photos, options, message):
    assert message in evaluate(photos, *options, code=2)
