"""The page of concepts in a real browser: what it says, and which part of a file each picture shows."""

from __future__ import annotations

from typing import Any, Dict

import cv2
import numpy as np
import pytest
import report_data
from browser import set_screen

pytestmark = pytest.mark.programs
COLOURS = [(230, 159, 0), (86, 180, 233), (0, 158, 115)]


@pytest.fixture
def page(visit):
    return visit("about:blank")


def concepts() -> Dict[str, Any]:
    """Three pictures side by side, one of each colour; the net speaks for classes with strange names."""
    crops = {"url": "../concept_images/concept_01.png", "size": [40, 60]}
    effects = [{"class_id": 1, "label": "<b>ring", "effect": 42.571}, {"class_id": 5, "label": "moon", "effect": 1e-9}]
    first = {"concept": 1, "share": 0.75, "importance": 0.5, "classes": effects, "images": ["a.png", "b.png", "<i>"]}
    second = {"concept": 2, "share": 0.25, "importance": None, "classes": [], "images": [], "crops": None}
    found = {
        **{"method": "craft", "target": {"label": "ring"}, "layer": "conv5", "explained": 0.847, "image_count": 12},
        **{"model": "net.pb", "other_model": True, "failed": {"bad.png": "no image"}, "notes": ["9 rows"]},
        "concepts": [
            {**first, "color": "orange", "rgb": [230, 159, 0], "crops": crops},
            {**second, "color": None, "rgb": None},
        ],
        "images": [{"image": "a.png", "label": "moon", "figure": crops}],
    }
    tested = {"class_id": 0, "label": "star", "score": 1, "random_score": 0.4, "random_spread": 0.49, "p": 0.00051}
    test = {
        **{"classes": [{**tested, "verdict": "significant", "sentence": "It rises."}], "layer": "conv5"},
        **{"counts": {"images": 20, "positive": 60, "negative": 1}, "vectors": 12, "images_per_vector": 5},
        **{"accuracy": 1, "model": "net.pb", "other_model": False, "failed": {}, "positive": "p", "negative": "q"},
    }
    return {"found": found, "test": test}


def test_the_page_of_concepts(page, tmp_path):
    page.url = report_data.write_report(tmp_path / "report", [report_data.record(0, "a.png")], concepts=concepts())
    (tmp_path / "concept_images").mkdir()
    strip = np.concatenate([np.full((40, 60, 3), colour, np.uint8) for colour in COLOURS], axis=1)
    cv2.imwrite(str(tmp_path / "concept_images" / "concept_01.png"), strip[..., ::-1])
    page.open("#/concepts")
    assert page.texts(".site-nav a[aria-current]") == ["Concepts"]
    assert page.texts("h2") == ["2 concepts of ring at conv5", "Images", "Does the class depend on the concept?"]
    assert page.text(".under") == "CRAFT · 12 images · 85 % of the features' squares · net.pb"
    assert page.texts(".notice") == [
        "These come from another model file than the run: net.pb.",
        "Left out: bad.png: no image",
    ]
    assert page.texts("h3") == ["concept 1: <b>ring, moon", "concept 2: no class", "a.png: moon"]
    assert page.texts(".concept p") == [
        "orange · share 75.0 % · importance 0.500 · speaks for <b>ring (+42.57), moon (+1.00e\u22129)",
        "share 25.0 %",
    ]
    assert page.texts(".concept figcaption") == ["a.png", "b.png", "<i>"]
    assert page.texts(".concept-image figcaption") == ["image", "all concepts", "concept 1"]
    assert page.texts(".verdict") == ["Significant.It rises."]
    assert page.texts("td") == ["star", "1.00", "0.40 ± 0.49", "0.00051"]
    assert page.texts(".terms dd")[:2] == ["p, 60 images", "q, 1 image"]


@pytest.mark.parametrize("width", [1280, 390])
def test_each_picture_of_a_row_is_shown_whole_and_alone(page, tmp_path, width):
    page.url = report_data.write_report(tmp_path / "report", [report_data.record(0, "a.png")], concepts=concepts())
    (tmp_path / "concept_images").mkdir()
    strip = np.concatenate([np.full((40, 60, 3), colour, np.uint8) for colour in COLOURS], axis=1)
    cv2.imwrite(str(tmp_path / "concept_images" / "concept_01.png"), strip[..., ::-1])
    set_screen(page.driver, width, 844)
    page.open("#/concepts")
    page.wait("[...document.querySelectorAll('.concept img')].every(e => e.complete)")
    page.js("document.querySelector('.concept').scrollIntoView()")
    picture = page.picture().astype(int)
    for number, colour in enumerate(COLOURS):
        left, top, across, down = page.box(f".concept figure:nth-of-type({number + 1}) img")
        assert across / down == pytest.approx(1.5, abs=0.05)
        inside = picture[int(top) + 6 : int(top + down) - 6, int(left) + 6 : int(left + across) - 6]
        assert np.abs(inside - colour).max() <= 3
    assert page.js("return document.documentElement.scrollWidth") == width


def test_a_report_without_concepts_has_no_such_page(page, tmp_path):
    page.url = report_data.write_report(tmp_path / "report", [report_data.record(0, "a.png")])
    page.open("#/concepts")
    assert "gradcam-tf1 concepts MODEL IMAGES --out OUT" in page.text(".notice")
