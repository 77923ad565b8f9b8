"""The scripts and styles of the pages. The report and the live page serve the same ones."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from gradcam_tf1.drawing.overlay import COLORMAPS, color_table

_FOLDER = Path(__file__).with_name("static")
_COLORS = "colormaps.js"

# In the order in which they are loaded. The first ones are all that a viewer needs.
VIEWER_SCRIPTS = (
    *("core.js", _COLORS, "elements.js", "theme.js", "grid.js", "stage.js", "maps.js", "scores.js", "viewer.js"),
)
REPORT_SCRIPTS = (
    *VIEWER_SCRIPTS,
    *("routes.js", "selection.js", "toolbar.js", "gallery.js", "image_pages.js", "class_pages.js"),
    *("strategies_page.js", "concepts_page.js", "run_page.js"),
    "app.js",
)
VIEWER_STYLES = ("theme.css", "viewer.css", "detection.css")
REPORT_STYLES = (*VIEWER_STYLES, "frame.css", "gallery.css", "pages.css")
# A study is plain HTML: its only script is the button of the theme.
STUDY_SCRIPTS = ("core.js", "elements.js", "theme.js", "study.js")
STUDY_STYLES = ("theme.css", "frame.css", "pages.css", "study.css")


@lru_cache(maxsize=None)
def static_text(name: str) -> str:
    """Return a script or style.

    Parameters
    ----------
    name : str
        One of the scripts or styles above. `colormaps.js` is made of the tables that draw the images of a run, so
        that both have the same colours.

    Returns
    -------
    str
        Its text.
    """
    return _colormaps_script() if name == _COLORS else (_FOLDER / name).read_text(encoding="utf-8")


def _colormaps_script() -> str:
    """Return the script that sets `gradcam.colormaps`: a name to 256 colours [r, g, b]."""
    gray = np.repeat(np.arange(256)[:, np.newaxis], 3, axis=1)
    tables = {**{name: color_table(name).reshape(256, 3) for name in COLORMAPS}, "gray": gray}
    lines = [f"  {name}: {json.dumps(table.tolist(), separators=(',', ':'))}," for name, table in tables.items()]
    return "\n".join(['"use strict";', "gradcam.colormaps = {", *lines, "};", ""])
