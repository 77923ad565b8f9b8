"""Read the tables that notebooks show: their cells, images, and every tag that is in them."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from typing import List

import numpy as np
from PIL import Image


class ShownTable(HTMLParser):
    """rows: texts of the cells; images: uint8 [h, w, 3]; tags: all names of tags; attributes: all of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: List[List[str]] = []
        self.images: List[np.ndarray] = []
        self.tags, self.attributes = set(), set()
        self.outside = ""
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        values = dict(attributes)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._inside = True
        elif tag == "img":
            kind, data = values["src"].split(",")
            assert kind == "data:image/jpeg;base64"
            self.images.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.rows[-1][-1] += data
        else:
            self.outside += data
