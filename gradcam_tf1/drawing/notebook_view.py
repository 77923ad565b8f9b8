"""Tables for notebooks: small images and what is known about them, as one HTML string without scripts or links."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Iterable, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np

from gradcam_tf1.errors import GradCamError

ROWS = 12  # rows of a table: a notebook keeps its outputs, so they stay small
SIDE, LARGE = 96, 320  # pixels: longest side of an image in a table, and of one that stands alone
TEXT = 120  # letters of a cell
_QUALITY = 85
_FINER = 4  # images are drawn larger by this factor, so that fine lines are averaged and not lost
_MAP_COLUMNS = ("image", "class", "score", "probability", "status", "method", "layer")

# Colours come from the notebook, so that the table fits light and dark themes.
_TEMPLATE = """<div class="gradcam-tf1">
<div style="margin:0 0 0.4em 0">{{ title }}</div>
<table style="border-collapse:collapse;margin:0">
<thead><tr><th></th>{% for name in columns %}<th style="text-align:left;padding:2px 8px">{{ name }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for row in rows %}<tr><td style="text-align:left;padding:2px 8px">
{%- if row.image %}<img src="data:image/jpeg;base64,{{ row.image }}" alt="{{ row.alt }}"
 style="display:block;max-width:none;margin:0">{% else %}<em>{{ row.alt }}</em>{% endif -%}
</td>{% for cell in row.cells %}<td style="text-align:left;padding:2px 8px">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table>
{% if more %}<div style="margin:0.4em 0 0 0">{{ more }}</div>{% endif %}
</div>"""


class ViewRow(NamedTuple):
    """One row of a table.

    Attributes
    ----------
    pixels : np.ndarray or None
        uint8 [H, W, 3], RGB; None where there is no image.
    alt : str
        What the image shows, or why there is none.
    cells : sequence of str
        The other columns.
    """

    pixels: Optional[np.ndarray]
    alt: str
    cells: Sequence[str]


def table(title: str, columns: Sequence[str], rows: Iterable[ViewRow], more: str = "", side: int = SIDE) -> str:
    """Return an HTML table; all texts are escaped, and long ones are cut.

    Parameters
    ----------
    title : str
        A line above the table.
    columns : sequence of str
        Names of the columns after the image.
    rows : iterable of ViewRow
        The rows.
    more : str
        A line below the table: what it leaves out.
    side : int
        Longest side of the images, in pixels.
    """
    shown = [
        {"image": _encoded(row.pixels, side), "alt": _cut(row.alt), "cells": [_cut(cell) for cell in row.cells]}
        for row in rows
    ]
    text: str = _template().render(title=_cut(title), columns=columns, rows=shown, more=more)
    return text


@lru_cache(maxsize=None)
def _template() -> Any:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(_TEMPLATE)


def maps_table(title: str, maps: Iterable[Any], more: str = "", side: int = SIDE) -> str:
    """Return a table with a row for each Map; one that cannot be drawn has a row that says why."""
    return table(title, _MAP_COLUMNS, (_map_row(map, side) for map in maps), more, side)


def _map_row(map: Any, side: int) -> ViewRow:
    status = f"{map.status}: {map.reason}" if map.reason else map.status
    cells = [
        *(str(map.n), class_text(map.class_id, map.label, map.about), number(map.score), share(map.probability)),
        *(status, map.method, map.layer),
    ]
    try:
        return ViewRow(map.shrunk(_FINER * side).preview(), f"{map.method} of image {map.n}", cells)
    except GradCamError as error:
        return ViewRow(None, str(error), cells)


def class_text(class_id: int, label: Optional[str], about: str) -> str:
    """Return what was explained, for people: class, name, and what the target is beyond them."""
    parts: List[str] = [] if class_id < 0 else [str(class_id)]
    return " ".join([*parts, *filter(None, (label, about))])


def number(value: float) -> str:
    """Return a score with four digits."""
    return f"{value:.4g}"


def share(value: Optional[float]) -> str:
    """Return a probability in percent, "" for none."""
    return "" if value is None else f"{value:.1%}"


def _encoded(pixels: Optional[np.ndarray], side: int) -> str:
    """Shrink an image to `side` and return it as base64 of a JPEG file; "" for none."""
    if pixels is None:
        return ""
    factor = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(data.tobytes()).decode("ascii")


def _cut(text: str) -> str:
    """Return the text on one line, without control characters and lone surrogates, at most TEXT letters."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= TEXT else line[: TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"
