"""A run that makes its report on the way: what it keeps is what its manifest and its maps say."""

from __future__ import annotations

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_folders import copy_scenes
from output_files import contents
from PIL import Image
from report_files import columns, index_of, maps_of, picture, records_of

from gradcam_tf1 import (
    OptionError,
    RunOptions,
    StoppedError,
    Style,
    read_image,
    read_manifest,
    write_report,
)
from gradcam_tf1.nets.demo import DEMO_CLASSES
from gradcam_tf1.report.map_grid import MapGrid

REPORT = RunOptions(report=True, batch_size=3)


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", *(f"{i}.png" for i in range(6)))


class Blocks(HTMLParser):
    """Id -> text of the data blocks of a page."""

    def __init__(self, text):
        super().__init__()
        self.found, self._id = {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._id = dict(attrs).get("id") if tag == "script" else None

    def handle_data(self, data):
        if self._id:
            self.found[self._id] = data

    def handle_endtag(self, tag):
        self._id = None


def lines(out):
    return list(read_manifest(os.path.join(out, "manifest.jsonl")))


def test_the_report_says_what_the_manifest_says(net, photos, out):
    (photos / "3.png").write_bytes(b"no image")
    how = {"targets": ["ring", "cross"], "layers": [-1, -2], "methods": ["gradcam", "guided_gradcam"]}
    net.visualize_imgs(str(photos), out, **how, style=Style(box=0.2), run=REPORT)
    for place, (line, record) in enumerate(zip(lines(out), records_of(out))):
        assert (record["id"], record["name"]) == (f"{place:06d}", line["relative"])
        assert [record[name] for name in ("status", "error", "size", "top")] == [
            line[name] for name in ("status", "error", "size", "top")
        ]
        assert len(record["targets"]) == len(line["targets"])
        for target, written in zip(record["targets"], line["targets"]):
            names = ("class_id", "label", "score", "probability", "about")
            assert [target[name] for name in names] == [written[name] for name in names]
            for map, wrote in zip(target["maps"], written["maps"]):
                names = ("method", "layer", "status", "reason", "minimum", "maximum", "peak", "box", "notes")
                assert [map[name] for name in names] == [wrote[name] for name in names]
                assert map["pixels"] == ("../" + wrote["files"]["pixels"] if "pixels" in wrote["files"] else None)
    index = index_of(out)
    assert (index["complete"], index["total"], index["colormap"], index["truth_from"]) == (True, 6, "jet", None)
    assert (index["methods"], len(index["layers"])) == (["gradcam", "guided_gradcam"], 2)
    assert index["images"]["status"] == ["ok"] * 3 + ["error"] + ["ok"] * 2
    assert index["images"]["thumb"] == [True] * 3 + [False] + [True] * 2
    assert [f["name"] for f in index["run"]["failures"]] == ["3.png"]


def test_the_index_has_the_best_class_and_the_focus(net, photos, out):
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    rows = columns(out, "class_id", "label", "score", "probability", "focus", "width", "height", "doubt")
    for row, line, record in zip(rows, lines(out), records_of(out)):
        best, (map,) = line["top"][0], maps_of(record)
        assert row[:4] == (best["class_id"], best["label"], best["score"], best["probability"])
        assert row[4:] == (map["focus"], line["size"][1], line["size"][0], None)
        assert line["predicted"] == best["class_id"]
        assert 0 < map["focus"] < 0.5


def test_previews_are_upright_small_and_without_metadata(net, tmp_path, out):
    photos = tmp_path / "photos"
    photos.mkdir()
    image = np.zeros((1300, 400, 3), np.uint8)
    image[:650] = (250, 10, 10)  # upper half red
    exif = Image.Exif()
    exif[0x0112] = 6  # is shown turned by a quarter to the right
    exif[0x010E] = "taken at home"
    Image.fromarray(image).save(str(photos / "turned.jpg"), exif=exif, quality=95)
    Image.fromarray(np.full((30, 40), 77, np.uint8)).save(str(photos / "gray.png"))
    Image.fromarray(np.zeros((30, 40, 4), np.uint8), "RGBA").save(str(photos / "clear.png"))
    cv2.imwrite(str(photos / "deep.png"), np.full((20, 30), 40_000, np.uint16))
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    clear, deep, gray, turned = (picture(out, record["preview"]) for record in records_of(out))
    assert turned.shape == (315, 1024, 3)
    assert np.abs(turned[:, -100:].mean(axis=(0, 1)) - (250, 10, 10)).max() < 8, "red is on the right"
    assert turned[:, :100].max() < 30
    assert np.abs(gray.astype(int) - 77).max() <= 2
    assert clear.min() >= 253, "on white"
    assert np.abs(deep.astype(int) - 40_000 / 257).max() <= 3
    record = records_of(out)[3]
    assert picture(out, record["thumb"]).shape == (59, 192, 3)
    for url in (record["preview"], record["thumb"]):
        data = Path(out, "report", url).read_bytes()
        assert b"taken at home" not in data
        assert b"Exif" not in data


def test_the_thumbnail_shows_the_map(net, photos, out):
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    for line, record in zip(lines(out), records_of(out)):
        overlay = read_image(os.path.join(out, line["targets"][0]["maps"][0]["files"]["overlay"]))
        small = picture(out, record["thumb"]).astype(int)
        far, near = (
            np.abs(small - cv2.resize(image, small.shape[1::-1], interpolation=cv2.INTER_AREA)).mean()
            for image in (read_image(line["source"]), overlay)
        )
        assert near < 5
        assert near < far / 2


def test_a_killed_run_goes_on_and_has_the_same_report(net, photos, out, tmp_path):
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    whole = contents(out)
    manifest = Path(out, "manifest.jsonl")
    manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:4])[:-20])
    for name in ("index.js", "images/000001.thumb.jpg", "images/000004.js", "images/000005.jpg"):
        Path(out, "report", name).unlink()
    Path(out, "report", "images", f".{'0' * 32}.tmp").write_bytes(b"half a preview")
    net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(report=True, batch_size=3, resume=True))
    again = contents(out)
    # the index has the time when it was made
    assert {name: data for name, data in again.items() if not name.endswith("index.js")} == {
        name: data for name, data in whole.items() if not name.endswith("index.js")
    }
    assert index_of(out)["images"] == index_of(out)["images"]


