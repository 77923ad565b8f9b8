"""The four figures of one explained image. Each takes an Explanation and returns a matplotlib Figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Sequence

import numpy as np

from gradcam_tf1.drawing.figure_grid import LETTERS, NO_EVIDENCE, Panel, grid
from gradcam_tf1.drawing.map_range import contrast
from gradcam_tf1.drawing.style import AGAINST, Style, check_style, draw, full_heat
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import MapKey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gradcam_tf1.drawing.explanation import Explanation

MAX_ROWS = 10
# start of an empty map's reason -> text of its panel
EMPTY = (("all evidence here is against", NO_EVIDENCE), ("no gradient leads", "no way to this score"))
NOTHING = "zero everywhere"
_DEFAULT = Style()


def classes_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Figure:
    """Return a figure of one image with one panel per target, in one row.

    With targets [Top(3), Worst()] it shows the three best classes and the lowest one.

    Parameters
    ----------
    explanation : Explanation
        Its first method and layer are shown.
    image : np.ndarray
        The original image n, uint8 [H, W, 3], RGB.
    n : int
        Number of the image in the explanation.
    style : Style
        Options of drawing.

    Returns
    -------
    matplotlib.figure.Figure
    """
    key = next(iter(explanation.maps))
    painter = _Painter(explanation, image, n, style)
    return grid([[painter.panel(t, key) for t in painter.slots]], style.colormap)


def layers_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Figure:
    """Return a figure of one image with one panel per layer of the first method, one row per target.

    Parameters
    ----------
    explanation : Explanation
        All layers of its first method are shown.
    image : np.ndarray
        The original image n, uint8 [H, W, 3], RGB.
    n : int
        Number of the image in the explanation.
    style : Style
        Options of drawing.

    Returns
    -------
    matplotlib.figure.Figure
    """
    method = next(iter(explanation.maps))[0]
    keys = [key for key in explanation.maps if key[0] == method]
    painter = _Painter(explanation, image, n, style)
    rows = [[painter.panel(t, key, shortened(key[1])) for key in keys] for t in painter.slots]
    return grid(rows, style.colormap)


def methods_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Figure:
    """Return a figure of one image with one panel per method, one row per target.

    Parameters
    ----------
    explanation : Explanation
        All its methods are shown, each at its first layer.
    image : np.ndarray
        The original image n, uint8 [H, W, 3], RGB.
    n : int
        Number of the image in the explanation.
    style : Style
        Options of drawing.

    Returns
    -------
    matplotlib.figure.Figure
    """
    keys = [explanation.key(method) for method in dict.fromkeys(method for method, _ in explanation.maps)]
    painter = _Painter(explanation, image, n, style)
    rows = [[painter.panel(t, key, key[0]) for key in keys] for t in painter.slots]
    return grid(rows, style.colormap)


def signs_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Figure:
    """Return a figure of the evidence for and against, on one scale, one row per target.

    Parameters
    ----------
    explanation : Explanation
        Its methods "positive" and "negative" are shown, each at its first layer.
    image : np.ndarray
        The original image n, uint8 [H, W, 3], RGB.
    n : int
        Number of the image in the explanation.
    style : Style
        Options of drawing.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    OptionError
        If the explanation lacks one of the two methods.
    """
    if not {"positive", "negative"} <= {method for method, _ in explanation.maps}:
        raise OptionError("this figure needs the methods 'positive' and 'negative'; explain with 'positive_negative'")
    keys = [explanation.key(method) for method in ("positive", "negative")]
    painter = _Painter(explanation, image, n, style, keys)
    return grid([[painter.panel(t, key, key[0]) for key in keys] for t in painter.slots], style.colormap)


class _Painter:
    """Make the panels of one image.

    `slots` are its targets, each once, at most MAX_ROWS. With `style.share_scale` the targets share one scale. The maps
    of the keys in `together` share one, too.
    """

    def __init__(
        self,
        explanation: Explanation,
        image: np.ndarray,
        n: int,
        style: Style,
        together: Sequence[MapKey] = (),
    ) -> None:
        check_style(style)
        n = explanation.map(next(iter(explanation.maps))[0], n).n
        self._explanation, self._image, self._n = explanation, image, n
        self._style, self._together = style, together
        self.slots = target_numbers(explanation, n)

    def panel(self, t: int, key: MapKey, head: str = "") -> Panel:
        """Draw the map of target t as a panel; `head` is the first line of its title."""
        space = METHODS[key[0]].space
        empty = self._explanation.statuses[key][self._n][t].state == "empty"
        placement = self._explanation.placements[self._n]
        map = None if empty else self._explanation.map(key[0], self._n, t, key[1]).placed()
        scale = self._contrast(t, key) if space == "pixels" else self._scale(t, key)
        drawn = draw(self._image, map, placement, space, self._style, scale, key[0] in AGAINST)
        title = [head, *self._title(t)] if head else self._title(t)
        ends = None if space == "pixels" or scale is None else (-scale if self._style.signed else 0.0, scale)
        why = empty_text(self._explanation.statuses[key][self._n][t].reason) if empty else ""
        return Panel(next(iter(drawn.images.values())), title, ends, why)

    def _scale(self, t: int, key: MapKey) -> Optional[float]:
        """Return the value drawn at full strength."""
        slots = self.slots if self._style.share_scale else [t]
        shared = [(slot, other) for slot in slots for other in self._together or [key]]
        statuses = (self._explanation.statuses[other][self._n][slot] for slot, other in shared)
        return full_heat(statuses, self._style.signed)

    def _contrast(self, t: int, key: MapKey) -> Optional[float]:
        """Return the magnitude of a pixel map drawn at full contrast."""
        slots = self.slots if self._style.share_scale else [t]
        contrasts = [contrast(self._explanation.maps[key][self._n, slot]) for slot in slots]
        return max((value for value in contrasts if value is not None), default=None)

    def _title(self, t: int) -> List[str]:
        """Return two lines: the label or other description of the target, and its score."""
        explanation, n = self._explanation, self._n
        class_id, score = int(explanation.class_ids[n, t]), float(explanation.scores[n, t])
        name = (
            ""
            if class_id < 0
            else self._explanation.labels.name(class_id)
            if self._explanation.labels
            else f"class {class_id}"
        )
        about = explanation.abouts[t] if explanation.abouts else ""
        shown = f"{score:.2f}" if abs(score) >= 0.1 else f"{score:.2g}"
        if explanation.probabilities is not None and class_id >= 0:
            shown += f"  ({float(explanation.probabilities[n, t]):.1%})"
        return [" ".join(filter(None, [name, about])), shown]


def empty_text(reason: str) -> str:
    """Return the text on the panel of a map that is zero everywhere, from its reason."""
    return next((text for start, text in EMPTY if reason.startswith(start)), NOTHING)


def shortened(name: str) -> str:
    """Keep the end of a long layer name, which says more than its scopes."""
    return name if len(name) <= LETTERS else "\N{HORIZONTAL ELLIPSIS}" + name[1 - LETTERS :]


def target_numbers(explanation: Explanation, n: int) -> Sequence[int]:
    """Return the numbers of the targets, each target once, at most MAX_ROWS."""
    abouts = explanation.abouts or [""] * explanation.class_ids.shape[1]
    targets = list(zip(explanation.class_ids[n].tolist(), abouts))
    return [t for t, target in enumerate(targets) if target not in targets[:t]][:MAX_ROWS]
