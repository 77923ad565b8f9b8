"""Figures of spectrograms: the map over time and frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.array_figures import draw_bar
from gradcam_tf1.drawing.figure_grid import NO_EVIDENCE, save_figure
from gradcam_tf1.drawing.overlay import ALPHA, normalize, overlay
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradcam_tf1.drawing.explanation import Explanation

_SIZE, _DPI = (9.0, 5.6), 140  # inches
_TICKS = 7  # frequencies that are written
_WHOLE = 100.0  # Hz from which on no fractions are written
_LEFT, _RIGHT, _BAR = 0.1, 0.88, 0.9  # shares of the width


def spectrogram_figure(
    explanation: Explanation,
    spectrograms: Any,
    n: int,
    method: str,
    path: str,
    *,
    seconds: float,
    frequencies: Sequence[float],
    t: int = 0,
    layer: Optional[str] = None,
    time_first: bool = True,
    alpha: float = ALPHA,
) -> None:
    """Write spectrogram n, and below it the same with the map of target t, as a PNG file with axes in s and Hz.

    Time goes to the right and frequency upwards, whatever the order in the array. Red is high; signed maps are red for
    the class and blue against it, and maps of pixel methods are summed up over the channels.

    Parameters
    ----------
    explanation : Explanation
        The result of `explain`.
    spectrograms : array_like
        The explained spectrograms: [N, T, F], or [N, F, T], optionally with a last axis of channels, the first of which
        is drawn.
    n : int
        Number of the spectrogram.
    method : str
        Name of the method to show.
    path : str
        PNG file to write.
    seconds : float
        Length of the sound, in s: frames * hop / sample rate.
    frequencies : sequence of float
        Frequency of each of the F rows, in Hz, in any spacing (linear, mel, constant Q): ascending or descending.
    t : int
        Number of the target.
    layer : str, optional
        Layer to show; by default the method's first one.
    time_first : bool
        Whether time is the first axis of a spectrogram.
    alpha : float
        Opacity of the map where it is highest, 0..1.

    Raises
    ------
    OptionError
        If the axes do not fit the spectrogram.
    OSError
        If the file cannot be written; names the path.
    SelectionError
        If the method was not computed, or there is no such spectrogram or target.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    key = explanation.key(method, layer)
    one = explanation.map(method, n, t, key[1])
    rows = _numbers(frequencies)
    image, rising = _upright(np.asarray(spectrograms)[n], rows, seconds, time_first)
    placed = one.placed()
    map = placed if placed.ndim == 2 else placed.sum(axis=-1) if placed.ndim == 3 else None
    if map is None or map.shape != np.asarray(spectrograms)[n].shape[:2]:
        raise OptionError(f"the map has shape {list(placed.shape)}, not that of the spectrogram; explain spectrograms")
    heat, _ = _upright(map, rows, seconds, time_first)
    signed, empty = METHODS[key[0]].signed, one.status == "empty"
    scale = float(np.abs(map).max() if signed else map.max(initial=0.0))
    colormap = "diverging" if signed else "jet"
    gray = _gray(image)
    drawn = gray if empty else overlay(gray, normalize(heat, signed, scale), colormap, alpha)
    figure = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    edges = {"left": _LEFT, "right": _RIGHT, "bottom": 0.1, "top": 0.93, "hspace": 0.12}
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw=edges)
    for axes, pixels in ((upper, gray), (lower, drawn)):
        _draw(axes, pixels, seconds, rising)
    lower.set_xlabel("time in s", fontsize=8)
    about = f"{method}, class {one.class_id}, score {one.score:.4g}"
    upper.set_title(f"{about}: {NO_EVIDENCE}" if empty else about, fontsize=9, loc="left")
    if not empty:
        place = lower.get_position()
        draw_bar(figure.add_axes((_BAR, place.y0, 0.02, place.height)), (-scale if signed else 0.0, scale), colormap)
    save_figure(figure, path)


def _upright(
    values: np.ndarray, frequencies: np.ndarray, seconds: float, time_first: bool
) -> Tuple[np.ndarray, np.ndarray]:
    """Return [F, T] with the highest frequency first, and the frequencies in this order."""
    values = values[..., 0] if values.ndim == 3 else values
    upright = values.T if time_first else values
    steps = np.diff(frequencies)
    if frequencies.shape != upright.shape[:1]:
        turned = f", or time_first={not time_first}" if frequencies.shape == upright.shape[1:] else ""
        raise OptionError(
            f"there are {frequencies.size} frequencies for a spectrogram of {list(values.shape)}; give one for each of "
            f"its {upright.shape[0]} rows{turned}"
        )
    if not np.isfinite(frequencies).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise OptionError("the frequencies neither rise nor fall; give that of each row, in the order of the array")
    if not 0 < seconds < np.inf:
        raise OptionError(f"seconds is {seconds!r}; give the length of the sound, frames * hop / sample rate")
    order = np.argsort(-frequencies)
    return upright[order], frequencies[order]


def _gray(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    share = (values - low) / ((high - low) or 1.0)
    return np.repeat((255 * share).round().astype(np.uint8)[..., np.newaxis], 3, axis=2)


def _draw(axes: Axes, pixels: np.ndarray, seconds: float, frequencies: np.ndarray) -> None:
    rows = len(frequencies)
    axes.imshow(pixels, aspect="auto", extent=(0, seconds, rows - 0.5, -0.5), interpolation="nearest")
    shown = np.arange(rows - 1, -1, -max(round(rows / _TICKS), 1))  # evenly apart, from the lowest
    axes.set_yticks(shown)
    axes.set_yticklabels([_hertz(frequencies[row]) for row in shown])
    axes.set_ylabel("frequency in Hz", fontsize=8)
    axes.tick_params(labelsize=7)


def _hertz(frequency: float) -> str:
    """Return a frequency with at least three figures: 12,000 and 0.125."""
    return f"{frequency:,.0f}" if frequency >= _WHOLE else f"{frequency:.3g}"


def _numbers(frequencies: Any) -> np.ndarray:
    try:
        return np.asarray(frequencies, float)
    except (TypeError, ValueError) as error:
        raise OptionError("the frequencies are no numbers; give that of each row, in Hz") from error
