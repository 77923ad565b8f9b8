"""A report of a run that made none: from the files that the run wrote, whatever has become of them."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from image_folders import copy_scenes
from PIL import Image
from report_files import columns, index_of, maps_of, picture, records_of

from gradcam_tf1 import GradCamGraph, RunOptions, Style, read_image, write_report
from gradcam_tf1.drawing.overlay import COLORMAPS
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.report.remade_record import NO_NUMBERS

KEPT = RunOptions(report=True)
CAM = {"methods": "gradcam"}


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", *(f"{i}.png" for i in range(3)))


def told(records):
    """All that the records say but for the maps' numbers and the drawn image."""
    bare = json.loads(json.dumps(records))
    for map in (map for record in bare for map in maps_of(record)):
        del map["grid"], map["focus"], map["signed"]
    return bare


def both(net, photos, out, **how):
    """The records that the run kept, and those that are made afterwards of its files."""
    net.visualize_imgs(str(photos), out, **how, run=KEPT)
    kept = records_of(out)
    shutil.rmtree(os.path.join(out, "report"))
    assert write_report(out) == os.path.join(out, "report", "index.html")
    return kept, records_of(out)


def drawn(map, size):
    height, width = size
    return MapGrid.from_json(map["grid"]).at(np.arange(height) + 0.5, np.arange(width) + 0.5)


def test_raw_numbers_give_the_same_record(net, photos, out):
    how = {"targets": ["ring", "cross"], "methods": ["gradcam", "guided_gradcam"], "layers": [-1, -2]}
    kept, made = both(net, photos, out, **how, style=Style(raw=True))
    assert made == kept
    assert len(maps_of(made[0])) == 8


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_heat_maps_are_read_back_through_their_colours(net, photos, out, colormap):
    how = {"methods": ["positive", "negative", "hirescam"], "style": Style(colormap=colormap)}
    kept, made = both(net, photos, out, **how)
    assert told(made) == told(kept)
    signed = colormap == "diverging"
    for one, other in zip(kept, made):
        rows = maps_of(other)
        full = max(map["maximum"] for map in rows[:2])
        for map, copy in zip(maps_of(one), rows):
            if map["grid"] is None:
                assert copy["grid"] is None
                continue
            expected = drawn(map, one["size"])
            found = drawn(copy, one["size"])
            scale = full if map["method"] != "hirescam" else map["maximum"]
            # half a level of the drawing, and what 96 points lose of bilinear ones; jet has equal neighbours
            off = np.abs(found - (expected if signed else np.maximum(expected, 0)))
            assert off.max() <= 0.05 * scale, map["method"]
            assert off.mean() <= 0.006 * scale


@pytest.mark.parametrize("fit", ["center-crop", "letterbox"])
def test_heat_maps_lie_where_the_net_looked(photos, out, fit):
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES, fit=fit) as net:
        kept, made = both(net, photos, out, **CAM)
    for one, other in zip(kept, made):
        (map,), (copy,) = maps_of(one), maps_of(other)
        assert copy["grid"]["seen"] == map["grid"]["seen"]
        assert copy["focus"] == pytest.approx(map["focus"], abs=0.01)


def test_without_any_numbers_the_drawn_image_is_all_there_is(net, photos, out):
    _, made = both(net, photos, out, **CAM, style=Style(heatmaps=False))
    for record in made:
        (map,) = maps_of(record)
        assert (map["grid"], map["focus"]) == (None, None)
        assert map["notes"][-1] == NO_NUMBERS
        assert record["missing"] is None


