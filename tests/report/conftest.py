"""One browser for all tests of pages; after each test the page must have been content and silent."""

from __future__ import annotations

import pytest
import report_data
from browser import Visitor, console, open_browser, set_screen


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def functions(browser, tmp_path_factory):
    """A page that stays open, for calls of its functions."""
    url = report_data.write_report(tmp_path_factory.mktemp("functions") / "report", [report_data.record(0, "a.jpg")])
    visitor = Visitor(browser, url)
    visitor.open("#/run")
    return visitor


@pytest.fixture
def visit(browser):
    """Look at a report: a function of its URL. Nothing may be said on the console, nothing asked of a network."""
    browser.get("about:blank")
    set_screen(browser, 1200, 800)
    visitor = Visitor(browser, "")
    visitor.requests()
    console(browser)

    def at(url: str) -> Visitor:
        visitor.url = url
        return visitor

    yield at
    assert console(browser) == []
    addresses = {address.split(":", 1)[0] for address in visitor.requests()}
    assert addresses <= {"file", "data", "about"}
