"""The figures that a run can make of each image: what each one explains, draws and writes."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.figure_grid import save_figure
from gradcam_tf1.drawing.image_figures import classes_figure, layers_figure, methods_figure, signs_figure
from gradcam_tf1.drawing.spectrogram_axes import SpectrogramAxes
from gradcam_tf1.drawing.spectrogram_figures import spectrogram_maps_figure
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.targets import Top, Worst
from gradcam_tf1.types import Binding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Request = Dict[str, Any]  # keyword arguments of `explain`

# shown side by side where no methods are requested, except those that the net does not allow
SHOWN_METHODS = ("gradcam", "gradcampp", "hirescam", "layercam", "eigencam")
SHOWN_LAYERS = 4
SPECTROGRAM = "spectrogram"


class FigureNet(ABC):
    """What the figures need to know of a net; `BoundNet` provides it."""

    @property
    @abstractmethod
    def binding(self) -> Binding:
        """The key tensors of the net."""

    @abstractmethod
    def usable_methods(self, methods: Methods, layers: Any = None) -> Tuple[List[str], Dict[str, str]]:
        """Return the methods that work on this net, and the reason for each that does not."""


class FigureExplainer(ABC):
    """What explains the images of a figure; `NetExplainer` provides it."""

    @abstractmethod
    def explain(self, given: Any, targets: Any, methods: Methods, layers: Any, score: str, options: Any) -> Explanation:
        """Explain prepared images."""


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
        A figure function of `image_figures`; that of spectrograms also takes the axes.
    of_one_layer : bool
        Whether it shows one layer; a run with several layers then makes one figure for each.
    """

    name: str
    summary: str
    request: Callable[[FigureNet, Request], Request]
    draw: Callable[..., Figure]
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


def _spectrogram(_net: FigureNet, run: Request) -> Request:
    return {**run, "methods": run["methods"] or ["gradcam"]}


def _layer_method(run: Request) -> List[Any]:
    """Return the first requested method that uses a layer, by default gradcam."""
    return [method for method in run["methods"] if METHODS[method.name].uses_layer][:1] or ["gradcam"]


FIGURES: Dict[str, FigureKind] = {
    kind.name: kind
    for kind in (
        FigureKind("top3-worst", "the three best classes and the lowest one", _classes, classes_figure),
        FigureKind("layers", "the requested layers, or the last four", _layers, layers_figure, of_one_layer=False),
        FigureKind("methods", "the requested methods, or five usual ones", _methods, methods_figure),
        FigureKind("positive-negative", "evidence for and against, on one scale", _signs, signs_figure),
        FigureKind(SPECTROGRAM, "each map on the spectrogram, in s and Hz", _spectrogram, spectrogram_maps_figure),
    )
}


def find_kinds(names: Any, axes: Optional[SpectrogramAxes] = None) -> List[FigureKind]:
    """Return the kinds of these names, each once.

    Parameters
    ----------
    names : str or sequence of str
        One name or several.
    axes : SpectrogramAxes or None
        Those of the figure of spectrograms.

    Returns
    -------
    list of FigureKind

    Raises
    ------
    OptionError
        If a name is unknown, which lists the possible ones, or the figure of spectrograms has no axes.
    """
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, (list, tuple)):
        raise OptionError(f"figures are {names!r}; give names of these: {', '.join(FIGURES)}")
    for name in names:
        if not isinstance(name, str) or name not in FIGURES:
            raise OptionError(f"no figure {name!r}; possible: {', '.join(FIGURES)}")
    if axes is not None and not isinstance(axes, SpectrogramAxes):
        raise OptionError(f"axes are SpectrogramAxes(...), not {axes!r}")
    if (axes is None) == (SPECTROGRAM in names):
        raise OptionError(
            f"the figure {SPECTROGRAM!r} needs axes=SpectrogramAxes(...): its sample rate, hop and frequencies"
            if axes is None
            else f"axes are those of the figure {SPECTROGRAM!r}: ask for it, too (--figure {SPECTROGRAM})"
        )
    kinds = [FIGURES[name] for name in dict.fromkeys(names)]
    return [replace(kind, draw=partial(kind.draw, axes=axes)) if kind.name == SPECTROGRAM else kind for kind in kinds]


class FigureMaker:
    """Explains and draws figures of images that go through the net together. Each kind takes a pass of its own.

    Several threads may use one FigureMaker. They draw one at a time, because matplotlib is not thread-safe.

    Parameters
    ----------
    net : FigureNet
        The net that is explained.
    kinds : sequence of FigureKind
        The kinds of figures to make.
    methods, layers
        Those of the run; no methods where none were requested.
    style : Style
        Options of drawing.
    """

    def __init__(
        self, net: FigureNet, kinds: Sequence[FigureKind], methods: Sequence[Any], layers: Any, style: Style
    ) -> None:
        run: Request = {"methods": methods, "layers": layers}
        self._drawing = threading.Lock()
        self._style = style
        self._plans = {name: (kind, request) for kind in kinds for name, request in kind.requests(net, run).items()}

    @property
    def names(self) -> List[str]:
        """Names of the figures, in order."""
        return list(self._plans)

    def make(
        self,
        explainer: FigureExplainer,
        prepared: Any,
        images: Sequence[Optional[np.ndarray]],
        paths: Sequence[Dict[str, str]],
        targets: Any,
        score: str,
        options: Any,
    ) -> None:
        """Write the figures of these images.

        Parameters
        ----------
        explainer : FigureExplainer
            Explains on the device of this thread.
        prepared : NetInput
            The images, prepared for it.
        images : sequence of np.ndarray
            The original images, uint8 [H, W, 3], RGB.
        paths : sequence of dict
            For each image, figure name -> path; {} for an image whose figures exist already. The folders must exist.
        targets : Any
            The run's targets, for figures that set none themselves.
        score : str
            The run's score.
        options : ExplainOptions
            The run's options; a figure of one layer takes no fusion.

        Raises
        ------
        OSError
            If a file cannot be written; names the path.
        """
        for name, (kind, request) in self._plans.items():
            several = isinstance(request["layers"], (list, tuple)) and len(request["layers"]) > 1
            chosen = options if several else replace(options, fuse=None)
            arguments = (request.get("targets", targets), request["methods"], request["layers"], score, chosen)
            explanation = explainer.explain(prepared, *arguments)
            for n, (image, path) in enumerate(zip(images, paths)):
                if path and image is not None:
                    with self._drawing:
                        save_figure(kind.draw(explanation, image, n, self._style), path[name])
