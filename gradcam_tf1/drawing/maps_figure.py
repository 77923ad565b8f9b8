"""The figure of all maps of one input of any kind: a row per target, a column per method and layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List

from gradcam_tf1.drawing.figure_grid import Panel, grid
from gradcam_tf1.drawing.image_figures import empty_text, shortened, target_numbers
from gradcam_tf1.drawing.notebook_view import class_text, number, share
from gradcam_tf1.drawing.style import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def maps_figure(explanation: Any, n: int, style: Style) -> Figure:
    """Return the figure of input n, see `Explanation.figure`."""
    keys = list(explanation.maps)
    n = explanation.map(keys[0][0], n).n
    rows = [
        [_panel(explanation.map(name, n, t, layer), style) for name, layer in keys]
        for t in target_numbers(explanation, n)
    ]
    return grid(rows, style.colormap)


def _panel(map: Any, style: Style) -> Panel:
    score = number(map.score) if map.probability is None else f"{number(map.score)}  ({share(map.probability)})"
    title: List[str] = [map.method, *([shortened(map.layer)] if map.layer else [])]
    title += [class_text(map.class_id, map.label, map.about), score]
    scale = map.scale(style)
    ends = None if scale is None else (-scale if style.signed else 0.0, scale)
    return Panel(map.preview(style), title, ends, empty_text(map.reason) if map.status == "empty" else "")
