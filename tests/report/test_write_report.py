"""A report of a run that made none: from the files that the run wrote, whatever has become of them."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_folders import copy_scenes
from PIL import Image
from report_files import columns, index_of, maps_of, picture, records_of

from gradcam_tf1 import GradCamGraph, ManifestError, OptionError, RunOptions, Style, read_image, write_report
from gradcam_tf1.drawing.overlay import COLORMAPS
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.report.remade_record import NO_NUMBERS

KEPT = RunOptions(report=True)
CAM = {"methods": "gradcam"}


@pytest.fixture(scope="module")
def net():
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", *(f"{i}.png" for i in range(3)))


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


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


def spoil(path, colors):
    path.write_bytes(cv2.imencode(".png", colors)[1].tobytes())


def test_heat_maps_of_another_kind_are_not_believed(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    paths = sorted(Path(out).glob("*.heatmap.png"))
    spoil(paths[0], np.full_like(cv2.imread(str(paths[0])), 77))
    spoil(paths[1], np.zeros((5, 5, 3), np.uint8))
    paths[2].write_bytes(b"no image")
    write_report(out)
    assert [map["grid"] for record in records_of(out) for map in maps_of(record)] == [None] * 3


def test_damaged_numbers_are_not_believed(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM, style=Style(raw=True, heatmaps=False))
    first, second, third = sorted(Path(out).glob("*.npz"))
    first.write_bytes(first.read_bytes()[:100])
    with np.load(str(second)) as arrays:
        whole = dict(arrays)
    np.savez(str(second), **{**whole, "seen": np.array([0, 0, 10**6, 10**6])})
    np.savez(str(third), **{**whole, "map": np.full((3, 3), np.nan)})
    write_report(out)
    assert [map["grid"] for record in records_of(out) for map in maps_of(record)] == [None] * 3


def test_a_bomb_of_numbers_is_not_unpacked(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM, style=Style(raw=True, heatmaps=False))
    path = min(Path(out).glob("*.npz"))
    with zipfile.ZipFile(str(path), "w", zipfile.ZIP_DEFLATED) as archive, archive.open("map.npy", "w") as part:
        for _ in range(513):
            part.write(bytes(1 << 20))
    write_report(out)
    assert maps_of(records_of(out)[0])[0]["grid"] is None


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
    assert "2 originals are gone; what was drawn of them is shown in their place" in index_of(out)["run"]["doubts"]


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


def test_a_second_report_is_an_update(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    write_report(out)
    images = Path(out, "report", "images")
    before = {path.name: path.stat().st_mtime_ns for path in images.iterdir()}
    (images / "000001.jpg").unlink()
    (images / "000002.js").write_text("rubbish")
    write_report(out, title="again")
    after = {path.name: path.stat().st_mtime_ns for path in images.iterdir()}
    again = {"000001.js", "000001.jpg", "000001.thumb.jpg", "000002.js", "000002.jpg", "000002.thumb.jpg"}
    assert {name for name in after if after[name] != before[name]} == again
    assert set(after) == set(before)
    assert index_of(out)["title"] == "again"


def test_records_that_were_tampered_with_are_made_again(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    write_report(out)
    before = records_of(out)
    path = Path(out, "report", "images", "000000.js")
    text = path.read_text()
    for damage in (
        text.replace('"rows":', '"rows":99,"x":'),
        text.replace('"targets":[', '"targets":[7,'),
        text.replace('"id":"000000"', '"id":"../../x"'),
        text.replace('"name":"0.png"', '"name":7'),
        text.replace('"notes":', '"note":'),
    ):
        assert damage != text
        path.write_text(damage)
        write_report(out)
        assert records_of(out) == before


def test_a_manifest_leads_nowhere_else(net, photos, out, tmp_path):
    net.visualize_imgs(str(photos), out, **CAM, style=Style(raw=True))
    secret = tmp_path / "secret"
    secret.mkdir()
    for path in Path(out).glob("0.png.*"):
        shutil.move(str(path), str(secret / path.name))
    manifest = Path(out, "manifest.jsonl")
    manifest.write_text(
        manifest.read_text().replace('"0.png.c', '"../secret/0.png.c').replace("photos/0.png", "gone.png")
    )
    write_report(out)
    record = records_of(out)[0]
    assert (maps_of(record)[0]["grid"], record["preview"]) == (None, None)
    write_report(out, single_file=True)


def test_sources_that_are_no_images(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    manifest = Path(out, "manifest.jsonl")
    text = manifest.read_text()
    for source in ("/dev/zero", "/", "/!/etc", f"{photos}!/0.png", "-!/x", "@list!/x", "\\u0000", "/etc/passwd"):
        manifest.write_text(text.replace(str(photos / "0.png"), source))
        write_report(out)
        assert records_of(out)[0]["missing"], source


@pytest.mark.parametrize(
    "damage",
    [
        (b'"figures": {}', b'"figures": 3'),
        (b'"class_id": 0', b'"class_id": "x"'),
        (b'"score": ', b'"score": "x", "y": '),
        (b'"peak": [', b'"peak": ["x", '),
        (b'"size": [', b'"size": [0, '),
        (b'"label": "star"', b'"label": 5'),
        (b'"notes": [', b'"notes": [5'),
        (b'{"source"', b'["source"'),
    ],
)
def test_a_damaged_line_is_named(net, photos, out, damage):
    net.visualize_imgs(str(photos), out, **CAM)
    manifest = Path(out, "manifest.jsonl")
    first, *others = manifest.read_bytes().splitlines(keepends=True)
    assert damage[0] in first
    manifest.write_bytes(b"".join([others[0], first.replace(*damage), *others[1:]]))
    with pytest.raises(ManifestError, match=r"manifest\.jsonl, line 2: not a line that a run wrote"):
        write_report(out)


def test_damaged_settings(net, photos, out):
    net.visualize_imgs(str(photos), out, **CAM)
    settings = json.loads(Path(out, "run.json").read_text())
    odd = {
        "colormap": 7,
        "alpha": "x",
        "history": 3,
        "warnings": 3,
        "reasons": [],
        "images": "x",
        "window": 5,
        "fit": 1,
    }
    Path(out, "run.json").write_text(json.dumps({**settings, **odd, "class_names": 9, "input_size": "x"}))
    write_report(out)
    assert len(records_of(out)) == 3
    Path(out, "run.json").write_text('{"gradcam_tf1": "0"}')
    write_report(out)
    assert index_of(out)["complete"] is False


def test_folders_of_others_are_refused(tmp_path, net, photos, out):
    for given, match in ((str(tmp_path), "is not the output folder of a run"), (7, "is a path, not 7")):
        with pytest.raises(OptionError, match=match):
            write_report(given)
    net.visualize_imgs(str(photos), out, **CAM)
    foreign = tmp_path / "page.html"
    foreign.write_text("mine")
    with pytest.raises(OptionError, match="is there and is not a report"):
        write_report(out, single_file=str(foreign))
    assert not Path(out, "report").exists()
    for options, match in (
        ({"title": 7}, "the title is a text, not 7"),
        ({"single_file": 7}, "single_file is True, False or a path, not 7"),
        ({"max_pixels": 0}, "max_pixels is a whole number, at least 1, not 0"),
        ({"truth": 7}, "truth is 'folders' or the path of a CSV file, not 7"),
    ):
        with pytest.raises(OptionError, match=match):
            write_report(out, **options)


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
