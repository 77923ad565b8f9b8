#!/usr/bin/env python
"""Take docs/images/report.jpg, report-image.jpg and live-page.jpg: pages of the demo net in Chromium.

.venv-tf2/bin/python scripts/page_images.py [FOLDER]
"""

from __future__ import annotations

import io
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from browser import open_browser, set_screen  # noqa: E402  the tests' own browser

from gradcam_tf1 import GradCamGraph, LiveServer, RunOptions, ServeOptions, Top  # noqa: E402
from gradcam_tf1.nets.demo import DEMO_CLASSES, DEMO_PRESET, demo_model, demo_scenes  # noqa: E402

SCENE = 8
METHODS = ("gradcam", "layercam", "guided_gradcam")


def take(driver: Any, url: str, path: Path) -> None:
    """Save what the browser shows at an address."""
    driver.get("about:blank")
    driver.get(url)
    time.sleep(2)
    save(driver, path)


def save(driver: Any, path: Path) -> None:
    """Save what the browser shows as a JPEG."""
    image = Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB")
    image.save(str(path), quality=85, optimize=True)


def take_live(driver: Any, net: GradCamGraph, path: Path) -> None:
    """Give the live page an image and save what it shows."""
    server = LiveServer(net, ServeOptions(port=0))
    threading.Thread(target=server.run, daemon=True).start()
    driver.get(server.url)
    time.sleep(1)
    driver.find_element("css selector", "input[type=file]").send_keys(demo_scenes()[SCENE].path)
    time.sleep(4)
    save(driver, path)
    server.stop()


def main(folder: str = "docs/images") -> None:
    """Explain the scenes, then take the pages."""
    pages = Path(folder)
    with tempfile.TemporaryDirectory() as work, GradCamGraph(
        demo_model(), preset=DEMO_PRESET, labels=DEMO_CLASSES
    ) as net, open_browser(Path(work, "profile")) as driver:
        scenes = str(Path(demo_scenes()[0].path).parent)
        net.visualize_imgs(scenes, f"{work}/scenes", Top(3), METHODS, run=RunOptions(report=True))
        set_screen(driver, 1200, 760)
        report = f"file://{work}/scenes/report/index.html"
        take(driver, report, pages / "report.jpg")
        take(driver, f"{report}#/image/{SCENE:06d}", pages / "report-image.jpg")
        take_live(driver, net, pages / "live-page.jpg")


if __name__ == "__main__":
    main(*sys.argv[1:])