def test_originals_that_are_gone_are_told_of(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    original = read_image(str(photos / "0.png"))
    (photos / "0.png").unlink()
    Image.fromarray(np.zeros((50, 60, 3), np.uint8)).save(str(photos / "1.png"))
    write_report(out)
    gone, changed, there = records_of(out)
    assert "the original is not shown, but what was drawn of it" in gone["missing"]
    assert "no such file" in gone["missing"].lower()
    assert "is another image now: 50x60" in changed["missing"]
    assert there["missing"] is None
    overlay = read_image(os.path.join(out, "0.png.c0-star.gradcam.png"))
    shown = picture(out, gone["preview"]).astype(int)
    assert np.abs(shown - overlay).mean() < np.abs(shown - original).mean()
    assert [doubt for (doubt,) in columns(out, "doubt")] == [gone["missing"], changed["missing"], None]
    assert (
        "originals that are gone: 2; what was drawn of them is shown in their place" in index_of(out)["run"]["doubts"]
    )


def test_originals_that_are_too_large_are_not_read(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    write_report(out, max_pixels=100)
    for record in records_of(out):
        assert "pixels" in record["missing"]
        assert record["preview"] is None
        assert maps_of(record)[0]["grid"] is None


def pack(photos, kind):
    path = photos.parent / f"photos.{kind}"
    names = sorted(photos.iterdir())
    if kind == "zip":
        with zipfile.ZipFile(str(path), "w") as archive:
            [archive.write(str(name), f"in/{name.name}") for name in names]
    else:
        with tarfile.open(str(path), "w:gz" if kind == "tar.gz" else "w") as archive:
            [archive.add(str(name), f"in/{name.name}") for name in names]
    shutil.rmtree(str(photos))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_originals_in_archives(net, photos, out, kind):
    archive = pack(photos, kind)
    kept, made = both(net, archive, out, **CAM)
    assert [(record["missing"], record["name"]) for record in made] == [(None, record["name"]) for record in kept]
    archive.unlink()
    shutil.rmtree(os.path.join(out, "report"))
    write_report(out)
    assert all("no such file" in record["missing"] for record in records_of(out))


def test_an_archive_without_its_images(net, photos, out):
    archive = pack(photos, "zip")
    net.visualize_imgs(str(archive), out, **CAM)
    with zipfile.ZipFile(str(archive), "w") as other:
        other.writestr("in/2.png", b"no image")
    write_report(out)
    first, _, third = (record["missing"] for record in records_of(out))
    assert "has no image 'in/0.png'" in first
    assert "not an image in a known format" in third


def test_a_list_of_paths(net, photos, out):
    listed = photos.parent / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in sorted(photos.iterdir())))
    kept, made = both(net, f"@{listed}", out, **CAM)
    assert told(made) == told(kept)


def test_a_running_folder(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    manifest, settings = Path(out, "manifest.jsonl"), Path(out, "run.json")
    lines = manifest.read_bytes().splitlines(keepends=True)
    history = json.loads(settings.read_text())["history"][0]
    running = {**history, "ended": None, "complete": False, "images": None}
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "history": [running]}))
    for count in (0, 1, 2):
        manifest.write_bytes(b"".join(lines[:count]) + lines[count][:50])
        write_report(out)
        index = index_of(out)
        assert (len(index["images"]["id"]), index["complete"], index["total"]) == (count, False, 3)


def test_one_file_has_everything_and_may_be_replaced(net, photos, out, tmp_path):
    net.visualize_imgs(str(photos), out, methods=["gradcam", "guided_gradcam"])
    page = tmp_path / "page.html"
    for _ in range(2):
        assert write_report(out, single_file=str(page)) == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 9, "3 previews, 3 thumbnails, 3 drawn maps"
    assert "../" not in "".join(line for line in text.splitlines() if '"pixels"' in line)
    Path(out, "report", "images", "000001.jpg").unlink()
    assert write_report(out, single_file=True) == os.path.join(out, "report.html")


def test_old_folders_still_have_reports(net, photos, out):
    """A manifest without `top` and a run.json without reasons, as earlier versions wrote them."""
    net.visualize_imgs(str(photos), out, **CAM)
    manifest, settings = Path(out, "manifest.jsonl"), Path(out, "run.json")
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({k: v for k, v in line.items() if k != "top"}) + "\n" for line in lines))
    new = ("reasons", "class_names", "channels", "input_size", "history")
    settings.write_text(json.dumps({k: v for k, v in json.loads(settings.read_text()).items() if k not in new}))
    write_report(out)
    assert [record["top"] for record in records_of(out)] == [[], [], []]
    best = [(line["predicted"], line["targets"][0]["label"], line["targets"][0]["probability"]) for line in lines]
    assert columns(out, "class_id", "label", "probability") == best
    assert index_of(out)["complete"] is True
    net.visualize_imgs(str(photos), out, **CAM, run=RunOptions(resume=True))
