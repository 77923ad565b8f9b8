"""Figures of spectrograms: the map over time and frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.array_figures import draw_bar
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.figure_grid import plain_line, save_figure
from gradcam_tf1.drawing.image_figures import MAX_ROWS, empty_text, target_numbers
from gradcam_tf1.drawing.overlay import ALPHA, normalize, overlay
from gradcam_tf1.drawing.spectrogram_axes import SpectrogramAxes, frequency_ticks, upright
from gradcam_tf1.drawing.style import AGAINST, Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gradcam_tf1.drawing.explanation import Explanation

_WIDTH, _ROW, _DPI = 9.0, 2.5, 140  # inches: width of the figure, height of a picture with its title
_MOST = (980, 320)  # pixels of a picture: width, height
_TOP, _BOTTOM = 0.35, 0.5  # inches above and below the pictures
_LEFT, _RIGHT, _BAR = 0.1, 0.88, 0.9  # shares of the width


@dataclass(frozen=True)
class _Picture:
    """A spectrogram with or without a map: pixels as the array is stored, a title, and the ends of the colour bar."""

    pixels: np.ndarray
    title: str = ""
    ends: Optional[Tuple[float, float]] = None
    colormap: str = "jet"


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
    key = explanation.key(method, layer)
    one = explanation.map(method, n, t, key[1])
    values = np.asarray(spectrograms)[n]
    values = values[..., 0] if values.ndim == 3 else values
    rows = _checked(frequencies, values.shape, time_first)
    if not 0 < seconds < np.inf:
        raise OptionError(f"seconds is {seconds!r}; give the length of the sound, frames * hop / sample rate")
    rising = bool(rows[0] <= rows[-1])
    side = ("left" if rising else "right") if time_first else "top" if rising else "bottom"
    gray = _gray(values)
    pictures = [_Picture(gray), _with_map(gray, one, Style(alpha=alpha))]
    save_figure(_figure(pictures, side, seconds, np.sort(rows)), path)


def spectrogram_maps_figure(
    explanation: Explanation, image: np.ndarray, n: int, style: Style, axes: SpectrogramAxes
) -> Figure:
    """Return a figure of a spectrogram and, below it, of each map on it: all targets, each with all methods.

    Parameters
    ----------
    explanation : Explanation
        All its methods are shown, each at its first layer.
    image : np.ndarray
        The original image n as it is drawn, uint8 [H, W, 3].
    n : int
        Number of the image in the explanation.
    style : Style
        Colours and opacity; maps with a sign are red and blue.
    axes : SpectrogramAxes
        What the rows and columns are.

    Returns
    -------
    matplotlib.figure.Figure
    """
    keys = [explanation.key(method) for method in dict.fromkeys(method for method, _ in explanation.maps)]
    targets = target_numbers(explanation, explanation.map(keys[0][0], n).n)
    shown = image if np.ptp(image, axis=2).any() else _gray(image[..., 0])
    pictures = [_Picture(shown)]
    for t, key in [(t, key) for t in targets for key in keys][:MAX_ROWS]:
        together = targets if style.share_scale else [t]
        maps = [explanation.map(key[0], n, slot, key[1]) for slot in together]
        one = explanation.map(key[0], n, t, key[1])
        pictures.append(_with_map(shown, one, style, max(_strength(each, style, shown) for each in maps)))
    frames = upright(shown, axes.low_frequencies).shape[1]
    rows = axes.rows(upright(shown, axes.low_frequencies).shape[0])
    return _figure(pictures, axes.low_frequencies, axes.seconds(frames), rows)


def _with_map(image: np.ndarray, one: Map, style: Style, scale: Optional[float] = None) -> _Picture:
    """Return a picture with the map on it, whose strongest colour stands for `scale`."""
    name = one.label or (f"class {one.class_id}" if one.class_id >= 0 else "")
    target = plain_line(" ".join(filter(None, [name, one.about])))
    share = "" if one.probability is None else f" ({one.probability:.1%})"
    about = ", ".join(filter(None, [one.method, target, f"score {one.score:.4g}{share}"]))
    if one.status == "empty":
        return _Picture(image, f"{about}: {empty_text(one.reason)}")
    map, signed = _flat(one, image), _is_signed(one, style)
    scale = _strength(one, style, image) if scale is None else scale
    colormap = "diverging" if METHODS[one.method].signed else style.colormap
    values = -map if one.method in AGAINST and signed else map
    seen = getattr(one.placement, "seen", None)  # signals have no borders
    drawn = overlay(image, normalize(values, signed, scale), colormap, style.alpha, seen)
    return _Picture(drawn, about, (-scale if signed else 0.0, scale), colormap)


def _is_signed(one: Map, style: Style) -> bool:
    return METHODS[one.method].signed or style.signed


def _flat(one: Map, image: np.ndarray) -> np.ndarray:
    """Return the map on the spectrogram as [H, W]: that of a pixel method summed up over the channels."""
    placed = one.placed()
    if placed.ndim == 1 and len(placed) == len(image):  # a net of signals: the features of a layer have a time only
        return np.repeat(placed[:, np.newaxis], image.shape[1], axis=1)
    map = placed if placed.shape == image.shape[:2] else placed.sum(axis=-1)
    if map.shape != image.shape[:2]:
        raise OptionError(f"the map has shape {list(placed.shape)}, not that of the spectrogram; explain spectrograms")
    return np.asarray(map)


def _strength(one: Map, style: Style, image: np.ndarray) -> float:
    map = _flat(one, image)
    return float(np.abs(map).max() if _is_signed(one, style) else map.max(initial=0.0))


def _checked(frequencies: Any, shape: Tuple[int, ...], time_first: bool) -> np.ndarray:
    """Return the frequencies as numbers. Raises OptionError if they are not those of the rows."""
    try:
        rows = np.asarray(frequencies, float)
    except (TypeError, ValueError) as error:
        raise OptionError("the frequencies are no numbers; give that of each row, in Hz") from error
    count, frames = (shape[1], shape[0]) if time_first else (shape[0], shape[1])
    if rows.shape != (count,):
        turned = f", or time_first={not time_first}" if rows.shape == (frames,) else ""
        raise OptionError(
            f"there are {rows.size} frequencies for a spectrogram of {list(shape)}; give one for each of its {count} "
            f"rows{turned}"
        )
    steps = np.diff(rows)
    if not np.isfinite(rows).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise OptionError("the frequencies neither rise nor fall; give that of each row, in the order of the array")
    return rows


def _gray(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    share = (values - low) / ((high - low) or 1.0)
    return np.repeat((255 * share).round().astype(np.uint8)[..., np.newaxis], 3, axis=2)


def _figure(pictures: Sequence[_Picture], side: str, seconds: float, frequencies: np.ndarray) -> Figure:
    """Return pictures one below the other, with time to the right and frequency upwards; `frequencies` rise."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = _ROW * len(pictures) + _TOP + _BOTTOM
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    edges = {"left": _LEFT, "right": _RIGHT, "bottom": _BOTTOM / height, "top": 1 - _TOP / height, "hspace": 0.17}
    rows = figure.subplots(len(pictures), 1, sharex=True, squeeze=False, gridspec_kw=edges)[:, 0]
    for axes, picture in zip(rows, pictures):
        _draw(axes, upright(picture.pixels, side), seconds, frequencies)
        axes.set_title(picture.title, fontsize=9, loc="left", pad=4)
        if picture.ends is not None:
            place = axes.get_position()
            draw_bar(figure.add_axes((_BAR, place.y0, 0.02, place.height)), picture.ends, picture.colormap)
    rows[-1].set_xlabel("time in s", fontsize=8)
    return figure


def _draw(axes: Axes, pixels: np.ndarray, seconds: float, frequencies: np.ndarray) -> None:
    rows = len(frequencies)
    tall, wide = pixels.shape[:2]
    size = (min(wide, _MOST[0]), min(tall, _MOST[1]))  # an axis that is too long is averaged, the other is left alone
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if size != (wide, tall) else pixels
    axes.imshow(shown, aspect="auto", extent=(0, seconds, -0.5, rows - 0.5), interpolation="nearest")
    ticks = frequency_ticks(frequencies)
    axes.set_yticks([place for place, _ in ticks])
    axes.set_yticklabels([text for _, text in ticks])
    axes.set_ylabel("frequency in Hz", fontsize=8)
    axes.tick_params(labelsize=7)
