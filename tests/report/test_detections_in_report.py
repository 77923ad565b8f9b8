"""Boxes of a detector in the report of a run: their numbers in its records, and their places on the screen."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import report_data
from detector_nets import ANCHORS, opened, scene, ssd

from gradcam_tf1 import Boxes, Detections, RunOptions, Style, read_image, write_report
from gradcam_tf1.errors import ManifestError
from gradcam_tf1.report.report_folder import ReportFolder

LARGE = 8  # pixels of the image for each of the input
TARGET = Detections(boxes=Boxes(anchors=ANCHORS))
SCENES = {"a_two.png": scene(red=[(0, 0), (3, 3)]), "b_none.png": scene()}
BOXES = [[0, 0, 16, 16], [48, 48, 64, 64]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, image in SCENES.items():
        cv2.imwrite(str(folder / name), np.kron(image, np.ones((LARGE, LARGE, 1), np.uint8))[..., ::-1])
    return str(folder)


@pytest.fixture(scope="module")
def runs(photos, tmp_path_factory):
    """A run that made its report on the way, and one whose report is made of what it wrote."""
    base = tmp_path_factory.mktemp("runs")
    with opened(ssd, labels=["mask", "face"]) as net:
        for name, kept in (("kept", True), ("later", False)):
            style, run = Style(raw=True), RunOptions(report=kept)
            net.visualize_imgs(photos, str(base / name), TARGET, methods="odam", style=style, run=run)
    write_report(str(base / "later"))
    return base


def record(out, ident="000000"):
    return ReportFolder(str(out)).read_record(ident)


@pytest.mark.parametrize("name", ["kept", "later"])
def test_a_record_has_the_box_of_each_detection(runs, name):
    found = [target["detection"] for target in record(runs / name)["targets"]]
    np.testing.assert_allclose([each["box"] for each in found], BOXES, atol=1e-4)
    share = 1 / (1 + np.exp(-(8 - 4)))  # of a cell that is all red
    np.testing.assert_allclose([each["confidence"] for each in found], share, rtol=1e-5)
    assert [each["anchor"] for each in found] == [0, 15]
    assert [target["label"] for target in record(runs / name)["targets"]] == ["mask", "mask"]
    (none,) = record(runs / name, "000001")["targets"]
    assert none["detection"] is None


def test_both_reports_say_the_same(runs):
    kept, later = (record(runs / name) for name in ("kept", "later"))
    assert [t["detection"] for t in kept["targets"]] == [t["detection"] for t in later["targets"]]
    assert kept["row"] == later["row"]


def test_the_thumbnail_has_the_box_of_its_map(runs):
    thumb = read_image(str(runs / "later" / "report" / "images" / "000000.thumb.jpg")).astype(int)
    assert thumb.shape[:2] == (64, 64)
    white = (thumb > 200).all(axis=2)
    assert white[:18, :18].sum() > 20
    assert not white[20:, 20:].any()
    none = read_image(str(runs / "later" / "report" / "images" / "000001.thumb.jpg"))
    assert not (none > 200).all(axis=2).any()


def test_a_record_of_an_earlier_version_is_kept_and_a_wrong_box_is_not(runs):
    folder = ReportFolder(str(runs / "later"))
    whole = record(runs / "later")
    earlier = json.loads(json.dumps(whole))
    for target in earlier["targets"]:
        del target["detection"]
    folder.write_record(earlier)
    assert folder.read_record("000000") == earlier
    for wrong in ([0, 0, 16], [0, 0, 16, "16"], "box"):
        whole["targets"][0]["detection"]["box"] = wrong
        folder.write_record(whole)
        assert folder.read_record("000000") is None
    write_report(str(runs / "later"))
    assert record(runs / "later")["targets"][0]["detection"]["box"] == pytest.approx(BOXES[0], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value"), [("box", [0, 0, 1, "1"]), ("box", [0, 0, 1]), ("confidence", "high"), ("anchor", 1.5)]
)
def test_a_line_with_a_damaged_detection_is_named(runs, tmp_path, name, value):
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_bytes((runs / "later" / "run.json").read_bytes())
    lines = [json.loads(line) for line in (runs / "later" / "manifest.jsonl").read_text().splitlines()]
    lines[0]["targets"][0]["detection"][name] = value
    (out / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ManifestError, match="line 1: not a line that a run wrote"):
        write_report(str(out))


# in a browser


def detected(n, name):
    """Two boxes of one class; the second one at the right edge, and at the top."""
    made = report_data.record(n, name)
    first = made["targets"][0]
    boxes = [[30.0, 20.0, 90.0, 70.0], [0.0, 100.0, 60.0, 160.0]]
    made["targets"] = [
        {**first, "about": f"detection {k + 1}", "detection": {"box": box, "confidence": 0.9 - 0.3 * k, "anchor": 7}}
        for k, box in enumerate(boxes)
    ]
    return made


@pytest.mark.programs
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_box_is_on_its_place_with_class_and_confidence(visit, tmp_path, width, height):
    from browser import set_screen

    page = visit(report_data.write_report(tmp_path / "report", [detected(0, "a.jpg"), report_data.record(1, "b.jpg")]))
    set_screen(page.driver, width, height)
    page.open("#/image/000000")
    page.wait("document.querySelector('.bars') && document.querySelector('.preview').complete")
    names = ["ring 90.0 % · box 1", "ring 60.0 % · box 2"]
    assert page.texts("[aria-label=Detection] .chip") == names
    rows, columns = report_data.SIZE
    for number, target in enumerate(detected(0, "a.jpg")["targets"]):
        page.click("[aria-label=Detection] .chip", names[number])
        left, top, across, down = page.box(".scene")
        box = target["detection"]["box"]
        found = page.box(".mark-found")
        x, y = across / columns, down / rows
        wanted = [left + box[1] * x, top + box[0] * y, (box[3] - box[1]) * x, (box[2] - box[0]) * y]
        np.testing.assert_allclose(found, wanted, atol=1)
        assert page.text(".mark-tag") == ["ring 90.0 %", "ring 60.0 %"][number]
        tag, view = page.box(".mark-tag"), page.box(".stage")
        assert view[0] - 1 <= tag[0]
        assert tag[0] + tag[2] <= view[0] + view[2] + 1
        assert tag[1] >= view[1] - 1
        assert page.js("return getComputedStyle(document.querySelector('.mark-tag')).fontSize") == "13px"
    facts = dict(zip(page.texts(".facts dt"), page.texts(".facts dd")))
    assert facts["Detected"] == "rows 0\u201360, columns 100\u2013160"
    assert facts["Anchor"] == "7"
    page.keys("b")
    assert page.texts(".mark-tag") == []
    page.keys("b", "o")  # the box alone, to see what it is around
    assert page.texts(".mark-tag") == ["ring 60.0 %"]
    page.open("#/image/000001")
    page.wait("document.querySelector('.bars')")
    assert page.texts(".mark-tag") == []
    assert page.texts("[aria-label=Detection]") == []
