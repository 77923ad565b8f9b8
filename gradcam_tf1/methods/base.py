"""What all methods have in common: what one run fetches for them, and how these numbers become maps.

Words and shapes, everywhere in this package: y is the score that is explained (before softmax, unless the target says
otherwise); `features` A and `grads` g = dy/dA are float32 [N, h, w, K] (channels last, any number of spatial axes).
"""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import GraphOpsBase, ProbeBase
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.methods.options import Option
from gradcam_tf1.tf_runtime import tf
from gradcam_tf1.types import LayerInfo, MethodProgress, ScoreKey, Slot

INPUTS = ("images", "signals", "volumes", "clips")
LOGIT: ScoreKey = ("logit",)

GRADIENT_IS_ZERO = "the gradient or the features are zero everywhere: saturated or dead units before the score"
NOTHING_VARIES = "the features, or the gradient, do not vary over the positions"
FACTOR_IS_ZERO = "one of the factors of this map is zero: the map of the layer, or the gradient by the pixels"
NO_EFFECT = "nothing that the method tried made a difference to the score"


@dataclass(frozen=True)
class MapTask:
    """The maps that a method has to make in one run.

    Attributes
    ----------
    layers : tuple of LayerInfo
        The layers to look at.
    slots : sequence of Slot
        One for each target.
    options : mapping
        The method's given options by name; the others have their defaults.
    by_channel : bool
        Whether layer methods give the first principal component of their weighted features, not the sum.
    """

    layers: Tuple[LayerInfo, ...]
    slots: Sequence[Slot]
    options: Mapping[str, Any]
    by_channel: bool = False


class FetchKey(NamedTuple):
    """What a fetched tensor is: of a single layer, which is part of `together` where several count as one layer."""

    what: str
    layer: str = ""
    slot: Optional[Slot] = None
    together: str = ""


Fetches = Dict[FetchKey, "tf.Tensor"]
Fetched = Mapping[FetchKey, np.ndarray]


@dataclass(frozen=True)
class RawMaps:
    """The maps of one method and one layer, before the closing ReLU.

    Attributes
    ----------
    values : np.ndarray
        float32 [N, T, ...].
    grid : tuple of int
        The sides of the layer's own map; () where the maps have the input's size anyway.
    """

    values: np.ndarray
    grid: Tuple[int, ...] = ()


@dataclass(frozen=True)
class Job:
    """A map of an iterated method that is still to be made, with the runs that it needs.

    Attributes
    ----------
    work : MethodProgress
        The cost, nothing done yet.
    compute : Callable
        (probe of an image) -> float32 [T, ...], before the closing ReLU.
    on_grid : bool
        Whether the map has the grid of its layer.
    """

    work: MethodProgress
    compute: Callable[[ProbeBase], np.ndarray]
    on_grid: bool


@dataclass(frozen=True)
class Method(ABC):
    """What all families have in common.

    Attributes
    ----------
    name : str
        A lower-case identifier: the name in calls, on the command line and in file names.
    summary : str
        One line for people who choose a method.
    paper : str
        URL of its source.
    """

    name: str
    summary: str
    paper: str

    @property
    def options(self) -> Tuple[Option, ...]:
        """The options that the method takes."""
        return ()

    @property
    def space(self) -> str:
        """What the map is drawn as: "layer" as heat, "pixels" as saliency."""
        return "layer"

    @property
    def signed(self) -> bool:
        """Whether the map keeps negative values: no ReLU closes it."""
        return False

    @property
    def uses_layer(self) -> bool:
        """Whether there is one map for each layer."""
        return True

    @property
    def needs_grads(self) -> bool:
        """Whether the method needs gradients."""
        return True

    @property
    def inputs(self) -> Tuple[str, ...]:
        """The kinds of input that the method can explain, of `INPUTS`."""
        return INPUTS

    @property
    def iterated(self) -> bool:
        """Whether the method needs runs of its own: it has `jobs`."""
        return False

    @property
    def copies(self) -> bool:
        """Whether the method puts several inputs made from one image into one batch."""
        return False

    @property
    def follows_score(self) -> bool:
        """Whether the map is zero where the target's own score has no gradient at the layer."""
        return self.uses_layer

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return GRADIENT_IS_ZERO

    def fetches(self, ops: GraphOpsBase, task: MapTask) -> Fetches:
        """Return the tensors to fetch in the one run that serves all methods, the image axis first.

        Raises
        ------
        GradientError
            Where the method cannot work on this net.
        """
        return {}

    def finish(self, fetched: Fetched, task: MapTask, grid: InputGrid) -> Dict[str, RawMaps]:
        """Return the maps by layer name, made from what was fetched; "" stands for methods without a layer."""
        return {}

    def notes(self, ops: GraphOpsBase, task: MapTask) -> Dict[str, List[Tuple[str, ...]]]:
        """Return sentences on the maps, by layer name, for each slot."""
        return {}

    def findings(self, fetched: Fetched, task: MapTask) -> Dict[str, List[List[Tuple[str, ...]]]]:
        """Return sentences that depend on what was fetched, by layer name, [N][T]; they follow the `notes`."""
        return {}

    def takes_range(self, options: Mapping[str, Any]) -> bool:
        """Whether the maps depend on the smallest and the largest value that the input can have."""
        return False

    def jobs(self, probes: Sequence[ProbeBase], task: MapTask) -> List[Job]:
        """Return the maps that need runs of their own. All probes have images of one size."""
        return []

    def build(self, ops: GraphOpsBase, layers: Tuple[LayerInfo, ...]) -> None:
        """Build what one target needs.

        Raises
        ------
        GradientError
            As `fetches`.
        """
        self.fetches(ops, MapTask(layers, (Slot(0),), {}))

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:  # noqa: B027
        """Refuse layers taken together that have no map by this method; `parts` are their names.

        Raises
        ------
        GradientError, OptionError
            Saying why.
        """

    def filled(self, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the options with the defaults of those that are not given."""
        return {option.name: options.get(option.name, option.default) for option in self.options}

    def array_options(self, options: Mapping[str, Any]) -> Dict[str, Any]:
        """Return the options for signals and volumes, where no option can have an image's value.

        Raises
        ------
        OptionError
            Where an option is given an image.
        """
        changed = dict(options)
        for option in self.options:
            value = options.get(option.name, option.default)
            if option.is_image(value):
                if option.name in options:
                    others = ", ".join(each for each in option.choices if each not in option.for_images)
                    raise OptionError(
                        f"the {option.name} {value!r} of {self.name} is for images only; for signals and volumes give "
                        f"{others}, or {option.others}"
                    )
                changed[option.name] = option.for_arrays
        return changed
