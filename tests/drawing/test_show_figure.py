"""The figure of one input, and where it is shown: in a notebook, in a window, or nowhere with a warning."""

from __future__ import annotations

import io
import sys
import types

import numpy as np
import pytest
from made_explanations import EMPTY, hot_cell, one_explanation, titles
from PIL import Image

from gradcam_tf1 import OptionError, SelectionError, Style, save_figure
from gradcam_tf1.drawing.figure_grid import render
from gradcam_tf1.images.array_placement import ArrayPlacement
from gradcam_tf1.nets.demo import demo_scenes

KEY = ("gradcam", "conv:0")


def bars(figure):
    """Upper ends of the colour bars."""
    return [round(axes.get_ylim()[1], 3) for axes in figure.axes if len(axes.get_yticks()) and axes.axison]


def test_a_row_for_each_target_and_a_column_for_each_map(net):
    explanation = net.explain(demo_scenes()[8].path, ["ring", "heart"], ["gradcam", "gradient"])
    figure = explanation.figure()
    heads = titles(figure)
    assert [(lines[0], lines[-2]) for lines in heads] == [
        *(("gradcam", "1 ring"), ("gradient", "1 ring"), ("gradcam", "6 heart"), ("gradient", "6 heart"))
    ]
    assert heads[0][1] == "conv5/Relu:0"
    ring = explanation.map("gradcam")
    assert heads[0][-1] == f"{ring.score:.4g}  ({ring.probability:.1%})"


def test_targets_share_a_scale_so_that_a_weak_class_looks_weak(net):
    explanation = net.explain(demo_scenes()[8].path, ["ring", "heart"])
    ring, heart = explanation
    assert heart.details.maximum < ring.details.maximum / 3
    assert bars(explanation.figure()) == [round(ring.details.maximum, 3)] * 2
    own = [round(map.details.maximum, 3) for map in explanation]
    assert bars(explanation.figure(style=Style(share_scale=False))) == own


def test_the_figure_of_a_signal_and_of_an_empty_map():
    explanation = one_explanation({KEY: np.ones((1, 5))}, placement=ArrayPlacement((9,)))
    assert bars(explanation.figure()) == [1.0]
    empty = one_explanation({KEY: [np.zeros((4, 4))]}, {KEY: [EMPTY]})
    texts = [text.get_text() for axes in empty.figure().axes for text in axes.texts]
    assert texts == ["no positive evidence"]


def test_there_must_be_such_an_input():
    explanation = one_explanation({KEY: [hot_cell(1, 1)]})
    with pytest.raises(SelectionError, match="there is no image 1"):
        explanation.figure(1)
    with pytest.raises(OptionError, match="style is 'jet'"):
        explanation.show(style="jet")


def test_a_figure_can_be_saved(tmp_path):
    save_figure(one_explanation({KEY: [hot_cell(1, 1)]}).figure(), str(tmp_path / "figure.png"))
    assert Image.open(str(tmp_path / "figure.png")).size[0] > 400


@pytest.fixture
def quiet_pyplot(monkeypatch):
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield plt
    plt.close("all")


def test_without_a_display_a_warning_says_what_to_do(quiet_pyplot):
    explanation = one_explanation({KEY: [hot_cell(1, 1)]})
    with pytest.warns(UserWarning, match=r"no display .*save_figure\(explanation.figure\(\), 'maps.png'\)") as caught:
        explanation.show()
    assert caught[0].filename == __file__
    assert quiet_pyplot.get_fignums() == []


def test_a_window_shows_the_figure(quiet_pyplot, monkeypatch):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "made up")
    windows = []
    monkeypatch.setattr(quiet_pyplot, "show", lambda: windows.append(quiet_pyplot.gcf()))
    explanation = one_explanation({KEY: [hot_cell(1, 1)]})
    explanation.show()
    (window,) = windows
    (image,) = window.axes[0].images
    assert np.array_equal(image.get_array(), render(explanation.figure()))


def test_a_notebook_shows_it_inline_and_small(monkeypatch):
    shown = []
    display = types.ModuleType("IPython.display")
    display.Image, display.display = lambda **given: given, shown.append
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    one_explanation({KEY: [hot_cell(1, 1)] * 5}, class_ids=(1, 2, 3, 4, 5)).show()
    (image,) = shown
    assert image["format"] == "jpeg"
    assert Image.open(io.BytesIO(image["data"])).size[0] == 1000
    assert len(image["data"]) < 150_000


def test_a_terminal_with_ipython_is_no_notebook(quiet_pyplot, monkeypatch):
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    with pytest.warns(UserWarning, match="no display"):
        one_explanation({KEY: [hot_cell(1, 1)]}).show()
