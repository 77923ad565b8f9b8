"""The report as one file, opened from disk."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import pytest
import report_data
from browser import set_screen

from gradcam_tf1.report.page import single_page

pytestmark = pytest.mark.programs

NAME = "</script><img src=x onerror=alert(1)>.jpg"


def data_url(shade: int) -> str:
    encoded = cv2.imencode(".png", np.full((*report_data.SIZE, 3), shade, np.uint8))[1]
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    records = [report_data.record(n, NAME) for n in range(8)]
    for item in records:
        item.update(preview=data_url(90), thumb=data_url(60))
        item["targets"][0]["maps"][3]["pixels"] = data_url(200)
    records.append(report_data.record(8, "broken.jpg", error="it is not an image"))
    path = tmp_path_factory.mktemp("single") / "my report.html"
    path.write_text("".join(single_page(report_data.index(records), records)), encoding="utf-8")
    return path.as_uri()


def test_one_file_shows_everything_and_asks_for_nothing(visit, url):
    page = visit(url)
    page.open()
    page.wait("document.querySelectorAll('.card-picture:not([hidden])').length === 8")
    assert page.texts(".card-name") == [NAME] * 8 + ["broken.jpg"]
    page.open("#/image/000002?m=3")
    page.wait("document.querySelector('.bars') && document.querySelector('.preview').naturalWidth === 160")
    assert page.text("h1") == NAME
    page.keys("b", "d")
    page.wait("document.querySelector('.pixels').complete")
    left, top, width, height = page.box(".scene")
    middle = page.picture()[int(top + height / 2), int(left + width / 2)]
    assert np.abs(middle.astype(int) - (90 + 0.6 * 110)).max() <= 2
    page.open("#/class/1")
    page.wait("document.querySelector('.strip img').naturalWidth === 160")
    asked = [address for address in page.requests() if address.startswith("file")]
    assert {address.split("#")[0] for address in asked} == {url}


def test_the_theme_of_one_file(visit, url):
    page = visit(url)
    set_screen(page.driver, 1200, 800, "dark")
    page.open("#/run")
    assert page.js("return getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 22)"
