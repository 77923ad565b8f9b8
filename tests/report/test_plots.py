"""Plots: valid SVG with its text as text, the same for the same numbers, no formulas and no markup of strangers."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from gradcam_tf1.report.plots import _COLORS, _INK, _SOFT, PlotBar, PlotLine, bar_plot, draw_plot, line_plot, plain_text

HOSTILE = "</text><script>alert(1)</script> $\\frac{1}{2}$ \x00\x1b\ud800"


def words(svg: str):
    space = "{http://www.w3.org/2000/svg}"
    assert not list(ElementTree.fromstring(svg).iter(f"{space}script"))
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{space}text")]


def length(svg: str, color: str) -> float:
    """The width of the area of this colour."""
    (path,) = re.findall(rf'<path d="([^"]+)"[^>]*style="fill: {color}', svg)
    across = [float(x) for x in re.findall(r"[ML] (-?[\d.]+)", path)]
    return max(across) - min(across)


def test_bars_have_names_and_lengths_in_proportion():
    plot = bar_plot([PlotBar("gradcam", 0.5, 0.4, 0.7), PlotBar("centre", 0.25, pale=True)], "share", "Two bars.")
    assert {"gradcam", "centre", "share"} <= set(words(plot.light))
    assert length(plot.light, _COLORS["light"][0]) == pytest.approx(2 * length(plot.light, _SOFT["light"]), abs=0.01)


def test_a_bar_without_a_value_says_so():
    plot = bar_plot([PlotBar("a", float("nan")), PlotBar("b", 1.0)], "x", "One bar.")
    assert any("no value" in text for text in words(plot.light))


def test_lines_have_names_and_the_same_numbers_give_the_same_text():
    x = np.linspace(0, 1, 5)
    lines = [PlotLine("insertion", x, x**2, x**2 - 0.1, x**2 + 0.1), PlotLine("random", x, x, pale=True)]
    one, other = (line_plot(lines, "share", "score", "Two curves.", (0, 1)) for _ in range(2))
    assert one == other
    assert {"insertion", "random", "share", "score"} <= set(words(one.dark))


def test_each_theme_has_its_colours():
    plot = bar_plot([PlotBar("a", 1.0)], "x", "One bar.")
    for theme, svg in (("light", plot.light), ("dark", plot.dark)):
        other = "dark" if theme == "light" else "light"
        assert _COLORS[theme][0] in svg
        assert _INK[theme] in svg
        assert _COLORS[other][0] not in svg
        assert _INK[other] not in svg


def test_names_of_strangers_are_text_and_no_formulas():
    plot = bar_plot([PlotBar(HOSTILE[:28], 1.0), PlotBar("$x_1$", 2.0)], HOSTILE, "Bars.")
    for svg in (plot.light, plot.dark):
        assert "$x_1$" in words(svg)
        assert any("<script>" in text for text in words(svg))
    assert plain_text(HOSTILE, 100).endswith("   ")
    assert plain_text("x" * 40, 5) == "xxxx\N{HORIZONTAL ELLIPSIS}"


def test_the_settings_of_the_program_stay(monkeypatch):
    import matplotlib

    before = dict(matplotlib.rcParams)
    with pytest.raises(ZeroDivisionError):
        draw_plot(lambda axes: 1 / 0, "")
    assert dict(matplotlib.rcParams) == before
