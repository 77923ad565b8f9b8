"""The gallery in a real browser: what is shown, found, filtered and sorted, by pointer, finger and keys."""

from __future__ import annotations

import pytest
import report_data
from browser import set_screen

pytestmark = pytest.mark.programs

HOSTILE = [
    '"><img src=x onerror=alert(1)>.jpg',
    "</script><script>alert(2)</script>",
    "a folder/100% #1 what? 'quoted' \"twice\" \u202egpj.jpg",
    "日本/Ähre 😀.jpg",
]
COUNT = 300


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    records = [report_data.record(n, f"photos/image {n:03d}.jpg") for n in range(COUNT)]
    records += [report_data.record(COUNT + n, name, label=name) for n, name in enumerate(HOSTILE)]
    records.append(report_data.record(COUNT + len(HOSTILE), "broken.jpg", error="it is not an image"))
    return report_data.write_report(tmp_path_factory.mktemp("gallery") / "a report #1 50%", records)


@pytest.fixture
def page(visit, url):
    return visit(url)


def names(page):
    """The names of the cards in sight or near, in reading order."""
    return page.texts(".card-name")


def told(page):
    return page.text(".toolbar-summary [role=status]")


def image(*numbers):
    return [f"photos/image {n:03d}.jpg" for n in numbers]


def test_only_the_cards_in_sight_are_in_the_page(page):
    page.open()
    assert told(page) == "305 images"
    assert names(page)[:8] == image(*range(8))
    assert 0 < len(names(page)) < 60
    page.js("scrollTo(0, 1e6)")
    page.wait("document.querySelector('.card-failed')")
    assert names(page)[-1] == "broken.jpg"
    assert len(names(page)) < 60
    page.js("scrollTo(0, 0)")
    page.wait("document.querySelector('.card-name').textContent === 'photos/image 000.jpg'")


def test_a_probability_stays_on_one_line(page):
    page.open()
    set_screen(page.driver, 390, 844, touch=True)
    page.js("document.querySelector('.card-line strong').textContent = 'a class with a name that is much too long'")
    first, second = page.js(
        "return [...document.querySelectorAll('.card-line')].slice(0, 2).map((e) => e.offsetHeight)"
    )
    assert first == second


def test_thumbnails_come_when_they_are_seen(page):
    page.open()
    page.wait("document.querySelectorAll('.card-picture:not([hidden])').length > 10")
    asked = {address.rsplit("/", 1)[1] for address in page.requests() if ".thumb." in address}
    assert "000000.thumb.jpg" in asked
    assert len(asked) < 60


def test_hostile_names_and_labels_are_text(page):
    page.open("#/images?sort=unsurest")
    shown = names(page)[: len(HOSTILE)]
    assert shown == HOSTILE[::-1]
    assert page.texts(".card strong")[: len(HOSTILE)] == HOSTILE[::-1]
    page.js("document.querySelector('select[aria-label=Class]').focus()")
    assert page.js("return document.querySelectorAll('main script, main img[onerror]').length") == 0
    for n, name in enumerate(HOSTILE):
        page.open(f"#/image/{COUNT + n:06d}")
        page.wait("document.querySelector('.bars')")
        assert page.text("h1") == name
        assert page.text(".bar[aria-pressed=true] .bar-name") == name
        assert page.js("return document.querySelectorAll('main script, main img[onerror]').length") == 0


