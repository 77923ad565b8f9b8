"""The maps of a set of images, brought to one form so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.engine.explain import NetExplainer, NetInput
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods.choices import Methods
from gradcam_tf1.metrics.floor_maps import floor_map
from gradcam_tf1.types import Cells

EDGES = "edges"  # the floor that knows nothing of the net
_ROUNDING = 1e-6  # of the largest magnitude: less apart than this, float32 values count as equal


@dataclass(frozen=True)
class ComparedMap:
    """The maps of one method and layer.

    Attributes
    ----------
    signed, absolute : np.ndarray
        float32 [N, H, W] at the size of the net's input, or [N, h, w] of a layer: the sum over the channels of the
        values, and of their magnitudes. Equal where the method closes its maps with a ReLU.
    dead : np.ndarray
        bool [N], whether the map is zero although no ReLU closed it: no gradient arrives, because the score does not
        change with the image, or its values are not finite.
    sides : sequence of int
        The size of the net's input; () for maps that have it.
    cells : Cells or None
        Where the cells of a layer lie on the input.
    """

    signed: np.ndarray
    absolute: np.ndarray
    dead: np.ndarray
    sides: Sequence[int] = ()
    cells: Optional[Cells] = None

    @property
    def has_signs(self) -> bool:
        """Whether there are negative values."""
        return bool((self.signed < 0).any())

    @property
    def varied(self) -> np.ndarray:
        """Whether each map has more than one value, rounding aside: bool [N]. Otherwise it orders no pixels."""
        return np.asarray(_varied(self.signed) | _varied(self.absolute))

    def placed(self) -> ComparedMap:
        """Return the maps at the size of the net's input."""
        if not self.sides:
            return self
        signed = upsample(self.signed, self.sides, self.cells)
        return ComparedMap(signed, np.abs(signed), self.dead)

    def shown(self) -> np.ndarray:
        """Return the magnitudes of the first map at the size of the net's input."""
        if not self.sides:
            return np.asarray(self.absolute[0])
        return np.asarray(np.abs(upsample(self.signed[0], self.sides, self.cells)))


@dataclass(frozen=True)
class MapSet:
    """The maps of N images, and what they explain.

    Attributes
    ----------
    class_ids : np.ndarray
        int64 [N].
    scores : np.ndarray
        float32 [N].
    broken : np.ndarray
        bool [N], whether the net gives no finite score.
    maps : dict
        Name of the method, with its layer where there are several -> maps.
    """

    class_ids: np.ndarray
    scores: np.ndarray
    broken: np.ndarray
    maps: Dict[str, ComparedMap]


@dataclass(frozen=True)
class MapQuestion:
    """What is asked of a net again and again.

    Attributes
    ----------
    given : NetInput
        The images.
    methods, layers : any
        As in `explain`.
    options : ExplainOptions
        As in `explain`.
    targets : any
        One target as in `explain`, or a list with one for each image.
    """

    given: NetInput
    methods: Methods
    layers: Any = None
    options: ExplainOptions = field(default_factory=ExplainOptions)
    targets: Any = None

    def fixed(self, class_ids: np.ndarray) -> MapQuestion:
        """Return the question for these classes."""
        return replace(self, targets=[[int(class_id)] for class_id in class_ids])

    def rows(self, chosen: Sequence[int]) -> MapQuestion:
        """Return the question for some of the images; the classes must be fixed."""
        given, rows = self.given, list(chosen)
        some = replace(given, pixels=given.pixels[rows], placements=[given.placements[n] for n in rows], images=())
        return replace(self, given=some, targets=[self.targets[n] for n in rows])

    def ask(self, explainer: NetExplainer) -> MapSet:
        """Explain the images with a net."""
        found = explainer.explain(self.given, self.targets, self.methods, self.layers, "logit", self.options)
        sides = self.given.pixels.shape[1:3]
        several = {key[0] for key in found.maps if sum(other[0] == key[0] for other in found.maps) > 1}
        names = {key: f"{key[0]} at {key[1]}" if key[0] in several else key[0] for key in found.maps}
        maps = {name: _compared(found, key, sides) for key, name in names.items()}
        broken = np.array([bool(reason) for reason in found.failures], bool)
        return MapSet(found.class_ids[:, 0], found.scores[:, 0], broken, maps)

    def edges(self) -> ComparedMap:
        """Return the edges of the images, as a method that ignores the net."""
        maps = np.array([floor_map(EDGES, image.astype(np.float32)) for image in self.given.pixels], np.float32)
        return ComparedMap(maps, maps, np.zeros(len(maps), bool))


def _compared(found: Explanation, key: Tuple[str, str], sides: Sequence[int]) -> ComparedMap:
    values = found.maps[key][:, 0].astype(np.float32)
    statuses = [row[0] for row in found.statuses[key]]
    dead = np.array([each.state == "empty" and each.minimum == each.maximum == 0 for each in statuses], bool)
    if values.ndim == 4:
        return ComparedMap(values.sum(axis=3), np.abs(values).sum(axis=3), dead)
    if values.shape[1:] == tuple(sides):
        return ComparedMap(values, np.abs(values), dead)
    return ComparedMap(values, np.abs(values), dead, tuple(sides), found.cells.get(key))


def _varied(maps: np.ndarray) -> np.ndarray:
    low, high = maps.min(axis=(1, 2)), maps.max(axis=(1, 2))
    return np.asarray(high - low > _ROUNDING * np.maximum(np.abs(low), np.abs(high)))


def difference(first: ComparedMap, second: ComparedMap) -> float:
    """Return the largest ||a - b|| / ||a|| of all pairs of maps; infinite where only the first map is empty."""
    shares: List[float] = [0.0]
    for a, b in zip(first.signed.astype(np.float64), second.signed.astype(np.float64)):
        apart, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(a))
        shares.append(0.0 if apart == 0 else apart / size if size else float("inf"))
    return max(shares)


def of_engine(explainer: NetExplainer, values: Mapping[str, np.ndarray]) -> NetExplainer:
    """Return the net with other values of its weights."""
    return replace(explainer, engine=explainer.engine.feeding(values))


def first_class(targets: Optional[Any]) -> Any:
    """Return the target of all images as `explain` takes it."""
    return None if targets is None else [targets]
