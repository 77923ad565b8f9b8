"""What is explained during a training, and how: the record that hook, listener and callback share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple

from gradcam_tf1.drawing.style import Style, check_style
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import OptionError
from gradcam_tf1.graph import GradCamGraph
from gradcam_tf1.methods.choices import Methods, choose_methods
from gradcam_tf1.types import LoadedModel

ON_ERROR = ("warn", "stop")
_EXPLAIN, _STYLE = ExplainOptions(), Style()
_FOLLOWED = Callable[[LoadedModel], GradCamGraph]


@dataclass(frozen=True)
class TrainingMaps:
    """What is explained while a net is trained.

    Attributes
    ----------
    images : str, array, image or list
        The images, the same at every step: a folder, file or pattern, an array, a PIL image, or a list of these. They
        are read once, before the first maps.
    net : callable
        Opens the copy of the net that is explained: GradCamGraph, a subclass, or
        `functools.partial(GradCamGraph, preset="inception", labels="labels.txt")`.
    targets, methods, layers, score
        As in `GradCamGraph.explain`; targets of None follow the top class of each step.
    options : ExplainOptions
        Noise, smoothing, fusion, further inputs.
    style : Style
        How maps are drawn.
    logdir : str or None
        Folder of the event files; None for the folder of the checkpoints, where a session saves some.
    build : callable or None
        A function without arguments that builds the net for inference in the default graph, with the variable names of
        the training. Needed where the graph that is trained has batch norm or dropout in training mode without a
        switch, as the training graph of an Estimator. None for the graph that is trained.
    moving_averages : bool
        Use the averages of tf.train.ExponentialMovingAverage for all variables that have one.
    on_error : {"warn", "stop"}
        Log a warning, once for each cause, where maps cannot be made, or let the error end the training.

    Raises
    ------
    OptionError
        If a field has a wrong type or value.
    """

    images: Any
    net: _FOLLOWED = GradCamGraph
    targets: Any = None
    methods: Methods = "gradcam"
    layers: Any = None
    score: str = "logit"
    options: ExplainOptions = _EXPLAIN
    style: Style = _STYLE
    logdir: Optional[str] = None
    build: Optional[Callable[[], object]] = None
    moving_averages: bool = False
    on_error: str = "warn"

    def __post_init__(self) -> None:
        choose_methods(self.methods)
        check_style(self.style)
        if not isinstance(self.options, ExplainOptions):
            raise OptionError(f"options is {self.options!r}; give options=ExplainOptions(...)")
        for name, value in (("net", self.net), ("build", self.build)):
            if value is not None and not callable(value):
                raise OptionError(f"{name} is a function, not {value!r}")
        if self.logdir is not None and not isinstance(self.logdir, (str, os.PathLike)):
            raise OptionError(f"logdir is the path of a folder, or None, not {self.logdir!r}")
        if not isinstance(self.moving_averages, bool):
            raise OptionError(f"moving_averages is True or False, not {self.moving_averages!r}")
        if self.on_error not in ON_ERROR:
            raise OptionError(f"on_error is {' or '.join(ON_ERROR)}, not {self.on_error!r}")


def check_maps(maps: Any) -> TrainingMaps:
    """Return a TrainingMaps. Raises OptionError for anything else."""
    if not isinstance(maps, TrainingMaps):
        raise OptionError(f"{maps!r} does not say what to explain; give TrainingMaps(images, ...)")
    return maps


def check_every(**every: Any) -> None:
    """Raise OptionError unless exactly one of the intervals is given, and above 0."""
    given = {name: value for name, value in every.items() if value is not None}
    names = " or ".join(every)
    if len(given) != 1:
        raise OptionError(f"give one of {names}, not {', '.join(given) or 'none'}")
    for name, value in given.items():
        kinds: Tuple[type, ...] = (int, float) if name.endswith("secs") else (int,)
        if type(value) not in kinds or not value > 0:
            raise OptionError(f"{name} is a number above 0, not {value!r}")
