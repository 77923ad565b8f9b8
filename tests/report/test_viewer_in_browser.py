"""The viewer in a real browser, against scipy's bilinear values and the package's own overlays."""

from __future__ import annotations

from typing import Tuple

import cv2
import numpy as np
import pytest
import report_data
from browser import set_screen
from scipy.ndimage import map_coordinates

from gradcam_tf1.drawing.overlay import ALPHA, normalize, overlay

pytestmark = pytest.mark.programs

SHADE = 120
MINUS, DASH = "\u2212", "\u2013"
HEIGHT, WIDTH = report_data.SIZE


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    out = tmp_path_factory.mktemp("viewer") / "out"
    records = [report_data.record(n, f"image {n}.jpg") for n in range(6)]
    records[5]["targets"][0]["maps"] = [
        report_data.map_record(
            "gradcam", "conv5", report_data.RAMP, status="empty", reason="all gradients are zero", grid=None, peak=None
        )
    ]
    address = report_data.write_report(out / "report", records, shade=SHADE)
    (out / "report/images/000004.js").unlink()
    drawn = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    drawn[..., 1] = 200  # green
    (out / "drawn #%?'.png").write_bytes(cv2.imencode(".png", drawn)[1].tobytes())
    return address


@pytest.fixture
def page(visit, url):
    return visit(url)


def show(page, number: int = 0, query: str = "") -> None:
    page.open(f"#/image/{number:06d}{query}")
    page.wait("document.querySelector('.bars') && document.querySelector('.preview').complete")


def at(values: np.ndarray, row: float, col: float) -> float:
    """The value at a place of the image: scipy's bilinear interpolation between the centres of the cells."""
    rows, cols = values.shape
    place = [[row * rows / HEIGHT - 0.5], [col * cols / WIDTH - 0.5]]
    return float(map_coordinates(values, place, order=1, mode="nearest")[0])


def on_screen(page, row: float, col: float) -> Tuple[float, float]:
    """Where a place of the image is on the screen."""
    left, top, width, height = page.box(".scene")
    return left + col * width / WIDTH, top + row * height / HEIGHT


def point(page, row: float, col: float) -> str:
    x, y = on_screen(page, row, col)
    page.mouse("mouseMoved", x, y)
    return page.text(".readout")


def value(page) -> float:
    number = page.text(".readout strong").split(" · ")[0]
    return float(number.replace(MINUS, "-"))


def colour(page, row: float, col: float) -> np.ndarray:
    x, y = on_screen(page, row, col)
    return page.picture()[int(y), int(x)].astype(int)


def reference(values: np.ndarray, colormap: str = "jet") -> np.ndarray:
    """What the package draws: int [HEIGHT, WIDTH, 3]."""
    placed = np.array([[at(values, i + 0.5, j + 0.5) for j in range(WIDTH)] for i in range(HEIGHT)])
    share = normalize(placed, signed=colormap == "diverging", scale=float(np.abs(values).max()))
    photograph = np.full((HEIGHT, WIDTH, 3), SHADE, np.uint8)
    return overlay(photograph, share, colormap, ALPHA).astype(int)


PLACES = [(0.5, 0.5), (30.5, 40.5), (61.5, 139.5), (119.5, 20.5), (50.5, 99.5)]


@pytest.mark.parametrize("zooms", [0, 3])
def test_the_value_under_the_pointer_is_the_bilinear_value(page, zooms):
    show(page, 1)
    page.keys(*["+"] * zooms)
    seen = 0
    for row, col in PLACES:
        x, y = on_screen(page, row, col)
        left, top, width, height = page.box(".stage")
        if left < x < left + width and top < y < top + height:
            text = point(page, row, col)
            assert text.startswith(f"row {int(row)}, column {int(col)}")
            assert value(page) == pytest.approx(at(report_data.RAMP * 2, row, col), abs=4 / 255)
            seen += 1
    assert seen >= (1 if zooms else len(PLACES))
    page.mouse("mouseMoved", 600, 5)
    assert page.text(".readout") == "Point at the image to read its values."


def test_the_picture_has_the_colours_of_the_drawn_overlay(page):
    show(page)
    page.keys("b")
    expected = reference(report_data.RAMP)
    for row, col in PLACES:
        assert np.abs(colour(page, row, col) - expected[int(row), int(col)]).max() <= 6, (row, col)
    assert len({tuple(expected[int(row), int(col)]) for row, col in PLACES}) == len(PLACES)


def test_a_map_with_a_sign_is_red_and_blue_around_the_photograph(page):
    show(page, query="?m=2")
    page.keys("b")
    assert page.js("return document.querySelector('select[aria-label=Colours]').value") == "diverging"
    assert page.texts(".legend-ends span") == [MINUS + "4", "0", "4"]
    expected = reference(report_data.SIGNED, "diverging")
    for col in (5.5, 80.5, 155.5):
        assert np.abs(colour(page, 60, col) - expected[60, int(col)]).max() <= 6, col
    assert np.abs(colour(page, 60, 80.5) - SHADE).max() <= 4
    point(page, 60, 2)
    assert value(page) == pytest.approx(-4)
    assert page.text(".readout").endswith(MINUS + "100 % of the largest")


