"""Panels under titles, in rows, with colour bars: a matplotlib figure. matplotlib is imported when one is made."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.overlay import colorize, write_png

NO_EVIDENCE = "no positive evidence"

_DPI = 140
# pixels: longer side of a panel's image, a line of its title, its colour bar with gap and numbers, border
SIDE, LINE, GAP, BAR, NUMBERS, MARGIN = 420, 29, 12, 18, 104, 16
WIDE = 300  # the least room for a title, above an image that is narrow
LETTERS = 40  # of a title's line
COLUMNS = 4  # more panels go on in the next line: a wider figure is shrunk where it is shown, and its text with it
_TITLE, _NUMBER = 12, 10  # points


@dataclass(frozen=True)
class Panel:
    """One map in a figure.

    image: uint8 [H, W, 3] RGB, what is drawn. title: its lines. ends: what the lower and upper end of the colour bar
    stand for; None: no bar. empty: what the panel says of a map that is all zero.
    """

    image: np.ndarray
    title: Sequence[str]
    ends: Optional[Tuple[float, float]] = None
    empty: str = ""


def grid(rows: Sequence[Sequence[Panel]], colormap: str = "jet") -> Any:
    """A matplotlib Figure of the panels, each with its colour bar, on an Agg canvas; long rows take several lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [line for row in rows for line in _lines(row)]
    cells = [[_shrunk(panel.image) for panel in row] for row in rows]
    across = max(WIDE, *(cell.shape[1] for row in cells for cell in row)) + GAP + BAR + NUMBERS
    title = LINE * max(len(panel.title) for row in rows for panel in row) + GAP
    heights = [max(cell.shape[0] for cell in row) + title for row in cells]
    width = 2 * MARGIN + across * max(map(len, rows))
    height = 2 * MARGIN + sum(heights)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    top = MARGIN
    for row, images, tall in zip(rows, cells, heights):
        for place, (panel, image) in enumerate(zip(row, images)):
            _draw(figure, panel, image, (top + title, MARGIN + place * across), (height, width), colormap)
        top += tall
    return figure


def _lines(row: Sequence[Panel]) -> List[Sequence[Panel]]:
    """The row in lines of nearly the same length, of at most COLUMNS panels."""
    count = -(-len(row) // COLUMNS)
    length = -(-len(row) // count)
    return [row[start : start + length] for start in range(0, len(row), length)]


def _draw(
    figure: Any, panel: Panel, image: np.ndarray, place: Tuple[int, int], size: Tuple[int, int], colormap: str
) -> None:
    top, left = place
    tall, wide = image.shape[:2]
    axes = _axes(figure, (top, left, tall, wide), size)
    axes.imshow(image, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    axes.set_title("\n".join(map(_line, panel.title)), fontsize=_TITLE, loc="left", pad=5)
    if panel.empty:
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85}
        axes.text(0.5, 0.5, panel.empty, transform=axes.transAxes, ha="center", va="center", fontsize=_TITLE, bbox=box)
    elif panel.ends is not None:
        low, high = panel.ends
        bar = _axes(figure, (top, left + wide + GAP, tall, BAR), size)
        levels = np.linspace(1, 0, 256, dtype=np.float32)[:, np.newaxis]
        bar.imshow(colorize(levels, colormap), aspect="auto", extent=(0, 1, low, high))
        bar.set_xticks([])
        marks = np.linspace(low, high, 5 if tall >= 5 * LINE else 3 if tall >= 3 * LINE else 2)
        bar.set_yticks(marks)
        bar.set_yticklabels([f"{value:.3g}" for value in marks])
        bar.yaxis.tick_right()
        bar.tick_params(labelsize=_NUMBER, length=2)


def _axes(figure: Any, box: Tuple[int, int, int, int], size: Tuple[int, int]) -> Any:
    """Axes over whole pixels (top, left, height, width), so that images are not resampled."""
    top, left, tall, wide = box
    height, width = size
    return figure.add_axes([left / width, 1 - (top + tall) / height, wide / width, tall / height])


def _shrunk(image: np.ndarray) -> np.ndarray:
    factor = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _line(text: str) -> str:
    """One line of plain text: no control characters, nothing that matplotlib takes for a formula."""
    words = "".join(char if char.isprintable() else " " for char in text)
    cut = words if len(words) <= LETTERS else words[: LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return cut.replace("$", r"\$")


def render(figure: Any) -> np.ndarray:
    """The figure as an image: uint8 [H, W, 3] RGB."""
    with warnings.catch_warnings():
        # a label in a script that matplotlib's own font lacks shows as boxes; the manifest has it in full
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        figure.canvas.draw()
    return np.ascontiguousarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])


def save_figure(figure: Any, path: str) -> None:
    """Write the figure as a PNG file, whole or not at all. Raises: OSError naming the path."""
    write_png(path, render(figure))
