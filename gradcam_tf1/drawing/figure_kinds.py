"""The figures a run can make of each image: what each needs, what draws it, and writing them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Sequence

import numpy as np

from gradcam_tf1.drawing.figure_grid import save
from gradcam_tf1.drawing.image_figures import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS, choose_methods
from gradcam_tf1.targets import Top, Worst

Asked = Dict[str, Any]

# of these, the ones that the net allows stand side by side where no methods were asked for
SHOWN_METHODS = ("gradcam", "gradcampp", "hirescam", "layercam", "eigencam")
SHOWN_LAYERS = 4


@dataclass(frozen=True)
class FigureKind:
    """One figure. ask: (net, what the run asks of `explain`) -> what the figure asks. draw: see `panels.py`.

    of_one_layer: where the run asks for several layers there is one such figure for each.
    """

    name: str
    summary: str
    ask: Callable[[Any, Asked], Asked]
    draw: Callable[..., Any]
    of_one_layer: bool = True

    def asked(self, net: Any, run: Asked) -> Dict[str, Asked]:
        """What is asked for each figure of this kind, by the figure's name. run: what the run asks of `explain`."""
        layers = run["layers"]
        several = isinstance(layers, (list, tuple)) and len(layers) > 1
        if not (self.of_one_layer and several):
            return {self.name: self.ask(net, run)}
        runs = {f"{self.name}.l{place}": {**run, "layers": [layer]} for place, layer in enumerate(layers, 1)}
        return {name: self.ask(net, one) for name, one in runs.items()}


def _classes(net: Any, asked: Asked) -> Asked:
    classes = 2 if net.binding.classes == 1 else net.binding.classes or 4
    best = [Top(min(3, classes - 1))] if classes > 1 else []
    return {**asked, "targets": [*best, Worst()], "methods": _method(asked)}


def _layers(net: Any, asked: Asked) -> Asked:
    layers = asked["layers"]
    if not isinstance(layers, (list, tuple)) or len(layers) < 2:
        there = sum(layer.counted for layer in net.binding.layers)
        layers = [-place for place in range(1, min(SHOWN_LAYERS, there) + 1)]
    return {**asked, "methods": _method(asked), "layers": layers}


def _methods(net: Any, asked: Asked) -> Asked:
    methods = asked["methods"] or net.usable_methods(SHOWN_METHODS, asked["layers"])[0]
    return {**asked, "methods": methods}


def _signs(_net: Any, asked: Asked) -> Asked:
    return {**asked, "methods": ["positive_negative"]}


def _method(asked: Asked) -> List[str]:
    """The first method asked for that looks at a layer."""
    return [name for name in asked["methods"] if METHODS[name].uses_layer][:1] or ["gradcam"]


FIGURES: Dict[str, FigureKind] = {
    kind.name: kind
    for kind in (
        FigureKind("top3-worst", "the three best classes and the lowest one", _classes, classes_figure),
        FigureKind("layers", "the layers asked for, or the last four", _layers, layers_figure, of_one_layer=False),
        FigureKind("methods", "the methods asked for, or five usual ones", _methods, methods_figure),
        FigureKind("positive-negative", "evidence for and against, on one scale", _signs, signs_figure),
    )
}


def find_kinds(names: Any) -> List[FigureKind]:
    """The figures of these names, each once. Raises: OptionError listing what is possible."""
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in FIGURES:
            raise OptionError(f"no figure {name!r}; possible: {', '.join(FIGURES)}")
    return [FIGURES[name] for name in dict.fromkeys(given)]


class FigureMaker:
    """Explains and draws figures of images that go through the net together.

    asked: keyword arguments of `explain` as the run has them. Each kind asks in a pass of its own. Several threads may
    make figures, one draws at a time: matplotlib is not made for more.
    """

    def __init__(self, net: Any, kinds: Sequence[FigureKind], asked: Dict[str, Any], style: Style) -> None:
        self._drawing = threading.Lock()
        self._style = style
        self._plans = {name: (kind, _fitting(plan)) for kind in kinds for name, plan in kind.asked(net, asked).items()}

    @property
    def names(self) -> List[str]:
        """Of the figures."""
        return list(self._plans)

    def make(
        self,
        net: Any,
        images: Sequence[np.ndarray],
        fitted: Sequence[Any],
        paths: Sequence[Dict[str, str]],
        targets: Any,
        inputs: Mapping[str, Any],
    ) -> None:
        """Write the figures of these images.

        paths: for each image, name -> path in a folder that is there. targets, inputs: as the run asks.
        """
        for name, (kind, plan) in self._plans.items():
            explanation = net.explain(fitted, **{"targets": targets, **plan, "inputs": inputs})
            for n, (image, path) in enumerate(zip(images, paths)):
                if not path:  # finished in an earlier run
                    continue
                with self._drawing:
                    save(kind.draw(explanation, image, n, net.labels, self._style), path[name])


def _fitting(plan: Dict[str, Any]) -> Dict[str, Any]:
    """The plan without options of methods that the figure does not show, and without a fusion of one layer."""
    names: List[str] = list(choose_methods(plan["methods"]))
    options = {name: given for name, given in (plan.get("options") or {}).items() if name in names}
    several = isinstance(plan["layers"], (list, tuple)) and len(plan["layers"]) > 1
    return {**plan, "options": options, "fuse": plan.get("fuse") if several else None}
