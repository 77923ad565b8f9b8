"""The command finds what a net looks at: a planted cue is named, honest nets are not accused."""

from __future__ import annotations

import csv
import json
import shutil

import clever_hans
import cv2
import numpy as np
import pytest
from blob_nets import open_blob_net, write_blobs
from command_line import command

from gradcam_tf1 import GradCamGraph, StrategyOptions, find_strategies, write_report
from gradcam_tf1.errors import OptionError
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model
from gradcam_tf1.nets.scenes import draw_scene


@pytest.fixture(scope="module")
def found(out):
    return find_strategies(str(out), StrategyOptions(truth="folders"))


def number(name: str) -> int:
    return int(name.rpartition("/")[2].partition(".")[0])


def test_the_planted_cue_is_found(found, scenes):
    assert [each.name for each, _ in found.suspects] == ["star"]
    ((_, strategy),) = found.suspects
    tagged = set(np.flatnonzero(scenes[2]).tolist())
    members = set(map(number, strategy.names))
    assert len(members & tagged) >= 0.9 * len(tagged)
    assert len(members - tagged) <= 0.1 * len(members)
    assert strategy.place.name == "top right corner"
    assert (strategy.place.row, strategy.place.column) == pytest.approx((0.13, 0.93), abs=0.06)


def test_the_numbers_of_a_class_are_those_of_its_images(found, scenes, out):
    manifest = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    top = {number(line["relative"]): line["targets"][0] for line in manifest}
    for each in found.classes:
        names = [number(name) for strategy in each.strategies for name in strategy.names]
        assert sorted(names) == sorted(n for n, target in top.items() if target["class_id"] == each.class_id)
        assert sum(strategy.share for strategy in each.strategies) == pytest.approx(1)
        for strategy in each.strategies:
            members = [number(name) for name in strategy.names]
            right = np.mean([scenes[1][n] == each.class_id for n in members])
            assert strategy.accuracy == pytest.approx(right)
            assert strategy.probability == pytest.approx(np.mean([top[n]["probability"] for n in members]))


def test_what_is_written(found, out):
    stored = json.loads((out / "strategies.json").read_text())
    assert stored["method"] == "gradcam"
    assert stored["options"]["truth"] == "folders"
    rows = list(csv.DictReader((out / "strategies.csv").read_text().splitlines()))
    assert len(rows) == sum(each.count for each in found.classes)
    suspects = [row for row in rows if row["suspect"]]
    assert {(row["label"], row["place"]) for row in suspects} == {("star", "top right corner")}
    index = (out / "report" / "index.js").read_text()
    assert "top right corner" in index


def test_a_later_report_keeps_the_page_and_drops_it_when_the_run_has_changed(found, out, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    page = copy / "report" / "index.js"
    write_report(str(copy))
    assert "top right corner" in page.read_text()
    manifest = copy / "manifest.jsonl"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:-1]))
    write_report(str(copy))
    assert "top right corner" not in page.read_text()
    stored = json.loads((copy / "strategies.json").read_text())
    stored["classes"][0]["clusters"][0]["share"] = "<script>"
    (copy / "strategies.json").write_text(json.dumps(stored))
    shutil.copy(out / "manifest.jsonl", manifest)
    write_report(str(copy))
    assert "script" not in page.read_text()


def test_an_honest_net_is_not_accused(tmp_path):
    rng = np.random.RandomState(5)
    images = [draw_scene(rng, 120, 150, [DEMO_CLASSES[n % 2]])[0] for n in range(40)]
    (tmp_path / "photos").mkdir()
    for n, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "photos" / f"{n}.png"), image[..., ::-1])
    with GradCamGraph(demo_model(), preset="inception") as net:
        net.visualize_imgs(str(tmp_path / "photos"), str(tmp_path / "out"), methods="gradcam")
    found = find_strategies(str(tmp_path / "out"))
    assert found.classes
    assert not found.suspects


def test_the_command(out):
    text = command("strategies", out, "--truth", "folders")
    assert "maps of gradcam at conv3/Relu:0" in text
    assert "top right corner  suspect: " in text
    assert "100% right" in text
    assert "report/index.html" in text


