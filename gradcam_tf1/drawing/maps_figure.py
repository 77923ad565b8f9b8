"""The figure of all maps of one input of any kind: a row per target, a column per method and layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Sequence

from gradcam_tf1.drawing.figure_grid import Panel, grid
from gradcam_tf1.drawing.image_figures import empty_text, shortened, target_numbers
from gradcam_tf1.drawing.notebook_view import class_text, number, share
from gradcam_tf1.drawing.style import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def maps_figure(explanation: Any, n: int, style: Style) -> Figure:
    """Return the figure of input n, see `Explanation.figure`."""
    n = explanation.map(next(iter(explanation.maps))[0], n).n
    targets = target_numbers(explanation, n)
    columns = [_panels([explanation.map(*key) for key in keys], style) for keys in _columns(explanation, n, targets)]
    rows: List[List[Panel]] = [list(row) for row in zip(*columns)]
    return grid(columns if len(columns) == 1 else rows, style.colormap)  # targets of a single map stand in a row


def _columns(explanation: Any, n: int, targets: Sequence[int]) -> List[List[Any]]:
    """Return the places of the maps of each method and layer, target by target."""
    return [[(method, n, t, layer) for t in targets] for method, layer in explanation.maps]


def _panels(maps: Sequence[Any], style: Style) -> List[Panel]:
    """Draw the maps of one method and layer. They share a scale, so that a weak one does not look like a strong one."""
    scales = [map.scale(style) for map in maps]
    together = max((scale for scale in scales if scale is not None), default=None)
    return [_panel(map, style, together if style.share_scale else scale) for map, scale in zip(maps, scales)]


def _panel(map: Any, style: Style, scale: Any) -> Panel:
    score = number(map.score) if map.probability is None else f"{number(map.score)}  ({share(map.probability)})"
    title = [map.method, *([shortened(map.layer)] if map.layer else [])]
    title += [class_text(map.class_id, map.label, map.about), score]
    ends = None if scale is None else (-scale if style.signed else 0.0, scale)
    return Panel(map.preview(style, scale), title, ends, empty_text(map.reason) if map.status == "empty" else "")
