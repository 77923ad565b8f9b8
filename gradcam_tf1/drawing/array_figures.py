"""Figures of signals (one line per channel) and of volumes (slices side by side)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from gradcam_tf1.drawing.figure_grid import NO_EVIDENCE, Panel, grid, save_figure
from gradcam_tf1.drawing.overlay import ALPHA, colorize, normalize, overlay
from gradcam_tf1.methods import METHODS

if TYPE_CHECKING:
    from gradcam_tf1.engine.explanation import Explanation

_DPI = 140
_WIDTH, _HEIGHT, _ENDS = 9.0, 1.7, 0.7  # inches: the figure, each channel, title and ticks
LEFT, RIGHT, _BAR = 0.08, 0.88, 0.9  # of the width: the lines' axes, the colour bar
# between two samples, so that the colour changes along steep parts too
_STEPS = 8


def signal_figure(
    explanation: Explanation,
    arrays: Any,
    n: int,
    method: str,
    path: str,
    t: int = 0,
    layer: Optional[str] = None,
) -> None:
    """Write signal n with the map of target t as a PNG file: one line per channel, red where the map is high.

    Maps with a sign have red for the class and blue against it. Pixel methods have colours of their own per channel.
    Args: explanation: of signals. arrays: what was explained, [N, L, C] or [N, L].
    Raises: OSError naming the path; KeyError where the method was not computed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values = np.asarray(arrays)[n]
    values = values[:, np.newaxis] if values.ndim == 1 else values
    key = explanation.key(method, layer)
    signed = METHODS[method].signed
    placed = explanation.map(method, n, t, key[1]).placed()
    maps = placed if placed.ndim == 2 else np.repeat(placed[:, np.newaxis], values.shape[1], axis=1)
    scale = float(np.abs(maps).max() if signed else maps.max(initial=0.0))
    empty = explanation.statuses[key][n][t].state == "empty"
    height = _HEIGHT * values.shape[1] + _ENDS
    bottom, top = 0.5 * _ENDS / height, 1 - 0.5 * _ENDS / height
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    edges = {"left": LEFT, "right": RIGHT, "bottom": bottom, "top": top}
    rows = figure.subplots(values.shape[1], 1, sharex=True, squeeze=False, gridspec_kw=edges)[:, 0]
    colormap = "diverging" if signed else "jet"
    for channel, axes in enumerate(rows):
        heat = normalize(maps[:, channel], signed, scale)
        _draw_line(axes, values[:, channel], None if empty else heat, colormap)
        axes.set_ylabel(f"channel {channel}", fontsize=8)
        axes.tick_params(labelsize=7)
    about = f"{method}, class {explanation.class_ids[n, t]}, score {explanation.scores[n, t]:.4g}"
    rows[0].set_title(f"{about}: {NO_EVIDENCE}" if empty else about, fontsize=9, loc="left")
    if not empty:
        bar = figure.add_axes([_BAR, bottom, 0.02, top - bottom])
        _draw_bar(bar, (-scale if signed else 0.0, scale), colormap)
    save_figure(figure, path)


def _draw_line(axes: Any, values: np.ndarray, heat: Optional[np.ndarray], colormap: str) -> None:
    """The line in pieces, each in the colour of the map where it is; gray where there is no map."""
    from matplotlib.collections import LineCollection

    places = np.arange(len(values))
    fine = np.linspace(0, len(values) - 1, max((len(values) - 1) * _STEPS, 1) + 1)
    points = np.stack([fine, np.interp(fine, places, values)], axis=1)
    axes.set_xlim(-0.5, len(values) - 0.5)
    low, high = float(np.min(values)), float(np.max(values))
    room = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)
    if heat is None:
        axes.plot(places, values, color="0.6", linewidth=1.5)
        return
    middles = (fine[1:] + fine[:-1]) / 2
    colours = colorize(np.interp(middles, places, heat)[np.newaxis], colormap)[0] / 255
    axes.plot(places, values, color="0.2", linewidth=3.2)  # light colours are seen on white
    axes.add_collection(LineCollection(np.stack([points[:-1], points[1:]], axis=1), colors=colours, linewidths=2.2))


def _draw_bar(axes: Any, ends: Tuple[float, float], colormap: str) -> None:
    levels = np.linspace(1, 0, 256, dtype=np.float32)[:, np.newaxis]
    axes.imshow(colorize(levels, colormap), aspect="auto", extent=(0, 1, *ends))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=7, length=2)


_ACROSS = 4


def volume_figure(
    explanation: Explanation,
    arrays: Any,
    n: int,
    method: str,
    path: str,
    t: int = 0,
    layer: Optional[str] = None,
    slices: int = 12,
    channel: int = 0,
    alpha: float = ALPHA,
) -> str:
    """Write volume n with the map of target t: slices along D as a PNG file, the map [D, H, W] beside it as .npy.

    One scale for all slices, red is high; maps with a sign have red for the class and blue against it. Of pixel methods
    the map [D, H, W, C] is written, and drawn as its sum over the channels.
    Args: explanation: of volumes. arrays: what was explained, [N, D, H, W, C]. slices: at most so many, evenly
        spaced. channel: of the array, what is seen under the map.
    Returns: the path of the .npy file. Raises: OSError; KeyError where the method was not computed.
    """
    volume = np.asarray(arrays)[n]
    volume = volume if volume.ndim == 3 else volume[..., channel]
    key = explanation.key(method, layer)
    signed = METHODS[method].signed
    placed = explanation.map(method, n, t, key[1]).placed()
    map = placed if placed.ndim == 3 else placed.sum(axis=-1)
    scale = float(np.abs(map).max() if signed else map.max(initial=0.0))
    empty = explanation.statuses[key][n][t].state == "empty"
    colormap = "diverging" if signed else "jet"
    panels = []
    for place in np.unique(np.linspace(0, len(volume) - 1, min(slices, len(volume))).round().astype(int)):
        image = _gray(volume[place], float(volume.min()), float(volume.max()))
        drawn = image if empty else overlay(image, normalize(map[place], signed, scale), colormap, alpha)
        ends = None if empty else (-scale if signed else 0.0, scale)
        panels.append(Panel(drawn, [f"slice {place} of {len(volume)}"], ends, NO_EVIDENCE if empty else ""))
    rows = [panels[first : first + _ACROSS] for first in range(0, len(panels), _ACROSS)]
    save_figure(grid(rows, colormap), path)
    numbers = f"{os.path.splitext(path)[0]}.npy"
    np.save(numbers, placed)
    return numbers


def _gray(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """A slice as a gray image: uint8 [H, W, 3], black at `low` and white at `high`."""
    share = (values.astype(np.float64) - low) / (high - low or 1.0)
    return np.repeat(np.rint(255 * share).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
