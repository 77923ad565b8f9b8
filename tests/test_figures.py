"""Figures: the right maps in their places under their titles, red where they are high. Most maps are made by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from small_nets import SmallNet
from test_writing import EMPTY, GRAY, hot_cell, one_explanation, status_of

from gradcam_tf1.cli import main
from gradcam_tf1.cli import show as show_module
from gradcam_tf1.drawing import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.figures.grid import BAR as BAR_WIDTH
from gradcam_tf1.figures.grid import GAP, LINE, MARGIN, NO_EVIDENCE, NUMBERS, SIDE, grid, render, save
from gradcam_tf1.figures.grid import Panel as GridPanel
from gradcam_tf1.figures.panels import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.geometry import Placement
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.images import read_image
from gradcam_tf1.labels import Labels
from gradcam_tf1.nets.demo import DEMO_CLASSES, demo_model, demo_scenes
from gradcam_tf1.overlay import colorize
from gradcam_tf1.result import Result
from gradcam_tf1.results import Results

SCENES = demo_scenes()
ACROSS = SIDE + GAP + BAR_WIDTH + NUMBERS
TALL = SIDE * GRAY.shape[0] // GRAY.shape[1]
SOLID = {"alpha": 1.0, "style": "blend"}
OPAQUE = Style(**SOLID)
RED, BLUE = [128, 0, 0], [0, 0, 128]  # the ends of jet


def parts(picture, columns, lines, rows=1):
    """The panels of a rendered figure and their colour bars, row by row, by the measures of the layout."""
    found = []
    title = lines * LINE + GAP
    for row in range(rows):
        top = MARGIN + row * (TALL + title) + title
        for column in range(columns):
            left = MARGIN + column * ACROSS
            panel = picture[top : top + TALL, left : left + SIDE]
            bar = picture[top : top + TALL, left + SIDE + GAP : left + SIDE + GAP + BAR_WIDTH]
            found.append((panel, bar))
    return found


def centre_of_red(panel):
    """(row, column) as shares of the panel."""
    rows, columns = np.nonzero((np.abs(panel.astype(int) - RED) <= 20).all(axis=2))
    return np.median(rows) / panel.shape[0], np.median(columns) / panel.shape[1]


def titles(figure):
    return [axes.get_title(loc="left").split("\n") for axes in figure.axes if axes.get_title(loc="left")]


def four_classes():
    cells = [hot_cell(0, 0), hot_cell(0, 3), hot_cell(3, 0), hot_cell(3, 3)]
    return one_explanation({("gradcam", "c:0"): cells}, class_ids=(2, 0, 3, 1))


def test_one_row_of_classes_each_with_its_hot_spot_title_and_bar():
    figure = classes_figure(four_classes(), GRAY, labels=Labels(["cat", "dog", "cow", "hen, chicken"]), style=OPAQUE)
    assert titles(figure) == [["cow", "0"], ["cat", "1.00"], ["hen", "2.00"], ["dog", "3.00"]]
    picture = render(figure)
    assert picture.shape == (2 * MARGIN + 2 * LINE + GAP + TALL, 2 * MARGIN + 4 * ACROSS, 3)
    found = parts(picture, 4, 2)
    for (panel, bar), corner in zip(found, [(0.1, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.9)]):
        row, column = centre_of_red(panel)
        assert abs(row - corner[0]) < 0.05
        assert abs(column - corner[1]) < 0.05
        assert panel[TALL // 2, SIDE // 2].tolist() == BLUE
        assert bar[4, BAR_WIDTH // 2].tolist() == pytest.approx(RED, abs=16)  # high is above
        assert bar[-4, BAR_WIDTH // 2].tolist() == pytest.approx(BLUE, abs=16)
    ticks = [
        axes.get_yticklabels() for axes in figure.axes if axes.get_yticks().size and not axes.get_title(loc="left")
    ]
    assert [[tick.get_text() for tick in bar] for bar in ticks] == [["0", "1", "2", "3", "4"]] * 4


def test_classes_share_one_scale_so_that_a_weak_one_does_not_look_hot():
    cells = [hot_cell(0, 0, value=2.0), hot_cell(3, 3, value=0.0026)]
    explanation = one_explanation({("gradcam", "c:0"): cells}, class_ids=(0, 1))
    (strong, bar), (weak, other) = parts(render(classes_figure(explanation, GRAY, style=OPAQUE)), 2, 2)
    assert strong[3, 3].tolist() == RED
    assert np.array_equal(bar, other)
    assert (weak == BLUE).all()
    own = Style(alpha=1.0, style="blend", share_scale=False)
    figure = classes_figure(explanation, GRAY, style=own)
    assert figure.axes[3].get_yticklabels()[-1].get_text() == "0.0026"
    assert parts(render(figure), 2, 2)[1][0][-3, -3].tolist() == RED


def test_the_bar_ends_at_the_maximum_that_the_manifest_has_though_no_pixel_meets_its_cell():
    map = hot_cell(1, 1, size=40, value=3.0)
    placement = Placement((13, 17), (40, 40), (0, 0, 13, 17), (0, 0, 40, 40))
    assert placement.place(map).max() < 2.9
    image = np.full((13, 17, 3), 128, np.uint8)
    figure = classes_figure(one_explanation({("gradcam", "c:0"): [map]}, placement=placement), image)
    assert figure.axes[1].get_yticklabels()[-1].get_text() == "3"


def test_long_rows_go_on_in_the_next_line_so_that_the_text_stays_readable():
    panel = GridPanel(np.full((40, 60, 3), 9, np.uint8), ["title", "7.00 (99.0%)"], (0.0, 1.0))
    for count, columns in ((4, 4), (5, 3), (9, 3), (37, 4)):
        figure = grid([[panel] * count])
        assert render(figure).shape[1] == 2 * MARGIN + columns * ACROSS
        assert len(titles(figure)) == count
    assert all(axes.title.get_fontsize() >= 12 for axes in figure.axes if axes.get_title(loc="left"))


def test_panels_are_what_is_drawn_pixel_by_pixel():
    image = np.random.RandomState(0).randint(0, 256, (TALL, SIDE, 3)).astype(np.uint8)
    (panel, _), *_ = parts(render(grid([[GridPanel(image, ["one line"])]])), 1, 1)
    assert np.array_equal(panel, image)


def test_an_empty_panel_says_so_over_the_photograph():
    key = ("gradcam", "c:0")
    explanation = one_explanation(
        {key: [hot_cell(0, 0), np.zeros((4, 4))]}, {key: [status_of(hot_cell(0, 0)), EMPTY]}, class_ids=(1, 0)
    )
    figure = classes_figure(explanation, GRAY)
    assert [text.get_text() for axes in figure.axes for text in axes.texts] == [NO_EVIDENCE]
    assert len(figure.axes) == 3  # two panels, one bar
    (_, _), (panel, bar) = parts(render(figure), 2, 2)
    assert panel[5, 5].tolist() == panel[-5, -5].tolist() == [128, 128, 128]
    assert (panel < 60).all(axis=2).any()  # letters
    assert (bar == 255).all()


def test_layers_in_the_order_asked_with_the_end_of_their_names():
    long = "scope/" * 10 + "Relu:0"
    maps = {
        ("gradcam", long): [hot_cell(0, 0)],
        ("gradcam", "b:0"): [hot_cell(3, 3)],
        ("other", "b:0"): [hot_cell(1, 1)],
    }
    figure = layers_figure(one_explanation(maps), GRAY, style=OPAQUE)
    (first, *_), (second, *_) = titles(figure)
    assert (second, first[0], first[-6:], len(first)) == ("b:0", "\N{HORIZONTAL ELLIPSIS}", "Relu:0", 40)
    spots = [centre_of_red(panel) for panel, _ in parts(render(figure), 2, 3)]
    assert max(spots[0]) < 0.2
    assert min(spots[1]) > 0.8


def test_methods_side_by_side_and_targets_below_each_other():
    maps = {
        ("gradcam", "c:0"): [hot_cell(0, 0), hot_cell(0, 3)],
        ("gradcam", "d:0"): [hot_cell(2, 2), hot_cell(2, 2)],
        ("guided_backprop", ""): np.zeros((2, 8, 8, 3)),
    }
    figure = methods_figure(one_explanation(maps, class_ids=(4, 5)), GRAY, style=OPAQUE)
    assert titles(figure) == [
        [m, f"class {c}", s] for c, s in ((4, "0"), (5, "1.00")) for m in ("gradcam", "guided_backprop")
    ]
    found = parts(render(figure), 2, 3, rows=2)
    assert centre_of_red(found[0][0])[1] < 0.2
    assert centre_of_red(found[2][0])[1] > 0.8
    assert (found[1][0] == 128).all()  # saliency of zero is mid-gray
    assert (found[1][1] == 255).all()  # and has no bar


def test_positive_and_negative_share_one_scale():
    maps = {("positive", "c:0"): [hot_cell(0, 0, value=4.0)], ("negative", "c:0"): [hot_cell(3, 3, value=2.0)]}
    figure = signs_figure(one_explanation(maps), GRAY, style=OPAQUE)
    assert [title[0] for title in titles(figure)] == ["positive", "negative"]
    (positive, bar), (negative, other) = parts(render(figure), 2, 3)
    assert positive[3, 3].tolist() == RED
    half = colorize(np.full((1, 1), 0.5, np.float32))[0, 0].tolist()
    assert negative[-3, -3].tolist() == half
    assert np.array_equal(bar, other)
    with pytest.raises(OptionError, match="explain with 'positive_negative'"):
        signs_figure(four_classes(), GRAY)


def test_signed_maps_have_a_bar_with_zero_in_its_middle():
    map = hot_cell(0, 0, value=1.0)
    map[3, 3] = -2.0
    style = Style(alpha=1.0, style="blend", colormap="diverging")
    figure = classes_figure(one_explanation({("hirescam", "c:0"): [map]}), GRAY, style=style)
    assert [tick.get_text() for tick in figure.axes[1].get_yticklabels()] == ["-2", "-1", "0", "1", "2"]
    ((panel, bar),) = parts(render(figure), 1, 2)
    assert panel[-3, -3].tolist() == pytest.approx(bar[-3, 8].tolist(), abs=12)
    assert bar[TALL // 2, 8].tolist() == pytest.approx([250] * 3, abs=5)


@pytest.mark.parametrize("label", ["a $5$ note_{x}", "two\nlines\x07", "\u732b", "x" * 200, "\\frac{", ""])
def test_any_label_can_be_a_title(label, recwarn, tmp_path):
    explanation = one_explanation({("gradcam", "c:0"): [hot_cell(0, 0)]}, class_ids=(0,))
    figure = classes_figure(explanation, GRAY, labels=Labels([label or " "]))
    save(figure, str(tmp_path / "figure.png"))
    assert len(titles(figure)[0]) == 2
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    # what is drawn is the text itself: a formula would be drawn in italics, narrower
    assert np.asarray(Image.open(str(tmp_path / "figure.png"))).shape[1] == 2 * MARGIN + ACROSS


def test_figures_leave_matplotlibs_own_state_alone():
    code = (
        "import matplotlib, numpy as np\n"
        "from gradcam_tf1.figures.grid import Panel, grid, render\n"
        "before = dict(matplotlib.rcParams)\n"
        "render(grid([[Panel(np.zeros((4, 4, 3), np.uint8), ['x'], (0.0, 1.0))]]))\n"
        "from matplotlib._pylab_helpers import Gcf\n"
        "print(before == dict(matplotlib.rcParams), len(Gcf.figs))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split() == ["True", "0"]


# in a run


def run_titles(net, tmp_path, monkeypatch, figure, **options):
    """The titles of the figure of the first scene, caught on their way to the file."""
    caught = []
    monkeypatch.setattr("gradcam_tf1.figures.making.save", lambda drawn, path: caught.append((titles(drawn), path)))
    net.visualize_imgs(SCENES[0].path, str(tmp_path / "out"), figures=figure, **options)
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
    (result,) = net.visualize_imgs(SCENES[0].path, out, figures=[kind, "layers"], layers=[-1, -3])
    assert list(result.figures) == [f"{kind}.l1", f"{kind}.l2", "layers"]
    alone = str(tmp_path / "alone")
    (last,) = net.visualize_imgs(SCENES[0].path, alone, figures=[kind], layers=-1)
    (third,) = net.visualize_imgs(SCENES[0].path, alone + "3", figures=[kind], layers=-3)
    for name, single in ((f"{kind}.l1", last), (f"{kind}.l2", third)):
        assert np.array_equal(Image.open(result.figures[name]), Image.open(single.figures[kind]))
    assert not np.array_equal(Image.open(result.figures[f"{kind}.l1"]), Image.open(result.figures[f"{kind}.l2"]))


def test_figures_are_in_the_manifest_and_red_is_on_the_object(net, tmp_path):
    out = str(tmp_path / "out")
    names = ["top3-worst", "positive-negative"]
    results = net.visualize_imgs([scene.path for scene in SCENES[:4]], out, figures=names, share_scale=False, **SOLID)
    lines = [json.loads(line) for line in Path(results.manifest).read_text().splitlines()]
    hits = []
    for line, scene, result in zip(lines, SCENES, results):
        stem = os.path.basename(scene.path)
        assert line["figures"] == {name: f"{stem}.figure.{name}.png" for name in names}
        assert set(result.figures.values()) < set(result.files)
        picture = np.asarray(Image.open(result.figures["top3-worst"]))
        height, width = result.size
        tall, top = round(SIDE * height / width), MARGIN + 2 * LINE + GAP
        panel = picture[top : top + tall, MARGIN : MARGIN + SIDE]
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
        net.visualize_imgs(SCENES[0].path, str(tmp_path / "out"), figures="top4")
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
    assert "--show opens figures; say which with --figure" in refused.output
    done = CliRunner().invoke(main, [*words, "--figure", "layers", "--figure", "top3-worst"])
    assert done.exit_code == 0, done.output
    assert "no display to open figures on: 2 figures are in" in done.output
    assert len(list((tmp_path / "out").glob("a.png.figure.*.png"))) == 2
