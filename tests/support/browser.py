"""A browser for tests of pages: Debian's Chromium, driven by selenium, without a network."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

DRIVER = "/usr/bin/chromedriver"
NEEDED = "GRADCAM_TF1_NEEDS_BROWSER"
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


def missing() -> str:
    """What is not there, or ''."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        return "no browser: install Debian's chromium"
    return "" if os.path.exists(DRIVER) else "no driver of the browser: install Debian's chromium-driver"


@contextmanager
def open_browser(profile: Path, *arguments: str) -> Iterator[Any]:
    """A browser with a profile of its own. Skips the test without one, or fails where a browser is needed."""
    reason = missing()
    if reason:
        (pytest.fail if os.environ.get(NEEDED) else pytest.skip)(reason)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in (*ARGUMENTS, f"--user-data-dir={profile}", *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))  # a named driver: selenium looks for none
    try:
        yield driver
    finally:
        driver.quit()


def console(driver: Any) -> List[str]:
    """What the page has said since the last call: errors, refused loads, breaches of its policy."""
    return [f"{entry['level']}: {entry['message']}" for entry in driver.get_log("browser")]


def set_screen(driver: Any, width: int, height: int, scheme: str = "light", touch: bool = False) -> None:
    """The size of the page, and whether the system is light or dark."""
    screen: Dict[str, Any] = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
