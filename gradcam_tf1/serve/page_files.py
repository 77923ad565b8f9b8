"""The files of the page, read once: what is not in the table cannot be asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, NamedTuple

from gradcam_tf1.report.static_files import VIEWER_SCRIPTS, VIEWER_STYLES, static_text

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


class PageFile(NamedTuple):
    """The content of one file, and its media type."""

    data: bytes
    media_type: str


def page_files() -> Dict[str, PageFile]:
    """Return the viewer of the report and the live page around it, by file name."""
    texts = {name: static_text(name) for name in (*VIEWER_SCRIPTS, *VIEWER_STYLES)}
    texts.update({path.name: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.iterdir())})
    return {name: PageFile(text.encode("utf-8"), _media_type(name)) for name, text in texts.items()}


def _media_type(name: str) -> str:
    return f"{_TYPES[os.path.splitext(name)[1]]}; charset=utf-8"