def test_strength_and_threshold(page):
    show(page)
    page.keys("b", *["["] * 12)
    assert page.texts(".slider output") == ["0 %", "0 %"]
    assert np.abs(colour(page, 95.5, 100.5) - SHADE).max() <= 2
    page.keys(*["]"] * 12, *["."] * 10)
    assert page.texts(".slider output") == ["60 %", "50 %"]
    expected = reference(report_data.RAMP)
    for row, col in PLACES:
        high = at(report_data.RAMP, row, col) >= 0.5 * 2
        wanted = expected[int(row), int(col)] if high else SHADE
        assert np.abs(colour(page, row, col) - wanted).max() <= 6, (row, col)
    threshold = "const s = document.querySelector('input[aria-label=Threshold]'); s.value = 100;"
    page.js(threshold + "s.dispatchEvent(new Event('input'))")
    assert page.texts(".slider output") == ["60 %", "100 %"]
    assert np.abs(colour(page, 50.5, 99.5) - SHADE).max() <= 2


def test_the_wipe_parts_image_and_map(page):
    show(page)
    page.keys("b", "w")
    expected = reference(report_data.RAMP)
    left, right = (90.5, 60.5), (90.5, 100.5)
    assert np.abs(colour(page, *left) - SHADE).max() <= 2
    assert np.abs(colour(page, *right) - expected[90, 100]).max() <= 6
    page.element(".wipe").send_keys("\ue011")  # Home
    assert page.js("return document.querySelector('.wipe').getAttribute('aria-valuenow')") == "0"
    assert np.abs(colour(page, *left) - expected[90, 60]).max() <= 6
    x, y, width, _ = page.box(".wipe")
    x, y = x + width / 2, y + 40
    to = on_screen(page, 90, 120)[0]
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    page.mouse("mouseMoved", to, y, button="left", buttons=1)
    page.mouse("mouseReleased", to, y, button="left", clickCount=1)
    assert np.abs(colour(page, *right) - SHADE).max() <= 2
    page.keys("w")
    assert np.abs(colour(page, *right) - expected[90, 100]).max() <= 6


def chips(page, group: str):
    pressed = f"[role=group][aria-label={group}] .chip[aria-pressed=true]"
    return page.texts(f"[role=group][aria-label={group}] .chip"), page.texts(pressed)


def test_switches_for_class_method_and_layer(page):
    show(page, 2)
    assert chips(page, "Class") == (["star", "moon"], ["star"])
    assert chips(page, "Method") == (["gradcam", "counterfactual", "guided_gradcam"], ["gradcam"])
    assert chips(page, "Layer") == (["conv5", "conv4"], ["conv5"])
    page.click("[aria-label=Layer] .chip", "conv4")
    assert page.js("return location.hash") == "#/image/000002?m=1"
    point(page, 0.5, 0.5)
    assert value(page) == pytest.approx(2)
    page.click("[aria-label=Method] .chip", "counterfactual")
    assert page.texts("[aria-label=Layer] .chip") == []
    page.keys("M")
    assert chips(page, "Method")[1] == ["gradcam"]
    page.keys("l")
    assert chips(page, "Layer")[1] == ["conv4"]
    page.keys("c")
    assert chips(page, "Class") == (["star", "moon"], ["moon"])
    assert page.js("return location.hash") == "#/image/000002?t=1"
    page.click(".bar", "star\n90.8 %")
    assert chips(page, "Class")[1] == ["star"]
    show(page, 2, "?t=1")
    assert chips(page, "Class")[1] == ["moon"]


def test_the_next_image_keeps_method_layer_and_settings(page):
    show(page, 0, "?m=1")
    page.keys(".", ".", "o", "ArrowRight")
    page.wait("document.querySelector('h1').textContent === 'image 1.jpg'")
    page.wait("document.querySelector('.bar-name').textContent === 'cross'")
    assert chips(page, "Layer")[1] == ["conv4"]
    assert page.texts(".slider output") == ["60 %", "10 %"]
    assert page.texts(".toggles .chip[aria-pressed=true]") == ["Image only", "Peak and box"]
    assert not page.js("return document.querySelector('.heat').checkVisibility()")


