"""Reports of everything a run takes: clips, many bands, empty maps, one logit, methods of every kind."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from clip_nets import clip_graph
from PIL import Image
from report_files import columns, index_of, maps_of, picture, records_of

from gradcam_tf1 import GradCamGraph, RunOptions, Style, write_report
from gradcam_tf1.images.preprocessing import find_preset
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.report.run_facts import RunFacts
from gradcam_tf1.tf_runtime import tf

KEPT = RunOptions(report=True)


def bright_frame(number):
    image = np.full((12, 16, 3), 30, np.uint8)
    image[2:8, 3:9] = (20 * number, 200, 255 - 20 * number)
    return image


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    (folder / "walk").mkdir(parents=True)
    for number in range(8):
        Image.fromarray(bright_frame(number)).save(str(folder / "walk" / f"{number}.png"))
    frames = [Image.fromarray(bright_frame(number)) for number in range(6)]
    frames[0].save(str(folder / "run.gif"), save_all=True, append_images=frames[1:])
    return str(folder)


def test_one_frame_of_each_clip_is_shown(clips, tmp_path):
    out = str(tmp_path / "out")
    with GradCamGraph(clip_graph().as_graph_def(), preset="zero-one") as net:
        net.visualize_imgs(clips, out, methods=["gradcam", "gradient"], style=Style(raw=True), run=KEPT)
    kept = records_of(out)
    lines = [json.loads(line) for line in Path(out, "manifest.jsonl").read_text().splitlines()]
    for record, line in zip(kept, lines):
        first, second = maps_of(record)
        frame, *place = line["targets"][0]["maps"][0]["peak"]
        assert (first["peak"], record["size"], record["missing"]) == (place, [12, 16], None)
        assert f"frame {frame} of the clip is shown" in first["notes"][-1]
        assert second["pixels"].endswith(f".f{frame:04d}.png")
        raw = line["targets"][0]["maps"][0]["files"][f"raw.f{frame:04d}"]
        with np.load(os.path.join(out, raw)) as arrays:
            assert np.abs(MapGrid.from_json(first["grid"]).values - arrays["map"]).max() <= arrays["map"].max() / 500
    shutil.rmtree(os.path.join(out, "report"))
    write_report(out)
    for record, before in zip(records_of(out), kept):
        assert record["missing"] == "a clip: the frame is shown as it was drawn"
        assert [map["grid"] for map in maps_of(record)] == [map["grid"] for map in maps_of(before)]


def bands_graph(channels):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 16, 16, channels], name="input")
        kernel = np.random.RandomState(0).normal(size=(3, 3, channels, 4)).astype(np.float32)
        features = tf.nn.relu(tf.nn.conv2d(x, tf.constant(kernel), [1, 2, 2, 1], "SAME"), name="features")
        weights = tf.constant(np.random.RandomState(1).normal(size=(4, 3)).astype(np.float32))
        tf.nn.softmax(tf.matmul(tf.reduce_mean(features, [1, 2]), weights, name="logits"))
    return graph.as_graph_def()


def test_images_of_many_bands(tmp_path):
    photos, out = tmp_path / "photos", str(tmp_path / "out")
    photos.mkdir()
    values = np.zeros((20, 30, 5), np.float32) + np.array([40, 90, 130, 200, 250], np.float32)
    values[:10] /= 2
    np.save(str(photos / "bands.npy"), values)
    with GradCamGraph(bands_graph(5), preset="zero-one") as net:
        net.visualize_imgs(str(photos), out, style=Style(bands=(4, 2, 1)), run=KEPT)
    (kept,) = records_of(out)
    preview = picture(out, kept["preview"])
    assert np.abs(preview.astype(int) - values[..., [3, 1, 0]]).mean() < 4
    shutil.rmtree(os.path.join(out, "report"))
    write_report(out)
    (made,) = records_of(out)
    assert made["missing"] is None
    assert np.array_equal(picture(out, made["preview"]), preview)


def test_empty_maps_are_doubtful(tmp_path):
    out = str(tmp_path / "out")
    image = np.zeros((20, 20, 3), np.uint8)
    Image.fromarray(image).save(str(tmp_path / "black.png"))
    with GradCamGraph(bands_graph(3), preset="zero-one") as net:
        net.visualize_imgs(str(tmp_path / "black.png"), out, methods="gradcam", run=KEPT)
    (record,) = records_of(out)
    (map,) = maps_of(record)
    assert (map["status"], map["grid"], map["focus"]) == ("empty", None, None)
    assert columns(out, "doubt") == [(f"the map of gradcam is empty: {map['reason']}",)]
    assert "empty maps of gradcam: 1" in index_of(out)["run"]["doubts"]
    assert picture(out, record["thumb"]).max() == 0, "no map is drawn"


def test_warnings_and_notes_are_told(tmp_path):
    out = str(tmp_path / "out")
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        net.visualize_imgs([demo_scenes()[0].path], out, methods=["integrated_gradients"], run=KEPT)
    run = index_of(out)["run"]
    (map,) = maps_of(records_of(out)[0])
    assert map["notes"]
    (made,) = [section["rows"] for section in run["sections"] if section["title"] == "How the maps were made"]
    assert made == [["maps: 1", note, ""] for note in map["notes"]]
    settings = json.loads(Path(out, "run.json").read_text())
    assert run["doubts"] == settings["warnings"]


def test_notes_that_differ_by_a_number_are_told_once():
    facts = RunFacts({})
    for off in ("off by 0.3 %", "off by 1.5e-05 %", "off by 0.3 %"):
        facts.add(with_notes(off, "2 ReLU changed"))
    (made,) = [
        section["rows"] for section in facts.as_json([])["sections"] if section["title"] == "How the maps were made"
    ]
    assert made == [["maps: 3", "off by … %", ""], ["maps: 3", "2 ReLU changed", ""]]


@pytest.mark.parametrize(
    ("preset", "row"),
    [
        (str(find_preset("inception")), ["preset", find_preset("inception").description, ""]),
        ("MyOwn", ["preset", "MyOwn", ""]),
        ("None", ["preset", "", "the graph divides by 255"]),
    ],
)
def test_the_preset_is_told_in_words(preset, row):
    settings = {"preset": preset, "reasons": {"preprocessing": "the graph divides by 255"}}
    (values,) = [each["rows"] for each in RunFacts(settings).as_json([])["sections"] if each["title"] == "Pixel values"]
    assert values == [row]


def with_notes(*notes):
    map = {"method": "gradcam", "layer": "", "status": "ok", "notes": notes}
    return {"missing": None, "status": "ok", "targets": [{"maps": [map]}]}


def test_memory_does_not_hold_the_images(tmp_path):
    """Rows are read one at a time: a report of many images opens one record after another."""
    out = str(tmp_path / "out")
    with GradCamGraph(demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES) as net:
        net.visualize_imgs([demo_scenes()[0].path], out, methods="gradcam", run=KEPT)
    manifest = Path(out, "manifest.jsonl")
    line = manifest.read_text()
    manifest.write_text(line * 60)
    names = []
    write_report(out, progress=lambda name, total: names.append((name, total)))
    assert names == [("scene_00.png", 1)] * 60
    assert index_of(out)["classes"][0]["count"] == 60
