"""A study in a real browser: hostile text stays text, the policy holds, both themes, a phone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from browser import set_screen

from gradcam_tf1.report.plots import PlotBar, PlotLine, bar_plot, line_plot
from gradcam_tf1.report.study_page import (
    ImageStrip,
    Section,
    StripImage,
    Study,
    StudyTable,
    Verdict,
    write_study,
)

HOSTILE = "</script></style><img src=x onerror=document.title='owned'><script>document.title='owned'</script>\"'&amp;"
TEXTS = ("h1", "h2", ".verdict", ".terms dt", ".terms dd", "section > p", "th", "td", "figcaption", ".site-title")


def study(text: str) -> Study:
    plot = bar_plot([PlotBar(text, 0.8, 0.7, 0.9), PlotBar("centre", 0.4, pale=True)], text, text)
    lines = line_plot([PlotLine(text, [0, 0.5, 1], [1, 0.4, 0.1], [0.9, 0.3, 0], [1, 0.5, 0.2])], "share", text, text)
    table = StudyTable([text, *(f"column {n}" for n in range(12))], [[text, *("0.123",) * 12]] * 3, text)
    pixels = [np.full((40, 60, 3), shade, np.uint8) for shade in (30, 120, 220)]
    strip = ImageStrip(text, [StripImage(image, text) for image in pixels])
    return Study(
        *(text, Verdict("bad", text), {"model": text, text: "value"}),
        [Section(text, [text], [table, plot]), Section("Images", [], [strip, lines])],
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study & more.html"
    assert write_study(str(path), study(HOSTILE)) == str(path)
    return path.as_uri()


@pytest.fixture
def page(visit, url):
    visitor = visit(url)
    visitor.driver.get(url)
    visitor.wait("[...document.images].every((image) => image.complete)")
    return visitor


def test_text_of_strangers_is_shown_and_does_nothing(page):
    assert page.js("return document.title") == HOSTILE
    for selector in TEXTS:
        assert any(HOSTILE in text for text in page.texts(selector)), selector
    assert page.js("return document.querySelectorAll('main script, img[src=x]').length") == 0


def test_images_and_plots_are_there(page):
    sizes = page.js("return [...document.images].map((image) => image.naturalWidth > 0)")
    assert sizes == [True] * 7
    assert page.js("return [...document.images].every((image) => image.alt)")


def test_the_policy_refuses_what_is_not_in_the_file(visit, url, tmp_path):
    visitor = visit(url)
    visitor.driver.get(url)
    script = (
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s);"
    )
    visitor.js(script)
    assert visitor.js("return document.title") == HOSTILE
    said = visitor.driver.get_log("browser")
    assert any("Content Security Policy" in entry["message"] for entry in said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plots_follow_the_theme(page, scheme):
    shown = "return [...document.querySelectorAll('.plot img')].filter(e => e.checkVisibility()).map(e => e.className)"
    set_screen(page.driver, 1280, 800, scheme)
    assert page.js(shown) == [f"plot-{scheme}"] * 2
    page.click("#theme")  # auto -> dark
    assert page.js(shown) == ["plot-dark"] * 2
    page.keys("t")  # dark -> light
    assert page.js(shown) == ["plot-light"] * 2
    page.keys("t")
    assert page.js(shown) == [f"plot-{scheme}"] * 2


def test_a_phone_scrolls_down_only(page):
    set_screen(page.driver, 390, 800, touch=True)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    assert page.js("const t = document.querySelector('.sideways'); return t.scrollWidth > t.clientWidth")
    assert page.box(".plot-light")[2] > 300


def test_a_phone_shows_the_values_of_the_settings(visit, tmp_path):
    """A value beside its name breaks; it was to the right of the screen where another one was long."""
    rows = [("pooled", "False"), ("model_sha256", "2dd15f0c" * 8), ("preset", "Preprocessing(scale=1, mean=0) " * 9)]
    path = write_study(str(tmp_path / "a.html"), Study("A", None, {}, [Section("B", [], [StudyTable("ab", rows)])]))
    visitor = visit(Path(path).as_uri())
    visitor.driver.get(Path(path).as_uri())
    set_screen(visitor.driver, 390, 800, touch=True)
    edges = visitor.js(
        "return [...document.querySelectorAll('td:last-child')].map((cell) => { const range = document.createRange();"
        " range.selectNodeContents(cell); return range.getBoundingClientRect().right; })"
    )
    assert len(edges) == 3
    assert max(edges) <= 390
    assert visitor.js("const t = document.querySelector('.sideways'); return t.scrollWidth <= t.clientWidth")


def test_a_plain_study_has_only_its_title(tmp_path):
    text = Path(write_study(str(tmp_path / "plain.html"), Study("Nothing \ud800 yet"))).read_text(encoding="utf-8")
    assert "<h1>Nothing ? yet</h1>" in text
    assert not re.search(r"<section|<dl|class=\"verdict", text)


def test_an_unwritable_path_is_named(tmp_path):
    with pytest.raises(OSError, match="cannot write the page") as caught:
        write_study(str(tmp_path / "gone" / "a.html"), Study("A"))
    assert caught.value.filename == str(tmp_path / "gone" / "a.html")