def test_a_stopped_run_has_a_report(net, photos, out):
    batches = iter([False, False])
    run = RunOptions(report=True, batch_size=2, stop=lambda: next(batches, True))
    results = net.visualize_imgs(str(photos), out, methods="gradcam", run=run)
    assert not results.complete
    index = index_of(out)
    assert (index["complete"], index["total"], len(index["images"]["id"])) == (False, 6, len(results))


def test_a_run_that_stops_at_an_error_has_a_report(net, photos, out):
    (photos / "2.png").write_bytes(b"no image")
    with pytest.raises(StoppedError):
        net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(report=True, on_error="stop"))
    index = index_of(out)
    assert (index["complete"], index["total"], len(index["images"]["id"])) == (False, 6, 2)


def test_another_run_leaves_no_old_records(net, photos, out):
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    old = records_of(out)
    (photos / "0.png").unlink()
    net.visualize_imgs(str(photos), out, methods="gradcam")  # without a report: the records are of another run now
    write_report(out)
    new = records_of(out)
    assert [record["name"] for record in new] == [record["name"] for record in old[1:]]
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    assert not Path(out, "report", "images", "000005.js").exists()


def test_a_foreign_report_is_refused(net, photos, out):
    folder = Path(out, "report")
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("of another program")
    with pytest.raises(OptionError, match=r"report' was not written by this toolkit"):
        net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    assert [path.name for path in folder.iterdir()] == ["index.html"]
    assert not Path(out, "manifest.jsonl").exists(), "before the run begins"
    shutil.rmtree(out)
    Path(out).mkdir()
    folder.symlink_to(photos)
    with pytest.raises(OptionError, match=r"report' was not written by this toolkit"):
        net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)


def test_indexed_names_and_the_copy_of_the_image(net, photos, out):
    run = RunOptions(report=True, naming="indexed")
    net.visualize_imgs(str(photos), out, methods="guided_gradcam", run=run)
    for place, record in enumerate(records_of(out)):
        (map,) = maps_of(record)
        assert map["pixels"].startswith(f"../guided_gradcam_{place}_class_")
        assert Path(out, "report", map["pixels"]).is_file()
        assert MapGrid.from_json(map["grid"]).levels.max() == 255


def test_names_are_hostile(net, photos, out):
    names = ["</script><script>alert(1)</script>", "a'b\"c`d", "\u2028\u2029", "new\nline", "caf\udce9", "a..%2f.."]
    for place, name in enumerate(names):
        folder = os.path.join(str(photos), os.fsdecode(name.encode("utf-8", "surrogateescape")).replace("/", "_"))
        os.mkdir(folder)
        shutil.move(str(photos / f"{place}.png"), os.path.join(folder, "x.png"))
    net.visualize_imgs(str(photos), out, methods="guided_gradcam", run=REPORT)
    records = records_of(out)
    assert len(records) == len(names)
    for record in records:
        url = maps_of(record)[0]["pixels"]
        assert url.encode("ascii")
        assert not set(url) & set("<>\"' \n")
    assert sorted(record["name"] for record in records)[2].endswith("/x.png")
    page = write_report(out, single_file=True)
    blocks = Blocks(Path(page).read_text(encoding="utf-8")).found
    inside = [json.loads(blocks[f"gradcam-{record['id']}"])["name"] for record in records]
    assert inside == [record["name"] for record in records]
    assert len(blocks) == 2 * len(records) + 1


def test_run_json_has_the_reasons_and_the_time(net, photos, out):
    net.visualize_imgs(str(photos), out, methods="gradcam", run=REPORT)
    settings = json.loads(Path(out, "run.json").read_text())
    assert settings["reasons"]["layer"] == net.binding.reasons["layer"]
    assert settings["class_names"] == list(DEMO_CLASSES)
    (entry,) = settings["history"]
    assert (entry["images"], entry["complete"]) == (6, True)
    assert entry["began"] <= entry["ended"]
    assert entry["images_per_second"] > 0
    assert "/cpu:0" in entry["devices"]
    sections = {section["title"]: section["rows"] for section in index_of(out)["run"]["sections"]}
    assert ["layer", "conv5/Relu:0", net.binding.reasons["layer"]] in sections["Tensors"]
    assert ["images", "6", ""] in sections["Time and machine"]


def test_a_resumed_run_has_an_entry_of_its_own(net, photos, out):
    net.visualize_imgs(str(photos), out, methods="gradcam")
    manifest = Path(out, "manifest.jsonl")
    for kept, entries in ((6, 1), (4, 2)):
        manifest.write_bytes(b"".join(manifest.read_bytes().splitlines(keepends=True)[:kept]))
        net.visualize_imgs(str(photos), out, methods="gradcam", run=RunOptions(resume=True))
        history = json.loads(Path(out, "run.json").read_text())["history"]
        assert [entry["images"] for entry in history] == [6, 2][:entries]
