"""True classes from folder names and CSV files: what is wrong, and what is refused with its line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from image_folders import copy_scenes
from report_files import columns, index_of, records_of

from gradcam_tf1 import GradCamGraph, OptionError, write_report
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.report.truth import ClassNames

STAR, RING, CROSS = (DEMO_CLASSES.index(name) for name in ("star", "ring", "cross"))
NAMES = ("star/a.png", "ring/b.png", "val/cross/c.png", "d.png", "other/e.png")


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as opened:
        yield opened


@pytest.fixture(scope="module")
def explained(net, tmp_path_factory):
    """A run of five images, some of them in folders with names of classes; and its predictions."""
    folder = tmp_path_factory.mktemp("truth")
    copy_scenes(folder / "photos", *NAMES)
    net.visualize_imgs(str(folder / "photos"), str(folder / "out"), methods="gradcam")
    return str(folder / "out")


def truth_of(out):
    names = [record["name"] for record in records_of(out)]
    truths, wrong, class_ids = zip(*columns(out, "truth", "wrong", "class_id"))
    assert truths == tuple(record["truth"] for record in records_of(out))
    return dict(zip(names, zip(truths, wrong, class_ids)))


def test_names_of_folders(explained):
    write_report(explained, truth="folders")
    found = truth_of(explained)
    expected = {"star/a.png": "star", "ring/b.png": "ring", "val/cross/c.png": "cross", "other/e.png": "other"}
    for name, (truth, wrong, class_id) in found.items():
        assert truth == expected.get(name)
        known = truth in DEMO_CLASSES
        assert wrong == (class_id != DEMO_CLASSES.index(truth) if known else None)
    index = index_of(explained)
    assert index["truth_from"] == "folder names"
    assert "folders that are not named like a class: 'other'" in index["run"]["doubts"]
    assert "images that lie in no folder: 1" in index["run"]["doubts"]
    assert sum(entry["wrong"] for entry in index["classes"]) == sum(bool(wrong) for _, wrong, _ in found.values())
    write_report(explained)
    index = index_of(explained)
    assert (index["truth_from"], index["images"]["truth"], index["images"]["wrong"]) == (None, None, None)
    assert [record["truth"] for record in records_of(explained)] == [None] * 5
    assert {entry["wrong"] for entry in index["classes"]} == {None}


TABLES = {
    "ids": f"a.png,{STAR}\nring/b.png,{RING}\n",
    "names": "image,label\na.png,Star\nring/b.png,RING\n",
    "semicolons and full columns": "row;label;file\n7;star;star/a.png\n8;ring;b.png\n",
    "tabs": "a.png\tstar\nb.png\tring\n",
    "byte order mark": "\ufeffimage,label\na.png,star\nb.png,ring\n",
    "windows": "image,label\r\na.png,star\r\nb.png,ring\r\n",
    "twice the same": "a.png,star\nstar/a.png,star\nb.png,ring\n",
    "also images that are not there": "a.png,star\nb.png,ring\nz.png,ring\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=list(TABLES))
def test_tables(explained, tmp_path, text):
    table = tmp_path / "truth.csv"
    table.write_bytes(text.encode("utf-8"))
    write_report(explained, truth=str(table))
    found = truth_of(explained)
    for name, truth in (("star/a.png", STAR), ("ring/b.png", RING)):
        assert found[name][:2] == (DEMO_CLASSES[truth], found[name][2] != truth)
    assert found["d.png"][:2] == (None, None)
    index = index_of(explained)
    assert index["truth_from"] == "truth.csv"
    assert "images without a line in truth.csv: 3" in index["run"]["doubts"]


REFUSED = {
    "a.png,starr\n": r"line 1: no class is named 'starr'; similar names: star",
    "image,label\na.png,star\nb.png,99\n": r"line 3: no class is named '99'; .*class id from 0 to ",
    "a.png,star\na.png,ring\n": r"line 2: 'a\.png' is 'ring', but 'star' in line 1; keep one",
    "a.png,star\nb.png\n": r"line 2: expected an image and a class, got 'b\.png'",
    "z.png,star\n": r"no line of .* names an image of the run, whose images are 'd\.png', 'other/e\.png'",
    "": r"has no lines",
}


@pytest.mark.parametrize("text", REFUSED)
def test_tables_that_are_refused(explained, tmp_path, text):
    table = tmp_path / "truth.csv"
    table.write_text(text)
    with pytest.raises(OptionError, match=REFUSED[text]):
        write_report(explained, truth=str(table))


def test_a_table_that_is_no_text_or_not_there(explained, tmp_path):
    table = tmp_path / "truth.csv"
    table.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(OptionError, match="not a text file in UTF-8"):
        write_report(explained, truth=str(table))
    with pytest.raises(OptionError, match="cannot be read: No such file"):
        write_report(explained, truth=str(tmp_path / "none.csv"))


def test_a_name_of_two_images_is_refused(net, tmp_path):
    photos = copy_scenes(tmp_path / "photos", "x/a.png", "y/a.png")
    out = str(tmp_path / "out")
    net.visualize_imgs(str(photos), out, methods="gradcam")
    table = tmp_path / "truth.csv"
    table.write_text("a.png,star\n")
    with pytest.raises(OptionError, match=r"line 1: 'a\.png' is the name of 2 images"):
        write_report(out, truth=str(table))
    with pytest.raises(OptionError, match=r"no folder of the images is named like a class: the folders are 'x', 'y'; "):
        write_report(out, truth="folders")


def test_images_without_folders(net, tmp_path):
    out = str(tmp_path / "out")
    net.visualize_imgs([demo_scenes()[0].path], out, methods="gradcam")
    with pytest.raises(OptionError, match="the images lie in no folder"):
        write_report(out, truth="folders")


def test_a_run_without_class_names_takes_ids(tmp_path):
    photos = copy_scenes(tmp_path / "photos", f"{STAR}/a.png", "ring/b.png")
    out = str(tmp_path / "out")
    with GradCamGraph(demo_model(), preset=DEMO_PRESET) as net:
        net.visualize_imgs(str(photos), out, methods="gradcam")
    assert json.loads(Path(out, "run.json").read_text())["class_names"] is None
    write_report(out, truth="folders")
    assert truth_of(out)[f"{STAR}/a.png"][0] == str(STAR)
    table = tmp_path / "truth.csv"
    table.write_text("a.png,star\n")
    with pytest.raises(OptionError, match="line 1: .*the run has no class names, so give class ids, or run again with"):
        write_report(out, truth=str(table))


def test_synonyms_and_ambiguous_names():
    full = ["crane, bird", "crane, lift", "great grey owl, Strix_nebulosa", "0", "two-tone"]
    names = ClassNames({"class_names": full})
    texts = ("bird", "lift", "strix nebulosa", "Two Tone", "crane, bird", "2")
    assert [names.find(text) for text in texts] == [0, 1, 2, 4, 0, 2]
    assert names.find("owl") is None
    with pytest.raises(
        OptionError, match=re.escape("'crane' may be several classes: 0 'crane, bird', 1 'crane, lift'")
    ):
        names.find("crane")
    with pytest.raises(OptionError, match="'0' may be several classes"):
        names.find("0")


def test_wrong_and_unsure_images_come_last_among_the_examples(explained, tmp_path):
    write_report(explained)
    ids = {record["name"]: record["id"] for record in records_of(explained)}
    best = index_of(explained)["classes"][0]
    images = [name for name, (_, _, class_id) in truth_of_all(explained).items() if class_id == best["class_id"]]
    assert sorted(best["examples"]) == sorted(ids[name] for name in images)
    wrong = images[0]
    table = tmp_path / "truth.csv"
    other = next(name for place, name in enumerate(DEMO_CLASSES) if place != best["class_id"])
    table.write_text("".join(f"{name},{other if name == wrong else best['class_id']}\n" for name in images))
    write_report(explained, truth=str(table))
    entry = next(entry for entry in index_of(explained)["classes"] if entry["class_id"] == best["class_id"])
    assert entry["examples"][-1] == ids[wrong]
    assert (entry["wrong"], entry["count"]) == (1, len(images))


def truth_of_all(out):
    rows = columns(out, "name", "truth" if index_of(out)["images"]["truth"] else "status", "status", "class_id")
    return {name: rest for name, *rest in rows}


def test_a_path_below_the_home_folder(explained, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "truth.csv").write_text("a.png,star\n")
    write_report(explained, truth=os.path.join("~", "truth.csv"))
    assert index_of(explained)["truth_from"] == "truth.csv"
