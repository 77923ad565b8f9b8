"""The four figures of one explained image. Each takes an Explanation and gives a matplotlib Figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Sequence

import numpy as np

from gradcam_tf1.drawing.figure_grid import LETTERS, NO_EVIDENCE, Panel, grid
from gradcam_tf1.drawing.overlay import contrast
from gradcam_tf1.drawing.style import AGAINST, Style, draw, full_heat
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import MapKey

if TYPE_CHECKING:
    from gradcam_tf1.engine.explanation import Explanation

MAX_ROWS = 10
# how the reason of an empty map begins -> what its panel says
EMPTY = (("all evidence here is against", NO_EVIDENCE), ("no gradient leads", "no way to this score"))
NOTHING = "zero everywhere"
_DEFAULT = Style()


def classes_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Any:
    """One row, one panel per target: of targets [Top(3), Worst()] the three best classes and the lowest one.

    Args:
        explanation: its first method and layer are shown. image: the original image n, uint8 [H, W, 3] RGB.
        labels: names for the titles. style: how maps are drawn.
    """
    key = next(iter(explanation.maps))
    about = _Painter(explanation, image, n, style)
    return grid([[about.panel(t, key) for t in about.slots]], style.colormap)


def layers_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Any:
    """One panel per layer of the explanation's first method, one row per target. Arguments: as `classes_figure`."""
    method = next(iter(explanation.maps))[0]
    keys = [key for key in explanation.maps if key[0] == method]
    about = _Painter(explanation, image, n, style)
    rows = [[about.panel(t, key, _end_of(key[1])) for key in keys] for t in about.slots]
    return grid(rows, style.colormap)


def methods_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Any:
    """One panel per method, at its first layer, one row per target. Arguments: as `classes_figure`."""
    keys = [explanation.key(method) for method in dict.fromkeys(method for method, _ in explanation.maps)]
    about = _Painter(explanation, image, n, style)
    rows = [[about.panel(t, key, key[0]) for key in keys] for t in about.slots]
    return grid(rows, style.colormap)


def signs_figure(explanation: Explanation, image: np.ndarray, n: int = 0, style: Style = _DEFAULT) -> Any:
    """Evidence for and against, methods "positive" and "negative" on one shared scale, one row per target.

    Arguments: as `classes_figure`. Raises: OptionError where the explanation lacks one of the two.
    """
    if not {"positive", "negative"} <= {method for method, _ in explanation.maps}:
        raise OptionError("this figure needs the methods 'positive' and 'negative'; explain with 'positive_negative'")
    keys = [explanation.key(method) for method in ("positive", "negative")]
    about = _Painter(explanation, image, n, style, keys)
    return grid([[about.panel(t, key, key[0]) for key in keys] for t in about.slots], style.colormap)


class _Painter:
    """Makes the panels of one image.

    slots: its targets, each once, at most MAX_ROWS. together: maps that share a scale, and so do the targets of a map.
    With a style of own scales the targets do not.
    """

    def __init__(
        self,
        explanation: Explanation,
        image: np.ndarray,
        n: int,
        style: Style,
        together: Sequence[MapKey] = (),
    ) -> None:
        self._explanation, self._image, self._n = explanation, image, n
        self._style, self._together = style, together
        self.slots = _slots(explanation, n)

    def panel(self, t: int, key: MapKey, head: str = "") -> Panel:
        """One map as a panel. head: first line of the title."""
        space = METHODS[key[0]].space
        empty = self._explanation.statuses[key][self._n][t].state == "empty"
        placement = self._explanation.placements[self._n]
        map = None if empty else self._explanation.map(key[0], self._n, t, key[1]).placed()
        scale = self._contrast(t, key) if space == "pixels" else self._scale(t, key)
        drawn = draw(self._image, map, placement, space, self._style, scale, key[0] in AGAINST)
        title = [head, *self._title(t)] if head else self._title(t)
        ends = None if space == "pixels" or scale is None else (-scale if self._style.signed else 0.0, scale)
        return Panel(next(iter(drawn.images.values())), title, ends, self._why_empty(t, key) if empty else "")

    def _why_empty(self, t: int, key: MapKey) -> str:
        reason = self._explanation.statuses[key][self._n][t].reason
        return next((said for start, said in EMPTY if reason.startswith(start)), NOTHING)

    def _scale(self, t: int, key: MapKey) -> Optional[float]:
        """What counts as full heat."""
        slots = self.slots if self._style.share_scale else [t]
        shared = [(slot, other) for slot in slots for other in self._together or [key]]
        statuses = (self._explanation.statuses[other][self._n][slot] for slot, other in shared)
        return full_heat(statuses, self._style.signed)

    def _contrast(self, t: int, key: MapKey) -> Optional[float]:
        """What counts as full contrast of a map by the pixels."""
        slots = self.slots if self._style.share_scale else [t]
        full = [contrast(self._explanation.maps[key][self._n, slot]) for slot in slots]
        return max((each for each in full if each is not None), default=None)

    def _title(self, t: int) -> List[str]:
        """Label, or what else the target is, and score."""
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


def _end_of(name: str) -> str:
    """The end of a layer's name, which says more than its scopes."""
    return name if len(name) <= LETTERS else "\N{HORIZONTAL ELLIPSIS}" + name[1 - LETTERS :]


def _slots(explanation: Explanation, n: int) -> Sequence[int]:
    """The targets, each once, at most MAX_ROWS of them."""
    abouts = explanation.abouts or [""] * explanation.class_ids.shape[1]
    asked = list(zip(explanation.class_ids[n].tolist(), abouts))
    return [t for t, target in enumerate(asked) if target not in asked[:t]][:MAX_ROWS]
