"""A map of a volume: slices side by side under the map, and its numbers."""

from __future__ import annotations

import os
from typing import Any, Optional

import numpy as np

from gradcam_tf1.figures.grid import NO_EVIDENCE, Panel, grid, save
from gradcam_tf1.methods import METHODS
from gradcam_tf1.overlay import ALPHA, normalize, overlay
from gradcam_tf1.types import Explanation

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
    Args: explanation: of `explain_arrays`. arrays: what was explained, [N, D, H, W, C]. slices: at most so many, evenly
        spaced. channel: of the array, what is seen under the map.
    Returns: the path of the .npy file. Raises: OSError; KeyError where the method was not computed.
    """
    volume = np.asarray(arrays)[n]
    volume = volume if volume.ndim == 3 else volume[..., channel]
    key = explanation.key(method, layer)
    signed = METHODS[method].signed
    placed = explanation.placed(method, n, t, key[1])
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
    save(grid(rows, colormap), path)
    numbers = f"{os.path.splitext(path)[0]}.npy"
    np.save(numbers, placed)
    return numbers


def _gray(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """A slice as a gray picture: uint8 [H, W, 3], black at `low` and white at `high`."""
    share = (values.astype(np.float64) - low) / (high - low or 1.0)
    return np.repeat(np.rint(255 * share).astype(np.uint8)[..., np.newaxis], 3, axis=-1)
