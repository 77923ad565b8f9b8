"""Plots for the pages: matplotlib draws each twice, for the light and the dark theme. No TensorFlow here."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, Optional, Sequence, Tuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTERS = 30  # of a name in a plot; tables have the names in full
_TEXT = 13  # points: still readable where a phone shows the plot at half its size

# Colours that people with any colour vision tell apart, in the order of the lines (after Okabe and Ito), and of text.
_COLORS = {
    "light": ("#0072b2", "#c2500a", "#00805c", "#b0478a", "#8a6d00", "#4b4fa8", "#7a4a2b", "#3f7f8f"),
    "dark": ("#56b4e9", "#f0a35e", "#3fc39b", "#e39ac6", "#e6d25a", "#a9b1ff", "#d0a184", "#8fd0dc"),
}
_INK = {"light": "#1c1e21", "dark": "#ecebe8"}
_SOFT = {"light": "#84878d", "dark": "#777b82"}
_GRID = {"light": "#e4e2dc", "dark": "#2e3136"}
_DASHES = ("-", "--", "-.", ":")
_ONE_AT_A_TIME = Lock()  # matplotlib's settings are those of the whole program


@dataclass(frozen=True)
class Plot:
    """A plot for a page.

    Attributes
    ----------
    light, dark : str
        SVG for each theme, with its text as text.
    alt : str
        What it shows, in a sentence: its caption, and what a screen reader says.
    """

    kind: ClassVar[str] = "plot"
    light: str
    dark: str
    alt: str


@dataclass(frozen=True)
class PlotLine:
    """A line of `line_plot`.

    Attributes
    ----------
    name : str
        Its name in the legend; "" for none.
    x, y : sequence of float
        Its points.
    low, high : sequence of float or None
        Ends of the band around it.
    pale : bool
        Whether it is drawn in grey, as a comparison.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Optional[Sequence[float]] = None
    high: Optional[Sequence[float]] = None
    pale: bool = False


@dataclass(frozen=True)
class PlotBar:
    """A bar of `bar_plot`.

    Attributes
    ----------
    name : str
        Its name, at the left.
    value : float
        Its length; NaN for no value.
    low, high : float or None
        Ends of its interval.
    pale : bool
        Whether it is drawn in grey, as a comparison.
    """

    name: str
    value: float
    low: Optional[float] = None
    high: Optional[float] = None
    pale: bool = False


def draw_plot(draw: Callable[[Axes], None], alt: str, size: Tuple[float, float] = (6.4, 3.6)) -> Plot:
    """Draw a plot for both themes.

    Parameters
    ----------
    draw : callable
        Draws on the axes that it gets; called twice. It takes the default colours, and `plain_text` for names of
        strangers.
    alt : str
        What the plot shows, in a sentence.
    size : (float, float)
        Width and height in inches.

    Returns
    -------
    Plot
        The same drawing gives the same text.
    """
    return Plot(_svg(draw, "light", size), _svg(draw, "dark", size), alt)


def line_plot(
    lines: Sequence[PlotLine],
    x_name: str,
    y_name: str,
    alt: str,
    y_limits: Optional[Tuple[float, float]] = None,
    size: Tuple[float, float] = (6.4, 3.6),
) -> Plot:
    """Draw lines with their bands.

    Parameters
    ----------
    lines : sequence of PlotLine
        The lines.
    x_name, y_name : str
        Names of the axes.
    alt : str
        What the plot shows, in a sentence.
    y_limits : (float, float) or None
        Ends of the vertical axis; None fits it to the lines.
    size : (float, float)
        Width and height in inches.
    """

    def draw(axes: Axes) -> None:
        for number, line in enumerate(lines):
            own: Dict[str, Any] = {"color": _pale(axes)} if line.pale else {}
            dash = _DASHES[number % len(_DASHES)]
            (drawn,) = axes.plot(line.x, line.y, dash, linewidth=2, label=plain_text(line.name), **own)
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=drawn.get_color(), alpha=0.18, linewidth=0)
        axes.set_xlabel(plain_text(x_name, 60))
        axes.set_ylabel(plain_text(y_name, 60))
        if y_limits is not None:
            axes.set_ylim(*y_limits)
        if any(line.name for line in lines):
            columns = min(len(lines), 3)
            axes.legend(  # above the lines, which may be anywhere
                loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=columns, frameon=False, fontsize=_TEXT - 1
            )

    return draw_plot(draw, alt, size)


def bar_plot(
    bars: Sequence[PlotBar], x_name: str, alt: str, limits: Optional[Tuple[float, float]] = None, width: float = 6.4
) -> Plot:
    """Draw horizontal bars with their intervals, the first one at the top.

    Parameters
    ----------
    bars : sequence of PlotBar
        The bars.
    x_name : str
        Name of the axis of the values.
    alt : str
        What the plot shows, in a sentence.
    limits : (float, float) or None
        Ends of that axis; None fits it to the values.
    width : float
        Width in inches; the height follows from the number of bars.
    """

    def draw(axes: Axes) -> None:
        places = np.arange(len(bars))
        for place, bar in zip(places, bars):
            if not np.isfinite(bar.value):
                axes.text(0, float(place), " no value", va="center", fontsize=_TEXT - 1)
                continue
            axes.barh(place, bar.value, height=0.62, color=_pale(axes) if bar.pale else "C0")
            if bar.low is not None and bar.high is not None:
                ends = [[max(0.0, bar.value - bar.low)], [max(0.0, bar.high - bar.value)]]
                axes.errorbar(bar.value, place, xerr=ends, fmt="none", capsize=4, ecolor=axes.xaxis.label.get_color())
        axes.set_yticks(places)
        axes.set_yticklabels([plain_text(bar.name) for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_xlabel(plain_text(x_name, 60))
        axes.grid(visible=False, axis="y")
        if limits is not None:
            axes.set_xlim(*limits)

    return draw_plot(draw, alt, (width, 1.1 + 0.36 * max(1, len(bars))))


def plain_text(text: str, letters: int = LETTERS) -> str:
    """Return text that matplotlib draws as it is: printable, short, and no formula.

    Parameters
    ----------
    text : str
        Any text.
    letters : int
        Longer text is cut.
    """
    words = "".join(char if char.isprintable() else " " for char in text)
    cut = words if len(words) <= letters else words[: letters - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return cut.replace("$", r"\$")


def _pale(axes: Axes) -> Any:
    """Return the grey of the theme: the colour of the axes' frame."""
    return axes.spines["bottom"].get_edgecolor()


def _svg(draw: Callable[[Axes], None], theme: str, size: Tuple[float, float]) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    file = io.StringIO()
    with _ONE_AT_A_TIME, matplotlib.rc_context(_settings(theme)), warnings.catch_warnings():
        # letters that the font lacks: the browser has them
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support", category=UserWarning)
        figure = Figure(figsize=size, constrained_layout=True)
        axes = figure.add_subplot()
        draw(axes)
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _settings(theme: str) -> Any:
    from matplotlib.rcsetup import cycler

    ink, soft = _INK[theme], _SOFT[theme]
    return {
        **{"svg.fonttype": "none", "svg.hashsalt": "gradcam_tf1", "font.family": "sans-serif", "font.size": _TEXT},
        **{"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink},
        **{"axes.edgecolor": soft, "axes.spines.top": False, "axes.spines.right": False},
        **{"axes.grid": True, "grid.color": _GRID[theme], "axes.axisbelow": True},
        **{"axes.prop_cycle": cycler(color=_COLORS[theme]), "errorbar.capsize": 4, "lines.linewidth": 2},
    }
