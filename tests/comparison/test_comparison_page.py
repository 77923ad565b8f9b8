"""The page of a comparison in a real browser: hostile names, both themes, a phone, no word on the console."""

from __future__ import annotations

import pytest
from blob_nets import open_blob_net, write_blobs
from browser import console, open_browser, set_screen

from gradcam_tf1 import compare_nets

HOSTILE = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    name = f"{HOSTILE}.png".replace("/", "")
    photos = write_blobs(folder / "photos", {name: [(0, 4, 4, 8)], "green.png": [(1, 4, 20, 8)], "bad.png": []})
    (photos / "bad.png").write_bytes(b"no image")
    labels = ["</script><script>document.title='owned'</script>", HOSTILE, "$x$ blue"]
    weights = [[0, 100, 0], [100, 0, 0], [0, 0, 100]]
    with open_blob_net(labels=labels) as a, open_blob_net(labels=labels, weights=weights) as b:
        found = compare_nets(a, b, str(photos), str(folder / "out"))
    assert not found.agrees
    return (folder / "out" / "comparison.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_names_of_strangers_are_text_and_a_phone_scrolls_down_only(browser, url, width, scheme):
    set_screen(browser, width, 800, scheme)
    console(browser)
    browser.get(url)
    seen = browser.execute_script(
        "return [document.title, document.documentElement.scrollWidth, document.body.innerText, "
        "[...document.images].every((image) => image.complete && image.naturalWidth > 0)]"
    )
    assert seen[0] == "Comparison of two models"
    assert seen[1] <= width
    assert HOSTILE in seen[2]
    assert "bad.png" in seen[2]
    assert seen[3]
    assert console(browser) == []
