"""The figures that a run can make of each image: what each one explains, draws and writes."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.figure_grid import save
from gradcam_tf1.drawing.image_figures import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.labels import Labels
from gradcam_tf1.methods import METHODS, expand_methods
from gradcam_tf1.targets import Top, Worst
from gradcam_tf1.types import Binding, Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Request = Dict[str, Any]  # keyword arguments of `explain`

# shown side by side where no methods are requested, except those that the net does not allow
SHOWN_METHODS = ("gradcam", "gradcampp", "hirescam", "layercam", "eigencam")
SHOWN_LAYERS = 4


class FigureNet(ABC):
    """What the figures need of a net; `GradCamGraph` provides it."""

    @property
    @abstractmethod
    def binding(self) -> Binding:
        """The key tensors of the net."""

    @property
    @abstractmethod
    def labels(self) -> Optional[Labels]:
        """The class names, None where none were given."""

    @abstractmethod
    def usable_methods(self, methods: Sequence[str], layers: Any = None) -> Tuple[List[str], Dict[str, str]]:
        """Return the methods that work on this net, and for each of the others the reason why not."""

    @abstractmethod
    def explain(self, images: Any, targets: Any = None, **options: Any) -> Explanation:
        """Explain images; see `GradCamGraph.explain`."""


@dataclass(frozen=True)
class FigureKind:
    """One kind of figure.

    Attributes
    ----------
    name : str
        The name that selects it.
    summary : str
        What it shows, for the command line.
    request : callable
        (net, the run's arguments of `explain`) -> the figure's arguments of `explain`.
    draw : callable
        A figure function of `image_figures`.
    of_one_layer : bool
        Whether it shows one layer; a run with several layers then makes one figure for each.
    """

    name: str
    summary: str
    request: Callable[[FigureNet, Request], Request]
    draw: Callable[[Explanation, np.ndarray, int, Optional[Labels], Style], Figure]
    of_one_layer: bool = True

    def requests(self, net: FigureNet, run: Request) -> Dict[str, Request]:
        """Return the arguments of `explain` for each figure of this kind.

        Parameters
        ----------
        net : FigureNet
            The net that is explained.
        run : dict
            The run's keyword arguments of `explain`.

        Returns
        -------
        dict
            Figure name -> keyword arguments of `explain`.
        """
        layers = run["layers"]
        several = isinstance(layers, (list, tuple)) and len(layers) > 1
        if not (self.of_one_layer and several):
            return {self.name: self.request(net, run)}
        runs = {f"{self.name}.l{number}": {**run, "layers": [layer]} for number, layer in enumerate(layers, 1)}
        return {name: self.request(net, request) for name, request in runs.items()}


def _classes(net: FigureNet, run: Request) -> Request:
    classes = 2 if net.binding.classes == 1 else net.binding.classes or 4
    best = [Top(min(3, classes - 1))] if classes > 1 else []
    return {**run, "targets": [*best, Worst()], "methods": _layer_method(run)}


def _layers(net: FigureNet, run: Request) -> Request:
    layers = run["layers"]
    if not isinstance(layers, (list, tuple)) or len(layers) < 2:
        count = sum(layer.counted for layer in net.binding.layers)
        layers = [-number for number in range(1, min(SHOWN_LAYERS, count) + 1)]
    return {**run, "methods": _layer_method(run), "layers": layers}


def _methods(net: FigureNet, run: Request) -> Request:
    return {**run, "methods": run["methods"] or net.usable_methods(SHOWN_METHODS, run["layers"])[0]}


def _signs(_net: FigureNet, run: Request) -> Request:
    return {**run, "methods": ["positive_negative"]}


def _layer_method(run: Request) -> List[str]:
    """Return the first requested method that uses a layer, by default gradcam."""
    return [name for name in run["methods"] if METHODS[name].uses_layer][:1] or ["gradcam"]


FIGURES: Dict[str, FigureKind] = {
    kind.name: kind
    for kind in (
        FigureKind("top3-worst", "the three best classes and the lowest one", _classes, classes_figure),
        FigureKind("layers", "the requested layers, or the last four", _layers, layers_figure, of_one_layer=False),
        FigureKind("methods", "the requested methods, or five usual ones", _methods, methods_figure),
        FigureKind("positive-negative", "evidence for and against, on one scale", _signs, signs_figure),
    )
}


def find_kinds(names: Any) -> List[FigureKind]:
    """Return the kinds of these names, each once.

    Parameters
    ----------
    names : str or sequence of str
        One name or several.

    Returns
    -------
    list of FigureKind

    Raises
    ------
    OptionError
        If a name is unknown; lists the possible ones.
    """
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in FIGURES:
            raise OptionError(f"no figure {name!r}; possible: {', '.join(FIGURES)}")
    return [FIGURES[name] for name in dict.fromkeys(names)]


class FigureMaker:
    """Explain and draw the figures of a batch of images, with one call of `explain` per figure.

    Several threads may use one FigureMaker. They draw one at a time, because matplotlib is not thread-safe.

    Parameters
    ----------
    net : FigureNet
        The net that is explained.
    kinds : sequence of FigureKind
        The kinds of figures to make.
    run : dict
        The run's keyword arguments of `explain`.
    style : Style
        Options of drawing.
    """

    def __init__(self, net: FigureNet, kinds: Sequence[FigureKind], run: Request, style: Style) -> None:
        self._drawing = threading.Lock()
        self._style = style
        self._plans = {
            name: (kind, _without_unused(request))
            for kind in kinds
            for name, request in kind.requests(net, run).items()
        }

    @property
    def names(self) -> List[str]:
        """Names of the figures, in order."""
        return list(self._plans)

    def make(
        self,
        net: FigureNet,
        images: Sequence[np.ndarray],
        fitted: Sequence[Any],
        paths: Sequence[Dict[str, str]],
        targets: Any,
        inputs: Mapping[str, Any],
    ) -> None:
        """Write the figures of a batch as PNG files.

        Parameters
        ----------
        net : FigureNet
            The net on the device of this thread.
        images : sequence of np.ndarray
            The original images, uint8 [H, W, 3], RGB.
        fitted : sequence of Fitted
            The same images at the size of the net's input, as `explain` takes them.
        paths : sequence of dict
            For each image, figure name -> path; {} for an image whose figures exist already. The folders must exist.
        targets : Any
            The run's targets, for figures that set none themselves.
        inputs : mapping
            The run's values of further inputs, by name.

        Raises
        ------
        OSError
            If a file cannot be written; names the path.
        """
        for name, (kind, request) in self._plans.items():
            explanation = net.explain(fitted, **{"targets": targets, **request, "inputs": inputs})
            for n, (image, path) in enumerate(zip(images, paths)):
                if not path:  # finished in an earlier run
                    continue
                with self._drawing:
                    save(kind.draw(explanation, image, n, net.labels, self._style), path[name])


def _without_unused(request: Request) -> Request:
    """Drop the options of methods that the figure does not show, and the fusion where there is one layer."""
    names = expand_methods(request["methods"])
    options = {name: values for name, values in (request.get("options") or {}).items() if name in names}
    several = isinstance(request["layers"], (list, tuple)) and len(request["layers"]) > 1
    return {**request, "options": options, "fuse": request.get("fuse") if several else None}
