"""Rows of pages in a browser."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterator, List

import cv2
import numpy as np
from timing import Absent, Case, Limit

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests/support"))

import report_data
from browser import missing, open_browser, set_screen

IMAGES = 5000
# Milliseconds from the start of the navigation until all pictures in sight are there.
WATCH = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({ type: "longtask" });
function look() {
  const inSight = (card) => card.getBoundingClientRect().top < innerHeight;
  const cards = [...document.querySelectorAll(".gallery .card")].filter(inSight);
  const done = cards.length > 0 && cards.every((card) => !card.querySelector("img").hidden);
  if (done) window.firstScreen = performance.now();
  else requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""
FIRST_SCREEN = """
const done = arguments[0];
const wait = () => (window.firstScreen ? done(window.firstScreen) : setTimeout(wait, 20));
wait();
"""
# Through everything, then slowly from the middle.
SCROLL = """
const [fast, slow, done] = arguments;
const end = document.scrollingElement.scrollHeight;
window.longest = 0;
const start = performance.now();
function step(now) {
  const seconds = (now - start) / 1000;
  if (seconds < fast) scrollTo(0, (end * seconds) / fast);
  else if (seconds < fast + slow) scrollTo(0, end / 2 + 1200 * (seconds - fast));
  else return setTimeout(() => done(window.longest), 300);
  requestAnimationFrame(step);
}
requestAnimationFrame(step);
"""


def pictures(count: int = 24) -> List[np.ndarray]:
    """Smooth noise in place of photographs: uint8 [192, 256, 3]."""
    random = np.random.RandomState(7)
    small = random.randint(0, 255, (count, 12, 16, 3)).astype(np.uint8)
    return [cv2.resize(one, (256, 192), interpolation=cv2.INTER_CUBIC) for one in small]


def first_screen(driver: Any, url: str) -> float:
    """Seconds until the gallery is there."""
    driver.get("about:blank")
    driver.get(url)
    return float(driver.execute_async_script(FIRST_SCREEN)) / 1000


def longest_task(driver: Any, fast: float = 1.0, slow: float = 3.0) -> float:
    """Seconds of the longest task while scrolling, fast and then slowly for so many seconds.

    0.0 where none exceeds the 50 ms from which a browser reports them.
    """
    return float(driver.execute_async_script(SCROLL, fast, slow)) / 1000


@contextmanager
def report_gallery() -> Iterator[Case]:
    """A report of 5,000 images in Chromium: until its first screen, and its longest task while scrolling."""
    if missing():
        raise Absent(missing())
    records = [report_data.record(n, f"photos/folder {n % 40}/image {n:05d}.jpg") for n in range(IMAGES)]
    with TemporaryDirectory() as folder:
        url = report_data.write_report(Path(folder) / "report", records, pictures=pictures())
        with open_browser(Path(folder) / "profile") as driver:
            set_screen(driver, 1440, 900)
            driver.set_script_timeout(60)
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            alternatives = {
                "first screen": lambda: first_screen(driver, url),
                "longest task while scrolling": lambda: longest_task(driver),
            }
            yield Case(alternatives, [Limit("first screen", 1000), Limit("longest task while scrolling", 100)])
