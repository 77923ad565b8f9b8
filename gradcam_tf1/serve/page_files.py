"""The files of the page, read once: what is not in the table cannot be asked for."""

from __future__ import annotations

import os
from typing import Dict, NamedTuple, Optional

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_FOLDERS = (("report", "static"), ("serve", "static"))


class PageFile(NamedTuple):
    """The content of one file, and its media type."""

    data: bytes
    media_type: str


class PageFiles:
    """The viewer of the report and the live page around it, by file name."""

    def __init__(self) -> None:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self._files: Dict[str, PageFile] = {}
        for folder in (os.path.join(package, *parts) for parts in _FOLDERS):
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), "rb") as file:
                    self._files[name] = PageFile(file.read(), _TYPES[os.path.splitext(name)[1]])

    def get(self, name: str) -> Optional[PageFile]:
        """Return a file by its name, or None."""
        return self._files.get(name)
