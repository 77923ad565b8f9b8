"""The files of a report's page, without a browser: its policy, hostile names, colours and their contrast."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import report_data

from gradcam_tf1.drawing.overlay import COLORMAPS, colorize
from gradcam_tf1.report import page as report_page
from gradcam_tf1.report.page import record_script, single_page, write_page
from gradcam_tf1.report.static_files import REPORT_SCRIPTS, REPORT_STYLES, STUDY_SCRIPTS, STUDY_STYLES, static_text

STATIC = Path(report_page.__file__).parent / "static"
HOSTILE = "</script><img src=x onerror=alert(1)>\u2028'\"&{{ 7 * 7 }}"


class Elements(HTMLParser):
    """The elements of a page: name, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found, self.open = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append([tag, dict(attrs), ""])
        self.open = self.found[-1]

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, data):
        if self.open is not None:
            self.open[2] += data

    def all(self, tag):
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def policy(page: Elements):
    (content,) = [meta["content"] for meta, _ in page.all("meta") if "http-equiv" in meta]
    return {words.split()[0]: words.split()[1:] for words in content.split(";")}


@pytest.fixture
def folder(tmp_path):
    records = [report_data.record(0, "a.jpg", label=HOSTILE), report_data.record(1, HOSTILE)]
    report_data.write_report(tmp_path / "report", records, title=HOSTILE)
    return tmp_path / "report"


def single(**more) -> str:
    records = [report_data.record(0, "a.jpg", label=HOSTILE), report_data.record(1, HOSTILE)]
    return "".join(single_page(report_data.index(records, title=HOSTILE, **more), iter(records)))


def test_the_folder_has_what_its_page_asks_for(folder):
    page = Elements((folder / "index.html").read_text(encoding="utf-8"))
    asked = [script["src"] for script, _ in page.all("script")]
    asked += [link["href"] for link, _ in page.all("link") if link["rel"] == "stylesheet"]
    assert all((folder / name).is_file() for name in asked)
    assert [text for _, text in page.all("script") if text.strip()] == []
    assert sorted(path.name for path in (folder / "static").iterdir()) == sorted([*REPORT_SCRIPTS, *REPORT_STYLES])


def test_the_policy_allows_nothing_but_the_report(folder):
    found = policy(Elements((folder / "index.html").read_text(encoding="utf-8")))
    assert found["default-src"] == ["'none'"]
    assert found["script-src"] == found["style-src"] == ["'self'"]
    assert found["img-src"] == ["'self'", "data:"]
    assert found["base-uri"] == found["form-action"] == ["'none'"]
    assert set(found) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}


def test_the_policy_of_a_single_file_names_its_script_and_style():
    page = Elements(single())
    found = policy(page)
    (script,) = [text for attributes, text in page.all("script") if "type" not in attributes]
    (style,) = [text for _, text in page.all("style")]
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert found[name] == [f"'sha256-{digest}'"]
    assert found["img-src"] == ["data:"]


def test_hostile_words_stay_text(folder):
    page = Elements((folder / "index.html").read_text(encoding="utf-8"))
    assert page.all("img") == []
    assert page.all("title")[0][1] == HOSTILE
    text = single()
    alone = Elements(text)
    assert alone.all("img") == []
    assert text.count("onerror=") == text.count("\\u003cimg src=x onerror=") + text.count("&lt;img src=x onerror=")
    blocks = {block["id"]: json.loads(data) for block, data in alone.all("script") if "id" in block}
    assert blocks["gradcam-000001"]["name"] == HOSTILE
    assert blocks["gradcam-index"]["images"]["label"][0] == HOSTILE


def test_the_thumbnail_of_a_single_file_stands_apart():
    blocks = {block["id"]: json.loads(data) for block, data in Elements(single()).all("script") if "id" in block}
    assert blocks["gradcam-000001-thumb"] == "images/000001.thumb.jpg"
    assert blocks["gradcam-000001"]["thumb"] is None


def test_a_single_file_is_made_piece_by_piece():
    taken = []

    def records():
        for n in range(3):
            taken.append(n)
            yield report_data.record(n, f"{n}.jpg")

    parts = single_page(report_data.index([report_data.record(0, "0.jpg")]), records())
    next(part for part in parts if "gradcam-000000" in part or part == "000000-thumb")
    assert taken == [0]


def test_a_record_is_one_line_of_ascii():
    text = record_script("000001", {"name": HOSTILE})
    assert text.isascii()
    assert text.count("\n") == 1
    call = re.fullmatch(r'gradcam\.receive\("000001",(.*)\);\n', text)
    assert json.loads(call.group(1)) == {"name": HOSTILE}


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_refused(number, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        record_script("index", {"score": number})
    with pytest.raises(ValueError, match="not JSON compliant"):
        single(total=number)


def test_writing_again_replaces_and_nothing_is_written_through_a_link(folder, tmp_path):
    index = report_data.index([report_data.record(0, "other.jpg")])
    write_page(str(folder), index)
    assert "other.jpg" in (folder / "index.js").read_text()
    for path in (folder / "static").iterdir():
        path.unlink()
    (folder / "static").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "static").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="a link in the output folder leads outside of it"):
        write_page(str(folder), index)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_page_has_the_colours_of_the_drawn_images():
    text = static_text("colormaps.js").split("{", 1)[1].rsplit("}", 1)[0]
    tables = {name: json.loads(table) for name, table in re.findall(r"(\w+): (\[.*\]),", text)}
    levels = np.linspace(0, 1, 256, dtype=np.float32)[np.newaxis]
    for name in COLORMAPS:
        assert np.array_equal(tables.pop(name), colorize(levels, name)[0])
    assert np.array_equal(tables.pop("gray"), np.repeat(np.arange(256)[:, np.newaxis], 3, axis=1))
    assert tables == {}


def test_the_scripts_make_no_markup_and_no_code_of_text():
    text = "".join(static_text(name) for name in REPORT_SCRIPTS)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|javascript:", text
    )
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text + "".join(map(static_text, REPORT_STYLES)))
    assert "</script" not in text.lower()


def test_files_of_the_page_are_short():
    texts = {path.name: path.read_text(encoding="utf-8").splitlines() for path in STATIC.iterdir()}
    assert {name: len(lines) for name, lines in texts.items() if len(lines) > 320} == {}
    assert {name: max(map(len, lines)) for name, lines in texts.items() if max(map(len, lines)) > 120} == {}


def test_every_file_is_part_of_the_page():
    assert {path.name for path in STATIC.iterdir()} | {"colormaps.js"} == {
        *(*REPORT_SCRIPTS, *REPORT_STYLES),
        *(*STUDY_SCRIPTS, *STUDY_STYLES),
    }


def luminance(colour: str) -> float:
    channels = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def colours(scheme: str):
    pairs = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)", static_text("theme.css"))
    return {name: light if scheme == "light" else dark for name, light, dark in pairs}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(scheme):
    assert round(contrast("#ffffff", "#000000"), 2) == 21
    found = colours(scheme)
    text = {"ink": ("page", "card", "track", "stage"), "soft": ("page", "card"), "accent": ("page", "card", "wash")}
    text["bad"] = ("page", "bad-wash")
    low = {(a, b): contrast(found[a], found[b]) for a, below in text.items() for b in below}
    assert {pair: value for pair, value in low.items() if value < 4.5} == {}
    edges = {(a, b): contrast(found[a], found[b]) for a in ("edge", "accent") for b in ("page", "card", "stage")}
    assert {pair: value for pair, value in edges.items() if value < 3} == {}
