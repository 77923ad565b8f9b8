"""A matplotlib figure of titled panels in rows, with colour bars. matplotlib is imported when a figure is made."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.overlay import colorize, write_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NO_EVIDENCE = "no positive evidence"

_DPI = 140
# pixels: longer side of a panel's image, title line, gap and width of the colour bar, its numbers, border
SIDE, LINE, GAP, BAR, NUMBERS, MARGIN = 420, 29, 12, 18, 104, 16
WIDE = 300  # minimum width of a title above a narrow image
LETTERS = 40  # maximum length of a title line
COLUMNS = 4  # panels per line: a wider figure would be shrunk on the screen, and its text would become too small
_TITLE, _NUMBER = 12, 10  # points


@dataclass(frozen=True)
class Panel:
    """One map in a figure.

    Attributes
    ----------
    image : np.ndarray
        The drawn map, uint8 [H, W, 3], RGB.
    title : sequence of str
        Lines of the title.
    ends : tuple of float, optional
        Values at the lower and upper end of the colour bar; None for no bar.
    empty : str
        Text on the panel of a map that is zero everywhere, "" for other maps.
    """

    image: np.ndarray
    title: Sequence[str]
    ends: Optional[Tuple[float, float]] = None
    empty: str = ""


def grid(rows: Sequence[Sequence[Panel]], colormap: str = "jet") -> Figure:
    """Return a figure of the panels, each with its colour bar; rows longer than COLUMNS are broken into lines.

    Parameters
    ----------
    rows : sequence of sequences of Panel
        The panels of each row.
    colormap : {"jet", "turbo", "viridis", "inferno", "cividis", "diverging"}
        Colours of the bars.

    Returns
    -------
    matplotlib.figure.Figure
        On an Agg canvas.
    """
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
        for number, (panel, image) in enumerate(zip(row, images)):
            _draw(figure, panel, image, (top + title, MARGIN + number * across), (height, width), colormap)
        top += tall
    return figure


def _lines(row: Sequence[Panel]) -> List[Sequence[Panel]]:
    """Break a row into lines of nearly equal length, at most COLUMNS panels each."""
    count = -(-len(row) // COLUMNS)
    length = -(-len(row) // count)
    return [row[start : start + length] for start in range(0, len(row), length)]


def _draw(
    figure: Figure, panel: Panel, image: np.ndarray, corner: Tuple[int, int], size: Tuple[int, int], colormap: str
) -> None:
    top, left = corner
    tall, wide = image.shape[:2]
    axes = _axes(figure, (top, left, tall, wide), size)
    axes.imshow(image, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    axes.set_title("\n".join(map(plain_line, panel.title)), fontsize=_TITLE, loc="left", pad=5)
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


def _axes(figure: Figure, box: Tuple[int, int, int, int], size: Tuple[int, int]) -> Axes:
    """Add axes that cover whole pixels (top, left, height, width), so that images are not resampled."""
    top, left, tall, wide = box
    height, width = size
    return figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))


def _shrunk(image: np.ndarray) -> np.ndarray:
    factor = SIDE / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def plain_line(text: str) -> str:
    """Return one line of plain text, without control characters and without formulas for matplotlib."""
    words = "".join(char if char.isprintable() else " " for char in text)
    cut = words if len(words) <= LETTERS else words[: LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return cut.replace("$", r"\$")


def render(figure: Figure) -> np.ndarray:
    """Render a figure with an Agg canvas, as `grid` returns it, to uint8 [H, W, 3], RGB."""
    canvas: Any = figure.canvas  # its type is that of all canvases, of which not all have a buffer
    with warnings.catch_warnings():
        # letters that matplotlib's font lacks are drawn as boxes; the manifest has the label in full
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def save_figure(figure: Figure, path: str) -> None:
    """Write a figure as a PNG file, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    path : str
        The file to write.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    """
    write_png(path, render(figure))