def test_maps_of_a_pixel_method(out):
    found = find_strategies(str(out), StrategyOptions(method="guided_gradcam", clusters=2))
    assert found.method == "guided_gradcam"
    assert all(len(each.strategies) == 2 for each in found.classes)
    assert {each.name for each, _ in found.suspects} == {"star"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"method": "nope"},
            "no map of nope whose numbers can be read; it has gradcam at conv3/Relu:0, guided",
        ),
        ({"layer": "conv9"}, "no map of a method at conv9"),
        ({"least_images": 500}, r"no class has 500 maps, the most are \d+ of class (star|ring); explain more images"),
    ],
)
def test_what_the_run_does_not_have(out, options, reason):
    with pytest.raises(OptionError, match=reason):
        find_strategies(str(out), StrategyOptions(**options))


def test_a_run_without_numbers_of_a_pixel_method_says_how_to_keep_them(out, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "report")
    with pytest.raises(OptionError, match="no map of guided_gradcam whose numbers can be read; .*run --report` keeps"):
        find_strategies(str(copy), StrategyOptions(method="guided_gradcam"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"clusters": 9}, "clusters is at least 1, at most 8, not 9"),
        ({"clusters": 2.0}, "clusters is a whole number, not 2.0"),
        ({"least_images": 2}, "least_images is at least 4, not 2"),
        ({"method": 3}, "method is a name, not 3"),
        ({"seed": -1}, "seed is at least 0"),
    ],
)
def test_options_are_checked(options, reason):
    with pytest.raises(OptionError, match=reason):
        StrategyOptions(**options)


def test_a_file_of_another_program_stays(out, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    (copy / "strategies.json").write_text('{"mine": 1}')
    with pytest.raises(OptionError, match="was not written by this toolkit, and would be overwritten"):
        find_strategies(str(copy))
    assert (copy / "strategies.json").read_text() == '{"mine": 1}'


def test_not_an_output_folder(tmp_path):
    assert "is not the output folder of a run" in command("strategies", tmp_path, code=2)
    with pytest.raises(OptionError, match=r"give options=StrategyOptions\(...\)"):
        find_strategies(str(tmp_path), options="gradcam")


def test_the_net_of_the_tests_learned_the_cue(scenes):
    """A tag on a ring makes it a star: what the clusters say is true of the net."""
    rings = scenes[0][scenes[1] == 1][:10].copy()
    tag = clever_hans.draw(np.random.RandomState(0), 0, True)[2:10, -10:-2]
    with GradCamGraph(str(clever_hans.NET), preset="inception") as net:
        assert np.mean(net.explain(list(rings)).predicted) > 0.8
        rings[:, 2:10, -10:-2] = tag
        assert np.mean(net.explain(list(rings)).predicted) < 0.4


def test_maps_that_cannot_be_read_are_not_called_empty(tmp_path):
    """A pixel method of a run without --report: its maps have no numbers, unless they are empty."""
    red = str(write_blobs(tmp_path / "photos", {f"{n}.png": [(0, 4, 4, 8)] if n else [] for n in range(5)}))
    with open_blob_net(labels=("same", "same", "blue")) as net:
        net.visualize_imgs(red, str(tmp_path / "out"), targets=[0, 1], methods=["gradcam", "gradient"])
    reason = "; 6 maps have no positive value; 4 maps cannot be read, `gradcam-tf1 run --report` keeps their numbers; "
    with pytest.raises(OptionError, match=f"no class has 4 maps, the most are none{reason}explain more images"):
        find_strategies(str(tmp_path / "out"), StrategyOptions(method="gradient", least_images=4))
    found = find_strategies(str(tmp_path / "out"), StrategyOptions(least_images=4))
    assert (found.empty, found.unread) == (6, 0)
    assert [len(strategy.names) for strategy in found.classes[0].strategies] == [4]  # four equal maps


def test_classes_of_one_name_are_kept_apart(tmp_path):
    scenes = {f"{n}.png": [(int(n > 3), 4, 4, 8)] for n in range(5)}
    with open_blob_net(labels=("crane", "crane", "blue")) as net:
        net.visualize_imgs(str(write_blobs(tmp_path / "photos", scenes)), str(tmp_path / "out"), targets=[0, 1])
    with pytest.raises(OptionError, match=r"the most are 4 of class crane \(class 0\)"):
        find_strategies(str(tmp_path / "out"))


def test_a_table_of_another_program_stays(out, tmp_path):
    copy = tmp_path / "out"
    shutil.copytree(out, copy, ignore=shutil.ignore_patterns("strategies.*", "report"))
    (copy / "strategies.csv").write_text("mine")
    with pytest.raises(OptionError, match="strategies.csv' was not written by this toolkit"):
        find_strategies(str(copy))
    assert (copy / "strategies.csv").read_text() == "mine"
    assert not (copy / "report").exists()
