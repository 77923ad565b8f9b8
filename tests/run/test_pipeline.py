"""Folder in, folder out: what is written is what `explain` says, whatever lies in the folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from flat_options import grouped
from image_folders import copy_scenes
from output_files import contents
from PIL import Image

from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError, TargetError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_scenes
from gradcam_tf1.run.manifest import read_manifest
from gradcam_tf1.run.naming import layer_tokens
from gradcam_tf1.run.reading import RunImage, batches
from gradcam_tf1.run.run_options import RunOptions

SCENES = demo_scenes()


@pytest.fixture
def photos(tmp_path):
    """Three scenes in a folder and a subfolder."""
    return copy_scenes(tmp_path / "photos", "a.png", "b.png", "sub/c.png")


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def everything_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


def test_a_folder_with_nothing_but_two_arguments(net, photos, out):
    results = net.visualize_imgs(str(photos), out)
    assert [result.relative for result in results] == ["a.png", "b.png", "sub/c.png"]
    labels = [f"c{int(result)}-{DEMO_CLASSES[result]}" for result in results]
    expected = [
        f"{name}.{label}.{kind}.png"
        for name, label in zip(("a.png", "b.png", "sub/c.png"), labels)
        for kind in ("gradcam", "gradcam.heatmap", "guided_gradcam")
    ]
    assert everything_in(out) == sorted([*expected, "manifest.jsonl", "run.json"])
    images = [read_image(result.source) for result in results]
    assert (results == [net.explain(image).predicted[0] for image in images]).all()
    for result, image in zip(results, images):
        assert all(pixels(path).shape == image.shape for path in result.files)


def test_asked_for_each_object_the_red_is_on_that_object(net, out):
    drawn = {"style": "blend", "alpha": 0.5}
    results = net.visualize_imgs(
        [scene.path for scene in SCENES], out, targets=[list(s.boxes) for s in SCENES], **grouped(**drawn)
    )
    hits = []
    for result, scene in zip(results, SCENES):
        assert result.labels == list(scene.boxes)
        for target in result.targets:
            top, left, bottom, right = scene.boxes[target.label]
            files = target.maps[0].files
            red = (pixels(files["heatmap"])[..., 1:] == 0).all(axis=2)  # the red end of jet is high
            assert red[target.maps[0].peak]
            rows, columns = np.nonzero(red)
            hits.append(top <= np.median(rows) < bottom and left <= np.median(columns) < right)
            over, heat, photo = pixels(files["overlay"]), pixels(files["heatmap"]), read_image(scene.path).astype(int)
            assert np.abs(2 * over - heat - photo).max() <= 2  # half photograph, half heat
    assert len(hits) == sum(len(scene.boxes) for scene in SCENES)
    assert np.mean(hits) > 0.8


def test_the_manifest_says_what_explain_says(net, photos, out):
    asked = ["star", 1]
    results = net.visualize_imgs(
        str(photos), out, targets=asked, methods=["gradcam", "positive_negative", "guided_backprop"], layers=[-1, -2]
    )
    lines = list(read_manifest(results.manifest))
    names = ("a.png", "b.png", "sub/c.png")
    assert [line["relative"] for line in lines] == list(names)
    explanation = net.explain(
        [read_image(str(photos / name)) for name in names],
        asked,
        ["gradcam", "positive_negative", "guided_backprop"],
        [-1, -2],
    )
    for n, line in enumerate(lines):
        assert line["predicted"] == explanation.predicted[n]
        assert line["size"] == list(read_image(line["source"]).shape[:2])
        assert [target["class_id"] for target in line["targets"]] == explanation.class_ids[n].tolist() == [0, 1]
        for t, target in enumerate(line["targets"]):
            assert target["label"] == DEMO_CLASSES[t]
            assert target["score"] == pytest.approx(explanation.scores[n, t], abs=1e-5)
            assert target["probability"] == pytest.approx(explanation.probabilities[n, t], abs=1e-5)
            assert [(m["method"], m["layer"]) for m in target["maps"]] == list(explanation.maps)
            for map in target["maps"]:
                status = explanation.statuses[map["method"], map["layer"]][n][t]
                assert (map["status"], map["reason"]) == (status.state, status.reason)
                assert map["minimum"] == pytest.approx(status.minimum, abs=1e-5)
                assert map["maximum"] == pytest.approx(status.maximum, abs=1e-5)
                for path in map["files"].values():
                    assert os.path.isfile(os.path.join(out, path))
                    assert (layer_tokens(explanation.layers)[map["layer"]] + ".") in path
                if map["status"] == "ok" and map["layer"]:
                    placed = explanation.map(map["method"], n, t, map["layer"]).placed()
                    assert placed[tuple(map["peak"])] == pytest.approx(placed.max(), rel=1e-3)


def test_bad_images_are_recorded_and_the_run_goes_on(net, photos, out):
    whole = (photos / "a.png").read_bytes()
    (photos / "aa_truncated.png").write_bytes(whole[: len(whole) // 2])
    (photos / "ab_empty.jpg").write_bytes(b"")
    (photos / "ac_text.jpg").write_text("not an image")
    results = net.visualize_imgs(str(photos), out, run=RunOptions(batch_size=2, max_pixels=10**6))
    assert [result.relative for result in results if not result.ok] == [
        "aa_truncated.png",
        "ab_empty.jpg",
        "ac_text.jpg",
    ]
    assert [int(result) for result in results.failed] == [-1, -1, -1]
    assert [result.relative for result in results if result.ok] == ["a.png", "b.png", "sub/c.png"]
    assert "truncated" in results[1].error
    lines = list(read_manifest(results.manifest))
    assert [line["status"] for line in lines] == ["ok", "error", "error", "error", "ok", "ok"]
    assert [line["error"] for line in lines] == [result.error or None for result in results]
    alone = net.visualize_imgs(str(photos / "b.png"), out + "2")
    assert int(alone[0]) == int(results[4])
    assert alone[0].scores == pytest.approx(results[4].scores, abs=1e-5)


def test_too_large_images_are_refused_one_by_one(net, photos, out):
    Image.new("RGB", (400, 300)).save(str(photos / "large.png"))
    results = net.visualize_imgs(str(photos), out, run=RunOptions(max_pixels=110_000))
    assert [result.relative for result in results.failed] == ["large.png"]
    assert "more than the 110,000 that are allowed" in results.failed[0].error


def test_the_same_images_give_the_same_bytes(net, photos, out):
    for folder in (out, out + "2"):
        net.visualize_imgs(str(photos), folder, style=Style(raw=True), run=RunOptions(naming="indexed"))
    assert everything_in(out) == everything_in(out + "2")
    assert contents(out) == contents(out + "2")


def test_batches_of_any_size_give_the_same(net, photos, out):
    runs = [
        net.visualize_imgs(str(photos), f"{out}{size}", style=Style(raw=True), run=RunOptions(batch_size=size))
        for size in (1, 2, 5)
    ]
    for run in runs[1:]:
        assert run.tolist() == runs[0].tolist()
        for ours, alone in zip(run, runs[0]):
            assert ours.scores == pytest.approx(alone.scores, abs=1e-4)
            for one, other in zip(ours.maps, alone.maps):
                with np.load(one.files["raw"]) as mine, np.load(other.files["raw"]) as theirs:
                    np.testing.assert_allclose(mine["map"], theirs["map"], atol=1e-4)


def test_indexed_names(net, photos, out):
    (photos / "ab.png").write_bytes(b"bad")
    results = net.visualize_imgs(str(photos), out, style=Style(heatmaps=False), run=RunOptions(naming="indexed"))
    third = DEMO_CLASSES[results[3]]
    assert {f"gradcam_3_class_{third}.png", f"guided_gradcam_3_class_{third}.png"} < set(everything_in(out))
    assert not any("_1_class_" in name for name in everything_in(out))


def test_one_row_of_targets_per_image(net, photos, out):
    results = net.visualize_imgs(str(photos), out, targets=[["star"], ["ring", 3], [2]], methods="gradcam")
    assert [result.class_ids for result in results] == [[0], [1, 3], [2]]
    by_id = net.visualize_imgs(str(photos), out, targets=np.array([[0], [1], [2]]), methods="gradcam")
    assert [result.class_ids for result in by_id] == [[0], [1], [2]]
    assert by_id[1].scores[0] == pytest.approx(results[1].scores[0], abs=1e-5)
    with pytest.raises(TargetError, match="targets has 2 rows, but there are 3 images"):
        net.visualize_imgs(str(photos), out, targets=[[0], [1]])


def test_a_class_that_is_asked_for_twice_is_written_once(net, photos, out):
    (result,) = net.visualize_imgs(str(photos / "a.png"), out, targets=["star", 0, "ring"], methods="gradcam")
    assert result.class_ids == [0, 1]
    assert len(everything_in(out)) == 2 * 2 + 2


def test_its_own_output_is_never_explained_again(net, photos):
    inside = str(photos / "out")
    runs = [net.visualize_imgs(str(photos), inside, methods="gradcam") for _ in range(2)]
    assert len(runs[0]) == len(runs[1]) == 3
    with pytest.raises(OptionError, match="choose another output folder"):
        net.visualize_imgs(str(photos), str(photos))


def test_run_settings_say_how_it_was_made(net, photos, out):
    net.visualize_imgs(
        str(photos), out, targets="star", methods="positive_negative", layers=-2, style=Style(alpha=0.25)
    )
    run = json.loads(Path(out, "run.json").read_text())
    assert run["logits"] == "logits/BiasAdd:0"
    assert (run["targets"], run["methods"], run["layers"]) == ("star", ["positive", "negative"], -2)
    assert (run["alpha"], run["colormap"], run["images"], run["fit"]) == (0.25, "jet", 3, "stretch")
    assert "x/127.5 - 1" in run["preset"]


def test_progress_is_told_of_every_image(net, photos, out):
    (photos / "bad.png").write_bytes(b"bad")
    told = []
    net.visualize_imgs(
        str(photos), out, methods="gradcam", run=RunOptions(progress=lambda result, total: told.append((result, total)))
    )
    assert [(result.relative, total) for result, total in told] == [
        (n, 4) for n in ("a.png", "b.png", "bad.png", "sub/c.png")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"naming": "pretty"}, "no naming 'pretty'"),
        ({"colormap": "rainbow"}, "unknown colour map 'rainbow'"),
        ({"batch_size": 0}, "batch_size is at least 1, not 0"),
        ({"methods": ["grad"]}, "no method 'grad'"),
    ],
)
def test_wrong_options_stop_the_run_before_anything_is_written(net, photos, out, options, message):
    with pytest.raises(OptionError, match=message):
        net.visualize_imgs(str(photos), out, **grouped(**options))
    assert not os.path.exists(out)


def test_names_of_any_bytes(net, photos, out):
    odd = os.fsdecode(b"caf\xe9 \n.png")
    shutil.copy(str(photos / "a.png"), os.path.join(str(photos), odd))
    results = net.visualize_imgs(str(photos), out, methods="gradcam", style=Style(heatmaps=False))
    assert results[2].source.endswith(odd)
    assert os.path.basename(results[2].files[0]).startswith("caf%E9 %0A.png.c")
    assert [line["source"] for line in read_manifest(results.manifest)] == [result.source for result in results]


def test_cat_jpg_and_cat_png_both_survive(net, tmp_path, out):
    for name in ("cat.jpg", "cat.png", "Cat.png"):
        Image.open(SCENES[0].path).convert("RGB").save(str(tmp_path / name))
    results = net.visualize_imgs([str(tmp_path / n) for n in ("cat.jpg", "cat.png", "Cat.png")], out, methods="gradcam")
    files = [os.path.basename(path).lower() for result in results for path in result.files]
    assert len(set(files)) == len(files) == 6


def test_large_images_make_smallerbatches():
    small, large = np.zeros((10, 10, 3), np.uint8), np.zeros((7000, 7000, 3), np.bool_)
    photos = [RunImage(i, None, None, "", image) for i, image in enumerate([small, large, small, None, small, small])]
    assert [[photo.index for photo in batch] for batch in batches(photos, 3)] == [[0, 1], [2, 3, 4], [5]]
    assert list(batches([], 3)) == []
