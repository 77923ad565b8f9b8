"""Folders that are damaged, tampered with or of others: told in one sentence, never followed elsewhere."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from image_folders import copy_scenes
from report_files import index_of, maps_of, records_of

from gradcam_tf1 import ManifestError, OptionError, Style, write_report

CAM = {"methods": "gradcam"}


@pytest.fixture
def photos(tmp_path):
    return copy_scenes(tmp_path / "photos", *(f"{i}.png" for i in range(3)))


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
    for path in ("", str(tmp_path / "nowhere" / "page.html"), f"{tmp_path}/"):
        with pytest.raises(OptionError, match="is not a file in a folder that exists"):
            write_report(out, single_file=path)
    assert not Path(out, "report").exists()
    for options, match in (
        ({"title": 7}, "the title is a text, not 7"),
        ({"single_file": 7}, "single_file is True, False or a path, not 7"),
        ({"max_pixels": 0}, "max_pixels is a whole number, at least 1, not 0"),
        ({"truth": 7}, "truth is 'folders' or the path of a CSV file, not 7"),
    ):
        with pytest.raises(OptionError, match=match):
            write_report(out, **options)


def test_a_single_file_that_finds_no_room_leaves_nothing(net, photos, out, tmp_path, monkeypatch):
    net.visualize_imgs(str(photos), out, **CAM)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gradcam_tf1.report.single_file.single_page", full)
    page = tmp_path / "page.html"
    with pytest.raises(OSError, match=r"cannot write the report: No space left on device: .*page\.html"):
        write_report(out, single_file=str(page))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]