@pytest.mark.parametrize(
    ("query", "count", "first"),
    [
        ("class=1", 76, image(1, 5, 9)),
        ("result=right", 76, image(0, 4, 8)),
        ("result=wrong", 228, image(1, 2, 3)),
        ("status=error", 1, ["broken.jpg"]),
        ("doubt=1", 1, image(1)),
        ("from=0.9", 3, image(0, 1, 2)),
        ("from=0.5&to=0.6", 8, image(16, 17, 18)),
        ("q=IMAGE+01", 13, image(1, 10, 11)),
        ("q=ring+image", 75, image(0, 4, 8)),
        ("q=%E6%97%A5%E6%9C%AC", 1, [HOSTILE[3]]),
        ("q=nothing+like+this", 0, []),
        ("class=2&result=right", 0, []),
        ("sort=surest", 305, image(0, 1, 2)),
        ("class=1&sort=unsurest", 76, [HOSTILE[1], *image(297, 293)]),
        ("sort=focused&to=0.99", 304, image(7, 17, 27)),
        ("sort=spread", 305, image(0, 10, 20)),
    ],
)
def test_a_view_can_be_linked(page, query, count, first):
    page.open("#/images?" + query)
    assert told(page).split()[0] == str(count)
    assert names(page)[: len(first)] == first
    assert (page.texts(".nothing") == ["No image matches."]) == (count == 0)


def test_filters_search_and_sorting_by_hand(page):
    page.open()
    page.choose("Class", "1")
    assert told(page) == "76 of 305 images"
    page.choose("Sort by", "unsurest")
    page.element("input[type=search]").send_keys("image 00")
    assert names(page)[:3] == image(9, 5, 1)
    page.element("input[aria-label='Probability from']").send_keys("0.9\t")
    assert names(page) == image(1)
    assert page.js("return location.hash") == "#/images?class=1&sort=unsurest&q=image+00&from=0.9"
    page.click(".toolbar-summary button", "Show all")
    page.wait("!location.hash.includes('class')")
    assert told(page) == "305 images"
    assert page.js("return document.querySelector('select[aria-label=Class]').value") == ""


def test_an_image_that_failed_has_its_sentence(page):
    page.open("#/images?status=error")
    page.click(".card")
    page.wait("document.querySelector('.viewer .notice-bad')?.checkVisibility()")
    assert page.text(".viewer .notice") == "it is not an image"
    assert page.text("h1") == "broken.jpg"


def test_keys_go_from_card_to_card_and_back(page):
    page.open("#/images?class=2")
    focused = "return document.activeElement.querySelector('.card-name')?.textContent"
    page.keys("ArrowRight")
    assert page.js(focused) == image(2)[0]
    page.keys("ArrowRight", "ArrowRight", "ArrowLeft")
    assert page.js(focused) == image(6)[0]
    columns = page.js(
        "return [...document.querySelectorAll('.gallery-item')].filter(c => c.style.transform.endsWith(' 0px)')).length"
    )
    page.keys("ArrowDown")
    assert page.js(focused) == image(6 + 4 * columns)[0]
    page.keys("End")
    assert page.js(focused) == HOSTILE[2]
    page.keys("Home", "Enter")
    page.wait("location.hash.startsWith('#/image/000002')")
    page.wait("document.querySelector('.bars')")
    page.keys("ArrowRight", "ArrowRight")
    page.wait("location.hash.startsWith('#/image/000010')")
    assert page.text(".place") == "3 of 76"
    page.keys("Escape")
    page.wait("location.hash === '#/images?class=2'")
    page.wait("document.activeElement.closest('.card')")
    assert page.js(focused) == image(10)[0]


def test_slash_searches_and_the_question_mark_tells_the_keys(page):
    page.open()
    page.keys("/")
    page.keys("0", "4", "2")
    assert names(page) == image(42)
    page.keys("Escape", "?")
    assert page.js("return document.querySelector('#help').open")
    assert "previous and next image" in page.text("#help .keys")
    page.keys("Escape")
    assert not page.js("return document.querySelector('#help').open")


def test_a_phone_folds_the_filters_away_and_scrolls_one_way_only(page):
    set_screen(page.driver, 390, 844, touch=True)
    page.open()
    assert page.texts(".filters") == []
    page.click(".toolbar-more")
    page.choose("Class", "3")
    assert told(page) == "76 of 305 images"
    for view in ("#/images", "#/image/000003", "#/classes", "#/class/1", "#/run"):
        for width in (390, 320):
            set_screen(page.driver, width, 700, touch=True)
            page.open(view)
            page.wait("document.fonts.status === 'loaded'")
            assert page.js("return document.scrollingElement.scrollWidth - innerWidth") == 0, (view, width)
