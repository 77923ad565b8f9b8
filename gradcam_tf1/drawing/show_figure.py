"""Show a figure: in the notebook, else in a window of matplotlib, else say that there is no display."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from gradcam_tf1.drawing.figure_grid import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_QUALITY = 80  # of the image in a notebook; a PNG of photographs is five times as large
_WIDEST = 1000  # pixels in a notebook, whose page is not wider
_DPI = 100
NO_DISPLAY = (
    "there is no display to show the figure on: save it with save_figure(explanation.figure(), 'maps.png'), or choose "
    "a backend of matplotlib that opens windows"
)


def show_figure(figure: Figure) -> None:
    """Show a figure of `figure_grid.grid`. Without a display it warns, and nothing is shown.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        On an Agg canvas.
    """
    pixels = render(figure)
    if in_notebook():
        _show_inline(pixels)
    elif not _open_window(pixels):
        warnings.warn(NO_DISPLAY, UserWarning, stacklevel=3)


def in_notebook() -> bool:
    """Return whether this runs in a kernel of Jupyter; IPython is not imported to find out."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None


def _show_inline(pixels: np.ndarray) -> None:
    notebook: Any = import_module("IPython.display")  # its functions have no types
    height, width = pixels.shape[:2]
    if width > _WIDEST:
        pixels = cv2.resize(pixels, (_WIDEST, round(height * _WIDEST / width)), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    notebook.display(notebook.Image(data=data.tobytes(), format="jpeg"))


def _open_window(pixels: np.ndarray) -> bool:
    """Show pixels in a window until it is closed; return False where matplotlib's backend has no windows."""
    import matplotlib.pyplot as plt

    height, width = pixels.shape[:2]
    window: Any = plt.figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    if window.canvas.required_interactive_framework is None:
        plt.close(window)
        return False
    axes = window.add_axes((0, 0, 1, 1))
    axes.imshow(pixels)
    axes.set_axis_off()
    plt.show()
    return True
