"""From units as users name them to layers and directions of a net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.explain import NetExplainer
from gradcam_tf1.errors import OptionError
from gradcam_tf1.features.feature_unit import FeatureUnit
from gradcam_tf1.features.unit_ops import UnitPlace, unit_features
from gradcam_tf1.run.naming import file_token, slug
from gradcam_tf1.scoring.score_requests import TargetContext, make_requests
from gradcam_tf1.types import LayerInfo


@dataclass(frozen=True, eq=False)
class BoundUnit:
    """A unit as numbers.

    Attributes
    ----------
    unit : FeatureUnit
        As it was requested.
    name : str
        For people.
    place : UnitPlace
        Where it is measured.
    vector : np.ndarray
        float32 [K], the direction.
    token : str
        For the names of files.
    class_id : int or None
        The class, if it is one.
    position : (int, int) or None
        Row and column of its layer, if one position counts.
    """

    unit: FeatureUnit
    name: str
    place: UnitPlace
    vector: np.ndarray
    token: str
    class_id: Optional[int] = None
    position: Optional[Tuple[int, int]] = None

    @property
    def sign(self) -> float:
        """-1 where pictures are meant that lower the value."""
        return -1.0 if self.unit.negative else 1.0

    @property
    def key(self) -> Tuple[object, ...]:
        """What units share that are measured together."""
        return (self.place, self.position, self.unit.cosine)


def bind_units(units: Sequence[FeatureUnit], explainer: NetExplainer, fed: np.ndarray) -> List[BoundUnit]:
    """Find the layers, channels and classes of units.

    Parameters
    ----------
    units : sequence of FeatureUnit
        The units.
    explainer : NetExplainer
        The net.
    fed : np.ndarray
        An image as it is fed, [1, H, W, C], which shows how many positions the layers have.

    Raises
    ------
    OptionError, BindingError, TargetError
        If the net does not have them.
    """
    return [
        _class(unit, explainer, fed) if unit.class_spec is not None else _direction(unit, explainer, fed)
        for unit in units
    ]


def _class(unit: FeatureUnit, explainer: NetExplainer, fed: np.ndarray) -> BoundUnit:
    count, labels = explainer.engine.classes(fed, {}), explainer.labels
    request = make_requests([unit.class_spec], 1, TargetContext(count, labels, "logit"))[0]
    class_id = int(request.values["code"][0])
    name = f"class {class_id}" if labels is None else labels.name(class_id)
    return BoundUnit(
        unit, _signed(name, unit), UnitPlace(None), _one_hot(class_id, count), _token(name, unit), class_id
    )


def _direction(unit: FeatureUnit, explainer: NetExplainer, fed: np.ndarray) -> BoundUnit:
    layer = _layer(unit, explainer)
    height, width, count = _grid(layer, explainer, fed)
    if unit.position is not None and not (unit.position[0] < height and unit.position[1] < width):
        raise OptionError(f"no position {tuple(unit.position)}: '{layer.name}' has {height} rows and {width} columns")
    if unit.channel is not None and unit.channel >= count:
        raise OptionError(f"no channel {unit.channel}: '{layer.name}' has {count}, 0 to {count - 1}")
    if unit.direction is not None and len(unit.direction) != count:
        raise OptionError(f"direction has {len(unit.direction)} numbers, '{layer.name}' has {count} channels")
    place = UnitPlace(layer, unit.position is not None, unit.cosine > 0)
    what = "direction" if unit.channel is None else f"channel {unit.channel}"
    what += "" if unit.position is None else f" at {unit.position[0]}-{unit.position[1]}"
    vector = np.array(unit.direction, np.float32) if unit.channel is None else _one_hot(unit.channel, count)
    short = layer.name.split(":")[0]
    token = f"{_token(what, unit)}.{slug(short)}"
    return BoundUnit(unit, _signed(f"{short} {what}", unit), place, vector, token, position=unit.position)


def _layer(unit: FeatureUnit, explainer: NetExplainer) -> LayerInfo:
    layers = explainer.resolve_layers(unit.layer)
    if len(layers) != 1 or layers[0].parts or not layers[0].name or layers[0].name == "auto":
        raise OptionError(f"a channel belongs to a single layer; name one in place of {layers[0].name!r}")
    return layers[0]


def _grid(layer: LayerInfo, explainer: NetExplainer, fed: np.ndarray) -> Tuple[int, int, int]:
    engine = explainer.engine
    height, width, count = engine.runner.run({0: unit_features(engine.ops, layer)}, fed, {})[0].shape[1:]
    return height, width, count


def _one_hot(place: int, count: int) -> np.ndarray:
    vector = np.zeros(count, np.float32)
    vector[place] = 1
    return vector


def _signed(name: str, unit: FeatureUnit) -> str:
    return f"against {name}" if unit.negative else name


def _token(name: str, unit: FeatureUnit) -> str:
    return file_token(_signed(name, unit)) or "unit"
