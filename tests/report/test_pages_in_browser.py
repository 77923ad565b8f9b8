"""All pages in a real browser: classes, the run, light and dark, contrast, focus, spoken names, and the policy."""

from __future__ import annotations

import numpy as np
import pytest
import report_data
from browser import console, set_screen

from gradcam_tf1.drawing.overlay import colorize, normalize

pytestmark = pytest.mark.programs

VIEWS = ("#/images", "#/image/000001", "#/classes", "#/class/1", "#/run")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    records = [report_data.record(n, f"image {n}.jpg") for n in range(12)]
    records.append(report_data.record(12, "broken.jpg", error="it is not an image"))
    return report_data.write_report(tmp_path_factory.mktemp("pages") / "report", records, complete=False, total=20)


@pytest.fixture
def page(visit, url):
    return visit(url)


def show(page, view: str) -> None:
    page.open(view)
    page.wait("!location.hash.startsWith('#/image/') || document.querySelector('.bars')")


def test_an_unfinished_run_says_so(page):
    show(page, "#/images")
    assert page.text(".notice") == "The run is not finished: 13 of 20 images so far."


def test_the_page_of_the_run(page):
    show(page, "#/run")
    assert page.text("h1") == "Report of a test"
    assert page.text(".under").startswith("13 images · right and wrong after folder names · report made May 4, 2026")
    assert page.texts("h2")[:5] == ["What was doubtful", "1 failure", "Model", "Time", "Files"]
    assert page.texts(".sentences li") == ["no labels were given", "broken.jpgit is not an image"]
    assert page.texts(".terms dt") == ["file", "layer", "seconds"]
    assert page.texts(".terms dd") == ["model.pb", "conv5/Relu:0the last feature map", "12.5"]
    assert page.js("return [...document.querySelectorAll('.files a')].map(a => a.getAttribute('href'))") == [
        "../manifest.jsonl"
    ]
    assert page.texts(".files li") == ["manifest.jsonl", "a trap"]


def test_the_pages_of_classes(page):
    show(page, "#/classes")
    assert page.texts(".card strong") == ["ring", "cross", "star", "moon"]
    page.wait("document.querySelectorAll('.card canvas').length === 4")
    page.click("a[title=star]")
    page.wait("document.querySelector('.class-page')")
    assert page.text("h1") == "star"
    assert page.text(".under") == "3 images · 3 wrong · mean probability 50.0 %"
    assert page.texts(".mean figcaption") == ["gradcamconv5"]
    middle = "const drawn = document.querySelector('.mean canvas').getContext('2d');"
    middle += "return [...drawn.getImageData(256, 256, 1, 1).data]"
    ramp = report_data.RAMP
    share = normalize(np.array([[ramp[1, 1:3].mean()]]), scale=ramp.max())
    assert np.abs(np.array(page.js(middle)) - [*colorize(share)[0, 0], 255]).max() <= 6
    assert page.texts(".strip .card-name") == ["image 2.jpg", "image 6.jpg", "image 10.jpg"]
    page.click("a[title='image 6.jpg']")
    page.wait("document.querySelector('.place')")
    assert page.text(".place") == "2 of 3"
    page.open("#/class/77")
    assert page.text("h1") == "The report has no class 77."


def test_light_and_dark_follow_the_system_or_the_switch(page):
    shade = "return getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(250, 249, 246)", "rgb(19, 20, 22)"
    for scheme, expected in (("dark", dark), ("light", light)):
        set_screen(page.driver, 1200, 800, scheme)
        show(page, "#/run")
        assert page.js(shade) == expected
    page.click("#theme")
    assert page.js(shade) == dark
    show(page, "#/images")
    assert page.js(shade) == dark  # remembered
    page.keys("t")
    assert page.js(shade) == light
    page.keys("t")
    set_screen(page.driver, 1200, 800, "dark")
    assert page.js(shade) == dark


