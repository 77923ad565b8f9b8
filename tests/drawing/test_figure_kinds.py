"""Figures that a run makes: which they are, what they show, where the manifest has them, and how they are opened."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from flat_options import grouped
from made_explanations import SOLID, centre_of_red, titles
from PIL import Image
from small_nets import SmallNet

from gradcam_tf1.cli import main
from gradcam_tf1.cli import terminal as show_module
from gradcam_tf1.drawing.figure_grid import GAP, LINE, MARGIN, SIDE
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.run.result import Result
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions

SCENES = demo_scenes()


def run_titles(net, tmp_path, monkeypatch, figure, **options):
    """The titles of the figure of the first scene, caught on their way to the file."""
    caught = []
    monkeypatch.setattr(
        "gradcam_tf1.drawing.figure_kinds.save_figure", lambda drawn, path: caught.append((titles(drawn), path))
    )
    net.visualize_imgs(SCENES[0].path, str(tmp_path / "out"), **grouped(figures=figure, **options))
    ((found, path),) = caught
    assert os.path.basename(path) == f"{os.path.basename(SCENES[0].path)}.figure.{figure}.png"
    return found


def test_three_best_classes_and_the_worst(net, tmp_path, monkeypatch):
    found = run_titles(net, tmp_path, monkeypatch, "top3-worst", targets="ring")
    scores = net.explain(read_image(SCENES[0].path), list(range(7))).scores[0]
    order = np.argsort(-scores)
    assert [title[0] for title in found] == [DEMO_CLASSES[c] for c in (*order[:3], order[-1])]
    assert [title[1].split()[0] for title in found] == [f"{scores[c]:.2f}" for c in (*order[:3], order[-1])]


def test_the_last_layers_or_those_asked_for(net, tmp_path, monkeypatch):
    found = run_titles(net, tmp_path, monkeypatch, "layers", targets=["star", "ring"])
    assert [title[0] for title in found] == [f"conv{i}/Relu:0" for i in (5, 4, 3, 2)] * 2
    assert [title[1] for title in found] == ["star"] * 4 + ["ring"] * 4
    found = run_titles(net, tmp_path, monkeypatch, "layers", layers=[-3, -1], methods="layercam")
    assert [title[0] for title in found] == ["conv3/Relu:0", "conv5/Relu:0"]


def test_the_methods_asked_for_or_the_usual_ones(net, tmp_path, monkeypatch):
    found = run_titles(net, tmp_path, monkeypatch, "methods")
    assert [title[0] for title in found] == ["gradcam", "gradcampp", "hirescam", "layercam", "eigencam"]
    found = run_titles(net, tmp_path, monkeypatch, "methods", methods=["hirescam", "guided_backprop"], layers=-2)
    assert [title[0] for title in found] == ["hirescam", "guided_backprop"]
    found = run_titles(net, tmp_path, monkeypatch, "methods", methods="layercam")
    assert [title[0] for title in found] == ["layercam"]


@pytest.mark.parametrize("kind", ["top3-worst", "methods", "positive-negative"])
def test_several_layers_make_a_figure_of_one_layer_each(net, tmp_path, kind):
    out = str(tmp_path / "out")
    (result,) = net.visualize_imgs(SCENES[0].path, out, layers=[-1, -3], run=RunOptions(figures=[kind, "layers"]))
    assert list(result.figures) == [f"{kind}.l1", f"{kind}.l2", "layers"]
    alone = str(tmp_path / "alone")
    (last,) = net.visualize_imgs(SCENES[0].path, alone, layers=-1, run=RunOptions(figures=[kind]))
    (third,) = net.visualize_imgs(SCENES[0].path, alone + "3", layers=-3, run=RunOptions(figures=[kind]))
    for name, single in ((f"{kind}.l1", last), (f"{kind}.l2", third)):
        assert np.array_equal(Image.open(result.figures[name]), Image.open(single.figures[kind]))
    assert not np.array_equal(Image.open(result.figures[f"{kind}.l1"]), Image.open(result.figures[f"{kind}.l2"]))


def test_figures_are_in_the_manifest_and_red_is_on_the_object(net, tmp_path):
    out = str(tmp_path / "out")
    names = ["top3-worst", "positive-negative"]
    results = net.visualize_imgs(
        [scene.path for scene in SCENES[:4]], out, **grouped(figures=names, share_scale=False, **SOLID)
    )
    lines = [json.loads(line) for line in Path(results.manifest).read_text().splitlines()]
    hits = []
    for line, scene, result in zip(lines, SCENES, results):
        stem = os.path.basename(scene.path)
        assert line["figures"] == {name: f"{stem}.figure.{name}.png" for name in names}
        assert set(result.figures.values()) < set(result.files)
        image = np.asarray(Image.open(result.figures["top3-worst"]))
        height, width = result.size
        tall, top = round(SIDE * height / width), MARGIN + 2 * LINE + GAP
        panel = image[top : top + tall, MARGIN : MARGIN + SIDE]
        if result.labels[0] in scene.boxes:
            above, left, below, right = scene.boxes[result.labels[0]]
            row, column = centre_of_red(panel)
            hits.append(above <= row * height < below and left <= column * width < right)
    assert sum(hits) >= 3
    assert json.loads(Path(out, "run.json").read_text())["figures"] == names


def test_a_net_of_two_classes_shows_both_once(net, tmp_path, monkeypatch):
    small = SmallNet("gap", classes=2)
    with GradCamGraph(small.graph().as_graph_def(), preset="zero-one", layer="features") as two:
        found = run_titles(two, tmp_path, monkeypatch, "top3-worst")
    assert sorted(title[0] for title in found) == ["class 0", "class 1"]


def test_an_unknown_figure_is_named_before_the_run(net, tmp_path):
    with pytest.raises(OptionError, match="no figure 'top4'; possible: top3-worst, layers, methods, positive-negative"):
        net.visualize_imgs(SCENES[0].path, str(tmp_path / "out"), run=RunOptions(figures="top4"))
    assert not (tmp_path / "out").exists()


# --show


def shown(monkeypatch, capsys, count, display, status=0):
    opened = []
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(show_module.sys, "platform", "linux")
    monkeypatch.setattr(show_module.click, "launch", lambda path: opened.append(path) or status)
    results = Results([Result(0, figures={"layers": f"out/{i}.png"}) for i in range(count)], "out")
    show_module.show_figures(results)
    said = capsys.readouterr()
    return opened, said.out + said.err


def test_figures_are_opened_where_there_is_a_display(monkeypatch, capsys):
    assert shown(monkeypatch, capsys, 2, True) == (["out/0.png", "out/1.png"], "")
    opened, said = shown(monkeypatch, capsys, 12, True)
    assert len(opened) == 10
    assert "opened 10 of 12 figures; all are in out" in said
    opened, said = shown(monkeypatch, capsys, 2, False)
    assert (opened, said) == ([], "no display to open figures on: 2 figures are in out\n")
    opened, said = shown(monkeypatch, capsys, 2, True, status=1)
    assert opened == ["out/0.png"]
    assert "the system has no viewer that opens out/0.png" in said


def test_show_on_the_command_line(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(SCENES[0].path, str(tmp_path / "a.png"))
    words = [
        "run",
        demo_model(),
        str(tmp_path / "a.png"),
        "--out",
        str(tmp_path / "out"),
        "--preset",
        "inception",
        "--show",
    ]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert "--show opens figures; choose them with --figure" in refused.output
    done = CliRunner().invoke(main, [*words, "--figure", "layers", "--figure", "top3-worst"])
    assert done.exit_code == 0, done.output
    assert "no display to open figures on: 2 figures are in" in done.output
    assert len(list((tmp_path / "out").glob("a.png.figure.*.png"))) == 2
