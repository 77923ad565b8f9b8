"""What `sanity_check` returns. No TensorFlow here."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from gradcam_tf1.metrics.intervals import Interval, bootstraps
from gradcam_tf1.sanity.described_maps import Values


@dataclass(frozen=True)
class StepSummary:
    """One step of the randomisation, summed up over the images.

    Attributes
    ----------
    mode : {"cascade", "independent"}
        As in `SanityOptions`.
    layers : tuple of str
        The layers that the step draws; in the cascade beside those of the steps before.
    similarity : dict
        Method -> measure -> mean with its interval.
    empty : dict
        Method -> number of maps that a ReLU made empty; their similarity counts as 0.
    dead : dict
        Method -> number of maps that are zero because no gradient arrives; they are left out.
    broken : int
        Number of images for which the drawn net gives no finite score; they are left out.
    """

    mode: str
    layers: Tuple[str, ...]
    similarity: Dict[str, Dict[str, Interval]]
    empty: Dict[str, int]
    dead: Dict[str, int]
    broken: int


@dataclass(frozen=True)
class SanityReport:
    """Whether the maps of a net can be trusted.

    Attributes
    ----------
    model : str
        The model.
    images : tuple of str
        The images.
    failed : dict
        Image -> why it was left out.
    classes : tuple of int
        The explained class of each image, that of the intact net.
    methods : tuple of str
        The methods; the last one is the floor "edges", which ignores the net.
    layers : tuple of tuple of str
        The layers that were drawn together, those of the class scores first.
    fixed : dict
        Op -> why its weights were not drawn.
    steps : tuple of StepSummary
        The randomisation.
    chance : dict
        Method -> measure -> similarity of the maps of different images.
    edges : dict
        Method -> measure -> similarity of the maps and the edges of their images.
    verdicts : tuple of MethodVerdict
        One for each method.
    checks : tuple of CheckResult
        The other checks.
    settings : dict
        All that changes the numbers.
    strips : dict
        Method -> the map of the first image, float32 [H, W]: of the intact net, then after each step of the cascade.
    first : np.ndarray
        uint8 [H, W, 3], the first image as the net sees it.
    """

    model: str
    images: Tuple[str, ...]
    failed: Dict[str, str]
    classes: Tuple[int, ...]
    methods: Tuple[str, ...]
    layers: Tuple[Tuple[str, ...], ...]
    fixed: Dict[str, str]
    steps: Tuple[StepSummary, ...]
    chance: Dict[str, Dict[str, Interval]]
    edges: Dict[str, Dict[str, Interval]]
    verdicts: Tuple[Any, ...]
    checks: Tuple[Any, ...]
    settings: Dict[str, Any]
    strips: Dict[str, Tuple[np.ndarray, ...]] = field(default_factory=dict, repr=False)
    first: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, 3), np.uint8), repr=False)

    @property
    def ok(self) -> bool:
        """Whether no check fails that must hold: the same images give the same maps."""
        return all(check.state != "fails" for check in self.checks)

    def as_json(self) -> Dict[str, Any]:
        """Return all numbers as JSON takes them, without the maps; None for a number that is not known."""
        plain = {name: value for name, value in vars(self).items() if name not in ("strips", "first")}
        return {"ok": self.ok, **{name: _plain(value) for name, value in plain.items()}}


def summed_up(parts: Sequence[Values], seed: int) -> List[Dict[str, Dict[str, Interval]]]:
    """Return for each part the means over the images with their intervals, method by method, measure by measure."""
    rows = [each for part in parts for measures in part.values() for each in measures.values()]
    found = iter(bootstraps(rows, seed))
    return [
        {method: {measure: next(found) for measure in measures} for method, measures in part.items()} for part in parts
    ]


def _plain(value: Any) -> Any:
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(each) for name, each in asdict(value).items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
