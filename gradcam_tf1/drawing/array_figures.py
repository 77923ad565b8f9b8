"""Figures of signals (one line per channel) and of volumes (slices side by side)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from gradcam_tf1.drawing.figure_grid import NO_EVIDENCE, Panel, grid, save_figure
from gradcam_tf1.drawing.overlay import ALPHA, colorize, normalize, overlay
from gradcam_tf1.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradcam_tf1.drawing.explanation import Explanation

_DPI = 140
_WIDTH, _HEIGHT, _ENDS = 9.0, 1.7, 0.7  # inches: width of the figure, height of a channel, height of title and ticks
LEFT, RIGHT, _BAR = 0.08, 0.88, 0.9  # shares of the width: ends of the lines' axes, left end of the colour bar
_STEPS = 8  # pieces of the line between two samples, so that the colour also changes along steep parts


def signal_figure(
    explanation: Explanation,
    arrays: Any,
    n: int,
    method: str,
    path: str,
    t: int = 0,
    layer: Optional[str] = None,
) -> None:
    """Write signal n, coloured by the map of target t, as a PNG file with one line per channel.

    Red is high. Signed maps are red for the class and blue against it. Pixel methods colour each channel by its own
    values; the map of a layer method is the same for all channels.

    Parameters
    ----------
    explanation : Explanation
        The result of `explain`.
    arrays : array_like
        The explained signals, [N, L, C] or [N, L].
    n : int
        Number of the signal.
    method : str
        Name of the method to show.
    path : str
        PNG file to write.
    t : int
        Number of the target.
    layer : str, optional
        Layer to show; by default the method's first one.

    Raises
    ------
    OSError
        If the file cannot be written; names the path.
    SelectionError
        If the method was not computed, or there is no such signal or target.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    key = explanation.key(method, layer)
    placed = explanation.map(method, n, t, key[1]).placed()
    values = np.asarray(arrays)[n]
    values = values[:, np.newaxis] if values.ndim == 1 else values
    signed = METHODS[key[0]].signed
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
        bar = figure.add_axes((_BAR, bottom, 0.02, top - bottom))
        draw_bar(bar, (-scale if signed else 0.0, scale), colormap)
    save_figure(figure, path)


def _draw_line(axes: Axes, values: np.ndarray, heat: Optional[np.ndarray], colormap: str) -> None:
    """Draw the line in pieces, each in the colour of the map there; gray where there is no map."""
    from matplotlib.collections import LineCollection

    samples = np.arange(len(values))
    fine = np.linspace(0, len(values) - 1, max((len(values) - 1) * _STEPS, 1) + 1)
    points = np.stack([fine, np.interp(fine, samples, values)], axis=1)
    axes.set_xlim(-0.5, len(values) - 0.5)
    low, high = float(np.min(values)), float(np.max(values))
    room = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - room, high + room)
    if heat is None:
        axes.plot(samples, values, color="0.6", linewidth=1.5)
        return
    middles = (fine[1:] + fine[:-1]) / 2
    colours = colorize(np.interp(middles, samples, heat)[np.newaxis], colormap)[0] / 255
    axes.plot(samples, values, color="0.2", linewidth=3.2)  # an outline, so that light colours are visible on white
    pieces = list(np.stack([points[:-1], points[1:]], axis=1))
    axes.add_collection(LineCollection(pieces, colors=colours, linewidths=2.2))


def draw_bar(axes: Axes, ends: Tuple[float, float], colormap: str) -> None:
    """Draw a colour bar from the lower end to the upper one."""
    levels = np.linspace(1, 0, 256, dtype=np.float32)[:, np.newaxis]
    axes.imshow(colorize(levels, colormap), aspect="auto", extent=(0, 1, *ends))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=7, length=2)


_ACROSS = 4  # slices per row


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
    """Write slices of volume n, overlaid with the map of target t, as a PNG file, and the map beside it as .npy.

    All slices share one scale; red is high. Signed maps are red for the class and blue against it. The map of a pixel
    method is drawn as its sum over the channels.

    Parameters
    ----------
    explanation : Explanation
        The result of `explain`.
    arrays : array_like
        The explained volumes, [N, D, H, W, C].
    n : int
        Number of the volume.
    method : str
        Name of the method to show.
    path : str
        PNG file to write; the map's file has the same name with the extension .npy.
    t : int
        Number of the target.
    layer : str, optional
        Layer to show; by default the method's first one.
    slices : int
        Maximum number of slices, evenly spaced along D.
    channel : int
        Channel of the volume drawn under the map.
    alpha : float
        Opacity of the map where it is highest, 0..1.

    Returns
    -------
    str
        Path of the .npy file: float32 [D, H, W], or [D, H, W, C] for a pixel method.

    Raises
    ------
    OSError
        If a file cannot be written.
    SelectionError
        If the method was not computed, or there is no such volume or target.
    """
    key = explanation.key(method, layer)
    placed = explanation.map(method, n, t, key[1]).placed()
    volume = np.asarray(arrays)[n]
    volume = volume if volume.ndim == 3 else volume[..., channel]
    signed = METHODS[key[0]].signed
    map = placed if placed.ndim == 3 else placed.sum(axis=-1)
    scale = float(np.abs(map).max() if signed else map.max(initial=0.0))
    empty = explanation.statuses[key][n][t].state == "empty"
    colormap = "diverging" if signed else "jet"
    panels = []
    for number in np.unique(np.linspace(0, len(volume) - 1, min(slices, len(volume))).round().astype(int)):
        image = _gray(volume[number], float(volume.min()), float(volume.max()))
        drawn = image if empty else overlay(image, normalize(map[number], signed, scale), colormap, alpha)
        ends = None if empty else (-scale if signed else 0.0, scale)
        panels.append(Panel(drawn, [f"slice {number} of {len(volume)}"], ends, NO_EVIDENCE if empty else ""))
    rows = [panels[first : first + _ACROSS] for first in range(0, len(panels), _ACROSS)]
    save_figure(grid(rows, colormap), path)
    numbers = f"{os.path.splitext(path)[0]}.npy"
    np.save(numbers, placed)
    return numbers


def _gray(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Draw a slice in gray: uint8 [H, W, 3], black at `low` and white at `high`."""
    share = (values.astype(np.float64) - low) / (high - low or 1.0)
    return np.repeat(np.rint(255 * share).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
