"""A browser for tests of pages: Debian's Chromium, driven by selenium, without a network."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import cv2
import numpy as np
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


class Visitor:
    """Someone who looks at a page: `url` is its address without the part behind the #."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, view: str = "") -> None:
        """Load the page anew at a view such as '#/run'."""
        self.driver.get("about:blank")
        self.driver.get(self.url + view)
        self.wait("document.querySelector('#view')?.childElementCount && !document.querySelector('noscript')")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: str, seconds: float = 10) -> None:
        """Until a condition in JavaScript holds."""
        end = time.monotonic() + seconds
        while not self.js(f"return Boolean({condition})"):
            assert time.monotonic() < end, f"in vain: {condition}"
            time.sleep(0.02)

    def texts(self, selector: str) -> List[str]:
        """The text of all elements in sight."""
        found = "[...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
        return self.js(f"return {found}.map(e => e.textContent)", selector)

    def text(self, selector: str) -> str:
        (found,) = self.texts(selector)
        return found

    def element(self, selector: str, text: Optional[str] = None) -> Any:
        """The one element with this selector and, if given, this text."""
        from selenium.webdriver.common.by import By

        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        if text is not None:
            found = [item for item in found if item.text == text]
        assert len(found) == 1, f"{len(found)} elements {selector} {text or ''}"
        return found[0]

    def box(self, selector: str) -> List[float]:
        """Where the first element with this selector is on the screen: left, top, width, height."""
        script = "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
        return self.js(script + "return [r.left, r.top, r.width, r.height]", selector)

    def click(self, selector: str, text: Optional[str] = None) -> None:
        self.element(selector, text).click()

    def choose(self, label: str, value: str) -> None:
        """Choose in the list with this label."""
        from selenium.webdriver.support.ui import Select

        Select(self.element(f"select[aria-label='{label}']")).select_by_value(value)

    def keys(self, *names: str) -> None:
        """Press keys, one after another: 'a', 'ArrowLeft', 'Shift+ArrowUp'."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        chain = ActionChains(self.driver)
        for name in names:
            *held, key = name.split("+") if len(name) > 1 else [name]
            words = {"Escape": Keys.ESCAPE, "Enter": Keys.ENTER, "Tab": Keys.TAB, "Home": Keys.HOME, "End": Keys.END}
            words.update({f"Arrow{side}": getattr(Keys, side.upper()) for side in ("Left", "Right", "Up", "Down")})
            for one in held:
                chain.key_down(getattr(Keys, one.upper()))
            chain.send_keys(words.get(key, key))
            for one in held:
                chain.key_up(getattr(Keys, one.upper()))
        chain.perform()

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """An event of the mouse: 'mouseMoved', 'mousePressed', 'mouseReleased', 'mouseWheel'."""
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})

    def touch(self, kind: str, *points: Tuple[float, float]) -> None:
        """An event of fingers: 'touchStart', 'touchMove', 'touchEnd'."""
        fingers = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        self.driver.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    def picture(self) -> np.ndarray:
        """What is on the screen: uint8 [H, W, 3], RGB."""
        data = np.frombuffer(self.driver.get_screenshot_as_png(), np.uint8)
        return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

    def requests(self) -> List[str]:
        """The addresses that were asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
