"""The family of methods that run the net many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.base import INPUTS, LOGIT, NO_EFFECT, Job, MapTask, Method
from gradcam_tf1.methods.interfaces import GraphOpsBase, ProbeBase
from gradcam_tf1.methods.layer_maps import add_up, parts_of
from gradcam_tf1.methods.options import Option
from gradcam_tf1.types import LayerInfo, MethodProgress, Slot


@dataclass(frozen=True)
class IteratedMethod(Method):
    """A map that takes many runs of the net on inputs of its own making.

    Attributes
    ----------
    name, summary, paper : str
        As in `Method`: a lower-case identifier, one line for people who choose, the URL of the source.
    compute : Callable
        `(probe, layer or None, **options)` -> float32 [T, ...], one map for each target of the probe's image.
    runs : Callable
        `(probe, layer or None, **options)` -> how many inputs `compute` will run; it is reported before that starts.
    space : str
        "layer" is drawn as heat, "pixels" as saliency.
    uses_layer : bool
        Whether there is one map for each layer.
    rectified : bool
        Whether a ReLU closes the map.
    unit : str
        What a run is.
    copies : bool
        Whether several inputs made from one image share a batch.
    inputs : tuple of str
        The kinds of input that the method can explain, of `INPUTS`.
    options : tuple of Option
        The keywords of `compute` and `runs`.
    """

    compute: Callable[..., np.ndarray]
    runs: Callable[..., int]
    space: str = "layer"
    uses_layer: bool = False
    rectified: bool = False
    unit: str = "forward passes of the whole net"
    copies: bool = True
    inputs: Tuple[str, ...] = INPUTS
    options: Tuple[Option, ...] = ()

    @property
    def iterated(self) -> bool:
        """The method needs runs of its own."""
        return True

    @property
    def needs_grads(self) -> bool:
        """Whether its runs go backward too."""
        return "backward" in self.unit

    @property
    def signed(self) -> bool:
        """Whether no ReLU closes the map."""
        return not self.rectified

    @property
    def reason_if_zero(self) -> str:
        """What it means that a map is zero everywhere."""
        return NO_EFFECT

    def jobs(self, probes: Sequence[ProbeBase], task: MapTask) -> List[Job]:
        """Return one job, or one for each layer."""
        layers: Sequence[Optional[LayerInfo]] = task.layers if self.uses_layer else (None,)
        return [self._job(probes, layer, self.filled(task.options)) for layer in layers]

    def _job(self, probes: Sequence[ProbeBase], layer: Optional[LayerInfo], options: Dict[str, Any]) -> Job:
        parts: Sequence[Optional[LayerInfo]] = (None,) if layer is None else parts_of(layer)
        runs = sum(self.runs(probes[0], part, **options) for part in parts)
        work = MethodProgress(self.name, layer.name if layer else "", len(probes), runs, self.unit)

        def compute(probe: ProbeBase) -> np.ndarray:
            maps = [self.compute(probe, part, **options) for part in parts]
            if layer is None:
                return maps[0]
            return add_up(maps, layer, probe.pixels.shape[:-1], probe.cells_of, self.signed)

        return Job(work, compute, layer is not None and not layer.parts)

    def build(self, ops: GraphOpsBase, layers: Tuple[LayerInfo, ...]) -> None:
        """Build the gradients that the method will request while it runs."""
        if self.needs_grads and self.uses_layer:
            ops.grads(LOGIT, layers, Slot(0))
        elif self.needs_grads:
            ops.pixel_grads(Slot(0))

    def check_parts(self, parts: str, options: Mapping[str, Any]) -> None:
        """Refuse a softmax over the channels of layers taken together."""
        if self.uses_layer and options.get("softmax"):
            raise OptionError(
                f"softmax weighs the channels of one layer against each other; {parts} are several. Name one of them, "
                f"or leave softmax of {self.name} out"
            )