def test_scores_status_peak_box_and_notes(page):
    show(page, 1)
    assert page.texts(".bar-name") == ["cross", "star"]
    assert page.texts(".bar-number") == ["94.7 %", "0.5 %"]
    widths = page.js(
        "return [...document.querySelectorAll('.bar-fill')].map(e => e.offsetWidth / e.parentElement.offsetWidth)"
    )
    assert widths == pytest.approx([0.947, 0.005], abs=0.01)
    terms = dict(zip(page.texts(".facts dt"), page.texts(".facts dd")))
    assert terms["Map"] == "gradcam at conv5"
    assert terms["Peak"] == "row 100, column 140"
    assert terms["Box"] == f"rows 80{DASH}120, columns 100{DASH}160"
    assert terms["Range"] == "0 to 4"
    assert page.texts(".notes li") == ["a note about the map"]
    assert page.text(".under") == "crosswronglabelled ring"
    assert page.text(".viewer-panel .notice") == "the two best classes are close"
    scene, box, peak = map(page.box, (".scene", ".mark-box", ".mark-peak"))
    assert box[0] - scene[0] == pytest.approx(scene[2] * 100 / WIDTH, abs=1)
    assert box[1] - scene[1] == pytest.approx(scene[3] * 80 / HEIGHT, abs=1)
    assert box[2] == pytest.approx(scene[2] * 60 / WIDTH, abs=1)
    assert peak[0] + peak[2] / 2 - scene[0] == pytest.approx(scene[2] * 140.5 / WIDTH, abs=1)


def test_an_empty_map_says_why_and_draws_nothing(page):
    show(page, 5)
    assert page.text(".viewer .notice") == "Empty map: all gradients are zero"
    assert np.abs(colour(page, 100, 140) - SHADE).max() <= 2
    assert point(page, 100, 140) == "row 100, column 140no number"


def test_a_pixel_method_shows_its_drawn_image(page):
    show(page, 0, "?m=3")
    page.keys("b", "d")
    page.wait("document.querySelector('.pixels').complete && document.querySelector('.pixels').naturalWidth === 160")
    wanted = SHADE + ALPHA * (np.array([0, 200, 0]) - SHADE)
    assert np.abs(colour(page, 60, 80) - wanted).max() <= 3
    page.keys("d")
    assert np.abs(colour(page, 0.5, 0.5) - SHADE).max() <= 2


def test_a_missing_record_is_a_sentence(page, browser):
    page.open("#/image/000004")
    page.wait("document.querySelector('article > .notice')?.checkVisibility()")
    assert (
        page.text("article > .notice") == "The file images/000004.js of the report is missing; make the report again."
    )
    assert "ERR_FILE_NOT_FOUND" in browser.get_log("browser")[0]["message"]
    page.open("#/image/999999")
    assert page.text("article > .notice") == "The report has no image 999999."


def test_keys_read_values_and_move_a_zoomed_picture(page):
    show(page, 0)
    page.js("document.querySelector('.stage').focus()")
    page.keys("Shift+ArrowDown")
    first = page.text(".readout")
    assert first.startswith("row 60, column 80")
    page.keys(*["Shift+ArrowRight"] * 5)
    row, col = 60, 80 + 5 * WIDTH / 50
    assert page.text(".readout").startswith(f"row {row}, column {int(col)}")
    assert value(page) == pytest.approx(at(report_data.RAMP, row, col), abs=2 / 255)
    page.keys("+", "+", "+", "+")
    before = on_screen(page, 0, 0)
    page.keys(*["Shift+ArrowRight"] * 40)
    assert on_screen(page, 0, 0)[0] < before[0]
    probe, stage = page.box(".mark-probe"), page.box(".stage")
    assert stage[0] <= probe[0] <= probe[0] + probe[2] <= stage[0] + stage[2] + 1
    page.keys("0")
    assert page.js("return document.querySelector('.stage').classList.contains('zoomed')") is False


def test_the_wheel_zooms_where_it_points(page):
    show(page, 0)
    place = (30.5, 120.5)
    x, y = map(round, on_screen(page, *place))
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    page.wait("document.querySelector('.stage').classList.contains('zoomed')")
    assert on_screen(page, *place) == pytest.approx((x, y), abs=1.9)
    text = point(page, *place)
    assert text.startswith("row 30, column 120")


def test_fingers_read_values_and_zoom(page):
    set_screen(page.driver, 390, 844, touch=True)
    show(page, 0)
    x, y = on_screen(page, 90, 40)
    page.touch("touchStart", (x, y))
    page.touch("touchEnd")
    assert page.text(".readout").startswith("row 90, column 40") or page.text(".readout").startswith("row 89, column")
    assert value(page) == pytest.approx(at(report_data.RAMP, 90, 40), abs=0.03)
    middle = on_screen(page, 60, 80)
    page.touch("touchStart", (middle[0] - 20, middle[1]), (middle[0] + 20, middle[1]))
    for spread in (30, 40, 60):
        page.touch("touchMove", (middle[0] - spread, middle[1]), (middle[0] + spread, middle[1]))
    page.touch("touchEnd")
    assert page.box(".scene")[2] == pytest.approx(3 * 390, rel=0.05)
    assert on_screen(page, 60, 80) == pytest.approx(middle, abs=2)
