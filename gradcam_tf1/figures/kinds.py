"""The figures that a run can make of each picture: what each asks of the net, and what draws it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List

from gradcam_tf1.errors import OptionError
from gradcam_tf1.figures.panels import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.methods import METHODS
from gradcam_tf1.targets import Top, Worst

Asked = Dict[str, Any]

# of these, the ones that the net allows stand side by side where fewer than two methods were asked for
SHOWN_METHODS = ("gradcam", "gradcampp", "hirescam", "layercam", "eigencam")
SHOWN_LAYERS = 4


@dataclass(frozen=True)
class Kind:
    """One figure. ask: (net, what the run asks of `explain`) -> what the figure asks. draw: see `panels.py`."""

    name: str
    summary: str
    ask: Callable[[Any, Asked], Asked]
    draw: Callable[..., Any]


def _classes(net: Any, asked: Asked) -> Asked:
    classes = 2 if net.binding.classes == 1 else net.binding.classes or 4
    best = [Top(min(3, classes - 1))] if classes > 1 else []
    return {**asked, "targets": [*best, Worst()], "methods": _method(asked), "layers": _layer(asked)}


def _layers(net: Any, asked: Asked) -> Asked:
    layers = asked["layers"]
    if not isinstance(layers, (list, tuple)) or len(layers) < 2:
        there = sum(layer.counted for layer in net.binding.layers)
        layers = [-place for place in range(1, min(SHOWN_LAYERS, there) + 1)]
    return {**asked, "methods": _method(asked), "layers": layers}


def _methods(net: Any, asked: Asked) -> Asked:
    methods = asked["methods"]
    if len(methods) < 2:
        methods = net.usable_methods(SHOWN_METHODS, _layer(asked))[0]
    return {**asked, "methods": methods, "layers": _layer(asked)}


def _signs(_net: Any, asked: Asked) -> Asked:
    return {**asked, "methods": ["positive_negative"], "layers": _layer(asked)}


def _method(asked: Asked) -> List[str]:
    """The first method asked for that looks at a layer."""
    return [name for name in asked["methods"] if METHODS[name].uses_layer][:1] or ["gradcam"]


def _layer(asked: Asked) -> Any:
    """The first layer asked for."""
    layers = asked["layers"]
    return layers[0] if isinstance(layers, (list, tuple)) and layers else layers


FIGURES: Dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("top3-worst", "the three best classes and the lowest one", _classes, classes_figure),
        Kind("layers", "the layers asked for, or the last four", _layers, layers_figure),
        Kind("methods", "the methods asked for, or five usual ones", _methods, methods_figure),
        Kind("positive-negative", "evidence for and against, on one scale", _signs, signs_figure),
    )
}


def find_kinds(names: Any) -> List[Kind]:
    """The figures of these names, each once. Raises: OptionError listing what is possible."""
    given = [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in FIGURES:
            raise OptionError(f"no figure {name!r}; possible: {', '.join(FIGURES)}")
    return [FIGURES[name] for name in dict.fromkeys(given)]
