"""Figures: the right maps in their places under their titles, red where they are high. Most maps are made by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from made_explanations import EMPTY, GRAY, RED, SOLID, centre_of_red, hot_cell, one_explanation, status_of, titles
from PIL import Image

from gradcam_tf1.drawing.figure_grid import BAR as BAR_WIDTH
from gradcam_tf1.drawing.figure_grid import GAP, LINE, MARGIN, NO_EVIDENCE, NUMBERS, SIDE, grid, render, save_figure
from gradcam_tf1.drawing.figure_grid import Panel as GridPanel
from gradcam_tf1.drawing.image_figures import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.drawing.overlay import colorize
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.labels import Labels
from gradcam_tf1.nets.demo import demo_scenes
from gradcam_tf1.types import MapStatus

SCENES = demo_scenes()
ACROSS = SIDE + GAP + BAR_WIDTH + NUMBERS
TALL = SIDE * GRAY.shape[0] // GRAY.shape[1]
OPAQUE = Style(**SOLID)
BLUE = [0, 0, 128]  # the lower end of jet


def parts(image, columns, lines, rows=1):
    """The panels of a rendered figure and their colour bars, row by row, by the measures of the layout."""
    found = []
    title = lines * LINE + GAP
    for row in range(rows):
        top = MARGIN + row * (TALL + title) + title
        for column in range(columns):
            left = MARGIN + column * ACROSS
            panel = image[top : top + TALL, left : left + SIDE]
            bar = image[top : top + TALL, left + SIDE + GAP : left + SIDE + GAP + BAR_WIDTH]
            found.append((panel, bar))
    return found


def four_classes(labels=None):
    cells = [hot_cell(0, 0), hot_cell(0, 3), hot_cell(3, 0), hot_cell(3, 3)]
    return one_explanation({("gradcam", "c:0"): cells}, class_ids=(2, 0, 3, 1), labels=labels)


def test_one_row_of_classes_each_with_its_hot_spot_title_and_bar():
    figure = classes_figure(four_classes(Labels(["cat", "dog", "cow", "hen, chicken"])), GRAY, style=OPAQUE)
    assert titles(figure) == [["cow", "0"], ["cat", "1.00"], ["hen", "2.00"], ["dog", "3.00"]]
    image = render(figure)
    assert image.shape == (2 * MARGIN + 2 * LINE + GAP + TALL, 2 * MARGIN + 4 * ACROSS, 3)
    found = parts(image, 4, 2)
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


def test_targets_share_a_scale_in_every_figure():
    maps = {
        ("positive", "c:0"): [hot_cell(0, 0, value=4.0), hot_cell(0, 0, value=0.4)],
        ("negative", "c:0"): [hot_cell(3, 3, value=2.0), hot_cell(3, 3, value=0.2)],
    }
    figure = signs_figure(one_explanation(maps, class_ids=(1, 0)), GRAY, style=OPAQUE)
    ends = [axes.get_yticklabels()[-1].get_text() for axes in figure.axes if not axes.get_title(loc="left")]
    assert ends == ["4"] * 4
    strong = np.random.RandomState(0).randn(8, 8, 3).astype(np.float32)
    explanation = one_explanation({("gradient", ""): np.stack([strong, strong / 100])}, class_ids=(1, 0))
    found = parts(render(methods_figure(explanation, GRAY)), 1, 3, rows=2)
    assert np.abs(found[0][0].astype(int) - 128).max() > 100
    assert np.abs(found[1][0].astype(int) - 128).max() <= 3


def test_evidence_against_is_blue_where_signs_are_shown():
    maps = {("positive", "c:0"): [hot_cell(0, 0)], ("negative", "c:0"): [hot_cell(0, 0)]}
    style = Style(style="blend", alpha=1.0, colormap="diverging")
    (positive, _), (negative, _) = parts(render(signs_figure(one_explanation(maps), GRAY, style=style)), 2, 3)
    assert positive[3, 3, 0] > positive[3, 3, 2]
    assert negative[3, 3, 2] > negative[3, 3, 0]


def test_numbers_and_titles_have_room_beside_flat_and_narrow_images():
    flat = GridPanel(np.full((300, 2400, 3), 9, np.uint8), ["title"], (0.0, 1.0))
    bar = grid([[flat]]).axes[1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "1"]
    narrow = GridPanel(np.full((1500, 120, 3), 9, np.uint8), ["a title of some length"], (0.0, 1.0))
    figure = grid([[narrow, narrow]])
    render(figure)
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes if axes.get_title(loc="left")]
    assert boxes[0].x1 < boxes[1].x0


def test_an_empty_panel_says_why():
    key = ("gradcam", "c:0")
    reasons = ["all evidence here is against this class", "no gradient leads from this score", "the gradient is zero"]
    statuses = {key: [MapStatus("empty", reason, 0.0, 0.0) for reason in reasons]}
    figure = classes_figure(one_explanation({key: [np.zeros((4, 4))] * 3}, statuses, class_ids=(0, 1, 2)), GRAY)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said == [NO_EVIDENCE, "no way to this score", "zero everywhere"]


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
    explanation = one_explanation({("gradcam", "c:0"): [hot_cell(0, 0)]}, class_ids=(0,), labels=Labels([label or " "]))
    figure = classes_figure(explanation, GRAY)
    save_figure(figure, str(tmp_path / "figure.png"))
    assert len(titles(figure)[0]) == 2
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    # what is drawn is the text itself: a formula would be drawn in italics, narrower
    assert np.asarray(Image.open(str(tmp_path / "figure.png"))).shape[1] == 2 * MARGIN + ACROSS


def test_figures_leave_matplotlibs_own_state_alone():
    code = (
        "import matplotlib, numpy as np\n"
        "from gradcam_tf1.drawing.figure_grid import Panel, grid, render\n"
        "before = dict(matplotlib.rcParams)\n"
        "render(grid([[Panel(np.zeros((4, 4, 3), np.uint8), ['x'], (0.0, 1.0))]]))\n"
        "from matplotlib._pylab_helpers import Gcf\n"
        "print(before == dict(matplotlib.rcParams), len(Gcf.figs))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split() == ["True", "0"]
