"""The live page in a real browser: choose an image, see its map, compare, cancel, and hostile neighbours."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest
from browser import Visitor, console, set_screen
from live_client import running

from gradcam_tf1 import GradCamGraph
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.nets.demo import demo_model, demo_scenes
from gradcam_tf1.report.map_grid import MapGrid
from gradcam_tf1.tf_runtime import tf

pytestmark = pytest.mark.programs

PHOTO = demo_scenes()[8].path
OTHER = demo_scenes()[3].path
EXPLAINED = "[...document.querySelectorAll('.status')].every(e => e.textContent.startsWith('Explained in'))"


@pytest.fixture
def page(browser, live):
    """The page, freshly opened. It says nothing on the console, and asks nobody but its server."""
    set_screen(browser, 1440, 900)
    browser.get("about:blank")
    visitor = Visitor(browser, live.server.url)
    console(browser)
    visitor.requests()
    browser.get(live.server.url)
    visitor.wait("document.querySelector('.pane')")
    yield visitor
    assert console(browser) == []
    own = ("data:", "blob:", live.server.url)
    assert [url for url in visitor.requests() if not url.startswith(own) and url != "about:blank"] == []


def choose(page, *paths):
    """Put images into the panes."""
    from selenium.webdriver.common.by import By

    for field, path in zip(page.driver.find_elements(By.CSS_SELECTOR, "input[type=file]"), paths):
        field.send_keys(path)
    page.wait(EXPLAINED, 20)


def method(page, name, pane=0):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    Select(page.driver.find_elements(By.CSS_SELECTOR, "select[aria-label=Method]")[pane]).select_by_value(name)


def value_at(page, stage, row, col):
    """What the page says of a pixel of the image under the pointer."""
    box = page.js(
        "const box = document.querySelectorAll('.scene')[arguments[0]].getBoundingClientRect();"
        "return [box.left, box.top, box.width, box.height]",
        stage,
    )
    height, width = read_image(PHOTO).shape[:2]
    left, top = box[0] + (col + 0.5) / width * box[2], box[1] + (row + 0.5) / height * box[3]
    page.mouse("mouseMoved", left, top)
    said = page.js(
        "return [...document.querySelectorAll('.readout')[arguments[0]].children].map(e => e.textContent).join('|')",
        stage,
    )
    found = re.match(r"row (\d+), column (\d+)\|(\S+) · ", said)
    assert found, said
    assert (int(found.group(1)), int(found.group(2))) == (row, col)
    return float(found.group(3).replace("\u2212", "-"))


def test_an_image_is_explained_and_the_value_under_the_pointer_is_that_of_explain(page, net):
    choose(page, PHOTO)
    map = net.explain([read_image(PHOTO)]).map("gradcam")
    grid = MapGrid.from_json(record_of(net, PHOTO)["targets"][0]["maps"][0]["grid"])
    for row, col in ((170, 130), (160, 150), (30, 229), (200, 100)):
        wanted = float(grid.at(np.array([row + 0.5]), np.array([col + 0.5]))[0, 0])
        assert value_at(page, 0, row, col) == pytest.approx(wanted, abs=5e-4 * float(map.values.max()) + 5e-4)
    height, width = map.values.shape  # the centre of a cell has the value of that cell
    peak_row, peak_col = np.unravel_index(map.values.argmax(), map.values.shape)
    row, col = int((peak_row + 0.5) * 240 / height), int((peak_col + 0.5) * 320 / width)
    assert value_at(page, 0, row, col) == pytest.approx(float(map.values.max()), rel=0.03)
    assert page.texts(".bar-name")[0] == "cross"


def record_of(net, path):
    from gradcam_tf1.report.image_record import image_record

    return image_record(net.explain([read_image(path)]), ident="0", name="")


def test_another_method_class_and_layer_are_explained_at_once(page, net):
    choose(page, PHOTO)
    method(page, "layercam")
    page.wait("document.querySelector('.facts dd').textContent.startsWith('layercam at conv5')")
    page.choose("Layer", "conv4/Relu:0")
    page.wait("document.querySelector('.facts dd').textContent === 'layercam at conv4/Relu:0'")
    field = page.element("input[aria-label=Class]")
    field.send_keys("star\t")
    page.wait("document.querySelector('.facts').textContent.includes('star (0)')")
    shown = page.text(".facts")
    wanted = net.explain([read_image(PHOTO)], "star", "layercam", "conv4/Relu:0")
    score = float(re.search(r"Score(\S+)", shown).group(1).replace("\u2212", "-"))
    assert score == pytest.approx(wanted.scores[0, 0], rel=1e-3)


def test_the_menus_are_those_of_the_net(page, net):
    usable = set(
        net.usable_methods(
            page.js("return [...document.querySelectorAll('[aria-label=Method] option')].map(o => o.value)")
        )[0]
    )
    offered = page.js(
        "return [...document.querySelectorAll('[aria-label=Method] option:not([disabled])')].map(o => o.value)"
    )
    assert set(offered) == usable
    assert len(offered) == len(set(offered)) > 30
    method(page, "rise")
    page.click("summary")
    options = page.js(
        "return [...document.querySelectorAll('.options input')].map(i => [i.ariaLabel, i.min, i.max, i.placeholder])"
    )
    assert ["masks", "2", "20000", "4000"] in options
    assert ["p", "0", "1", "0.5"] in options
    assert page.js("return document.querySelector('.check:last-of-type').checkVisibility()") is False


def test_two_methods_of_one_image_and_two_images_stand_side_by_side(page):
    choose(page, PHOTO)
    page.click("#compare")
    page.wait("document.querySelectorAll('.pane').length === 2")
    page.wait(EXPLAINED, 20)
    method(page, "hirescam", pane=1)
    page.wait(
        "[...document.querySelectorAll('.facts dd:first-of-type')].map(e => e.textContent.split(' ')[0]).join() "
        "=== 'gradcam,hirescam'"
    )
    first, second = page.js(
        "return [...document.querySelectorAll('.stage')].map(e => e.getBoundingClientRect().toJSON())"
    )
    assert first["right"] < second["left"]
    assert first["width"] == second["width"] > 500
    choose(page, PHOTO, OTHER)
    page.wait("document.querySelectorAll('.chosen')[1].textContent === 'scene_03.png'")
    page.wait(EXPLAINED, 20)
    page.click("#compare")
    page.wait("document.querySelectorAll('.pane').length === 1")
    assert page.text(".chosen") == "scene_08.png"


def test_a_slow_method_shows_its_progress_and_can_be_cancelled(page, live):
    choose(page, PHOTO)
    before = live.queue["finished"]
    method(page, "rise")
    page.click("summary")
    page.element("input[aria-label=masks]").send_keys("20000")
    page.click(".button", "Explain")
    page.wait("document.querySelector('.progress').value > 0", 20)
    assert re.match(r"rise: [\d,]+ of 20,000 forward passes", page.text(".status"))
    page.click(".button", "Cancel")
    assert page.text(".status") == "Cancelled."
    page.wait("!document.querySelector('.progress').checkVisibility()")
    for _ in range(200):
        if not live.queue["running"]:
            break
        threading.Event().wait(0.05)
    assert live.queue["finished"] == before + 1
    method(page, "gradcam")
    page.wait(EXPLAINED, 20)


def test_errors_are_sentences(page, tmp_path):
    broken = tmp_path / "broken <b>.png"
    broken.write_bytes(Path(PHOTO).read_bytes()[:300])
    page.driver.find_element("css selector", "input[type=file]").send_keys(str(broken))
    page.wait("document.querySelector('[role=alert]').checkVisibility()", 20)
    assert "'broken <b>.png' cannot be decoded" in page.text("[role=alert]")
    choose(page, PHOTO)
    page.wait("!document.querySelector('[role=alert]').checkVisibility()")
    page.element("input[aria-label=Class]").send_keys("unicorn\t")
    page.wait("document.querySelector('[role=alert]').checkVisibility()", 20)
    assert "no class is named 'unicorn'" in page.text("[role=alert]")


def test_images_can_be_dropped_and_pasted(page):
    script = """
    const bytes = Uint8Array.from(atob(arguments[0]), c => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], arguments[1], {type: 'image/png'}));
    const event = arguments[2] === 'paste'
      ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
      : new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true});
    document.querySelector(arguments[3]).dispatchEvent(event);
    return event.defaultPrevented;
    """
    import base64

    for name, kind, where in (("dropped.png", "drop", ".pane"), ("pasted.png", "paste", "body")):
        data = base64.b64encode(Path(OTHER).read_bytes()).decode()
        assert page.js(script, data, name, kind, where)
        page.wait(f"document.querySelector('.chosen').textContent === '{name}'")
        page.wait(EXPLAINED, 20)
    assert page.js(script, "", "missed.png", "drop", "header")  # the page stays where it is


def test_keys_work_the_page(page):
    choose(page, PHOTO)
    page.js("document.activeElement.blur()")
    page.keys("o")
    assert page.js("return document.querySelector('.heat').hidden")
    page.keys("t")
    assert page.js("return document.documentElement.dataset.theme") == "dark"
    page.keys("t", "t")
    page.js("document.querySelector('input[type=file]').focus()")
    order = []
    for _ in range(4):
        page.keys("Tab")
        order.append(
            page.js("return document.activeElement.getAttribute('aria-label') || document.activeElement.tagName")
        )
    assert order == ["Method", "Class", "Layer", "SUMMARY"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)], ids=["phone", "desk"])
def test_nothing_sticks_out_at_any_size(page, scheme, width, height):
    set_screen(page.driver, width, height, scheme, touch=width < 500)
    choose(page, PHOTO)
    for _ in range(2):
        page.wait(EXPLAINED, 20)
        assert page.js("return document.documentElement.scrollWidth") <= width
        page.click("#compare")
        page.wait("document.querySelectorAll('.pane').length === 2 || true")
    shade = page.picture()[3, 3].mean()
    assert (shade < 60) == (scheme == "dark")


def test_the_scope_that_all_layers_share_is_not_shown(browser):
    definition = tf.GraphDef.FromString(Path(demo_model()).read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="a/scope")
    with GradCamGraph(graph.as_graph_def(), preset="inception") as net, running(net) as live:
        browser.get(live.server.url)
        page = Visitor(browser, live.server.url)
        page.wait("document.querySelector('.pane')")
        choices = page.js("return [...document.querySelector('select[aria-label=Layer]').options].map((o) => o.text)")
        assert choices[:2] == ["\u2026/conv5/Relu:0 (default)", "-1 \u2026/conv5/Relu:0"]
        values = page.js("return [...document.querySelector('select[aria-label=Layer]').options].map((o) => o.value)")
        assert values[1] == "a/scope/conv5/Relu:0"