CONTRAST = """
const channels = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
function behind(element) {
  for (let one = element; one; one = one.parentElement) {
    const colour = channels(getComputedStyle(one).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
}
const low = [];
let count = 0;
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own || !element.checkVisibility() || element.closest('.out-of-sight, .skip, option')) continue;
  const both = [channels(getComputedStyle(element).color), behind(element)].map(luminance);
  const [a, b] = both.sort((x, y) => x - y);
  const ratio = (b + 0.05) / (a + 0.05);
  count += 1;
  if (ratio < 4.5) low.push(element.className + ' ' + element.textContent.slice(0, 40) + ' ' + ratio.toFixed(2));
}
return [count, low];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_all_text_has_the_contrast_of_wcag_aa(page, view, scheme):
    set_screen(page.driver, 1200, 800, scheme)
    show(page, view)
    count, low = page.js(CONTRAST)
    assert low == []
    assert count > 10
    page.keys("?")
    assert page.js(CONTRAST)[1] == []


FOCUS = """
const element = document.activeElement;
const inner = { card: '.card-frame', wipe: '.wipe-grip' }[element.classList[0]];
const style = getComputedStyle(inner ? element.querySelector(inner) : element);
const name = element === document.body ? '' : element.outerHTML.slice(0, 80);
return [name, parseFloat(style.outlineWidth) >= 2 && style.outlineStyle !== 'none'];
"""


@pytest.mark.parametrize("view", VIEWS)
def test_everything_is_reached_by_keys_and_shows_it(page, view):
    show(page, view)
    if "image/" in view:
        page.keys("w")
    possible = "[...document.querySelectorAll('a[href], button, input, select, .stage, .wipe')]"
    wanted = page.js(f"return {possible}.filter((element) => element.checkVisibility()).length")
    reached = []
    for _ in range(wanted):
        page.keys("Tab")
        name, ring = page.js(FOCUS)
        assert ring, f"no visible focus on {name}"
        reached.append(name)
    assert len(reached) >= min(wanted, 5)
    assert "" not in reached


SPOKEN = {
    "button",
    "link",
    "slider",
    "combobox",
    "searchbox",
    "spinbutton",
    "textbox",
    "img",
    "dialog",
    "list",
    "navigation",
}


@pytest.mark.parametrize("view", VIEWS)
def test_everything_has_a_spoken_name(page, view):
    show(page, view)
    if "image/" in view:
        page.keys("w")
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = [node for node in nodes if not node["ignored"] and node["role"]["value"] in SPOKEN - {"list", "img"}]
    assert [node["role"]["value"] for node in found if not node.get("name", {}).get("value")] == []
    assert len(found) > 5
    headings = [node for node in nodes if not node["ignored"] and node["role"]["value"] == "heading"]
    assert [h for h in headings if {"name": "level", "value": {"type": "integer", "value": 1}} in h["properties"]] != []


ATTACK = """
const script = document.createElement('script');
script.textContent = 'window.broken = 1';
document.head.append(script);
new Image().src = 'http://127.0.0.1:9/a.png';
const trap = '<p style="color: red" onclick="window.broken = 1" id="trap">x</p>';
document.body.insertAdjacentHTML('beforeend', trap);
document.getElementById('trap').click();
fetch('http://127.0.0.1:9/').catch(() => { window.refused = 1; });
"""


def test_the_policy_stops_code_and_the_network(page, browser):
    show(page, "#/run")
    page.js(ATTACK)
    page.wait("window.refused")
    assert page.js("return window.broken") is None
    said = " ".join(console(browser))
    for directive in ("script-src", "img-src", "style-src", "default-src"):
        assert directive in said
    page.requests()


def test_a_report_without_its_index_says_so(visit, tmp_path, browser):
    report_data.write_report(tmp_path / "report", [report_data.record(0, "a.jpg")])
    (tmp_path / "report/index.js").unlink()
    page = visit((tmp_path / "report/index.html").as_uri())
    page.open()
    assert page.text(".notice-bad") == "The file index.js of the report is missing; make the report again."
    assert len(console(browser)) == 1


def test_a_printed_page_is_the_content_only(page):
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    show(page, "#/image/000001")
    assert page.texts(".site, .controls, .steps, .stage-zoom") == []
    assert page.texts(".facts dt") != []
    (_, _, width, height), (_, _, stage_width, stage_height) = page.box(".scene"), page.box(".stage")
    assert (width / height, stage_height) == pytest.approx((160 / 120, height), abs=1)
    assert stage_width >= width > 300
    show(page, "#/images")
    assert page.texts(".site, .toolbar") == []
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_page_of_strategies(page, tmp_path):
    records = [report_data.record(n, f"image {n}.jpg") for n in range(12)]
    cluster = {"count": 8, "share": 0.8, "accuracy": 0.5, "probability": None, "place": "left", "suspect": "why not"}
    clusters = [
        {**cluster, "grid": report_data.grid(report_data.RAMP, (100, 100)), "images": [f"{n:06d}" for n in range(8)]},
        {**cluster, "suspect": "", "grid": report_data.grid(report_data.RAMP, (100, 100)), "images": ["000009"]},
    ]
    found = {"method": "gradcam", "layer": "conv5", "few": {"moon": 2}, "empty": 0}
    found["classes"] = [{"class_id": 2, "label": "<b>star", "count": 9, "clusters": clusters}]
    page.url = report_data.write_report(tmp_path / "report", records, strategies=found)
    show(page, "#/strategies")
    assert page.text("h1") == "1 suspect strategy"
    assert page.texts(".site-nav a[aria-current]") == ["Strategies"]
    assert page.text("h2") == "<b>star 9 maps, 2 strategies"
    assert page.texts(".cluster .notice") == ["Suspect: why not."]
    assert page.texts(".cluster p.soft")[0] == "8 images · 50.0 % right"
    assert len(page.texts(".cluster:nth-of-type(1) .card-name")) == 6
    page.click(".cluster .chip")
    assert len(page.texts(".cluster:nth-of-type(1) .card-name")) == 8
    page.click("a[title='image 3.jpg']")
    page.wait("document.querySelector('.place')")


def test_a_report_without_strategies_has_no_such_page(page):
    show(page, "#/strategies")
    assert "gradcam-tf1 strategies OUT" in page.text(".notice")
    assert page.texts(".site-nav a") == ["Images", "Classes", "Run"]
