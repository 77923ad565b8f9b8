"""Several layers as one: the map of each, finished, is placed on the image, and they are added up.

No TensorFlow here.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import HostMethod, LayerMethod
from gradcam_tf1.types import Cells, LayerInfo, MapKey

Maps = Dict[MapKey, np.ndarray]
# a layer's name and the sides of its map -> where its cells lie on the input, and a sentence where that matters
Where = Callable[[str, Sequence[int]], Tuple[Optional[Cells], str]]


def parts_of(layer: LayerInfo) -> Tuple[LayerInfo, ...]:
    """The single layers that one is made of; of a single layer it itself."""
    return layer.parts or (layer,)


def spread(layers: Sequence[LayerInfo]) -> List[Tuple[str, LayerInfo]]:
    """Every single layer to look at, each with the name that its maps have until `add_up`."""
    return [
        (f"{part.name} of {layer.name}" if layer.parts else part.name, part)
        for layer in layers
        for part in parts_of(layer)
    ]


def add_up(maps: Maps, layers: Sequence[LayerInfo], sides: Sequence[int], where: Where) -> Maps:
    """The maps of methods with those of parts made one each.

    maps: {(method, name)}, [N, T, h, w]; what is no map of a method stays as it is. sides: of the net's input. where:
    the cells of a single layer lie there.
    """
    added = dict(maps)
    for layer in (layer for layer in layers if layer.parts):
        names = [name for name, _ in spread([layer])]
        for method in dict.fromkeys(method for method, name in maps if name in names and method in METHODS):
            parts = [added.pop((method, name)) for name in names]
            added[method, layer.name] = on_image(parts, layer, sides, where, METHODS[method].signed)
    return added


def on_image(
    maps: Sequence[np.ndarray], layer: LayerInfo, sides: Sequence[int], where: Where, signed: bool
) -> np.ndarray:
    """The sum of maps [..., h, w], one for each part of the layer, on the pixels of the net's input: [..., H, W].

    Where the method closes with a ReLU, each map has its own: sum_m up(ReLU(map_m)). So that the evidence against can
    be told from none, where no map is above zero the sum of the maps as they are stands, for the closing ReLU to take.
    """
    parts = parts_of(layer)
    whole = np.sum([placed(map, part, sides, where) for map, part in zip(maps, parts)], axis=0, dtype=np.float32)
    if signed:
        return whole
    above = [placed(np.maximum(map, 0), part, sides, where) for map, part in zip(maps, parts)]
    evidence = np.sum(above, axis=0, dtype=np.float32)
    return np.where(evidence == 0, np.minimum(whole, 0), evidence)


def placed(maps: np.ndarray, layer: LayerInfo, sides: Sequence[int], where: Where) -> np.ndarray:
    """Maps of a single layer, [..., h, w], on the pixels of the net's input: float32 [..., H, W]."""
    return upsample(maps, sides, where(layer.name, maps.shape[-len(sides) :])[0])


def check_together(
    methods: Sequence[str], layers: Sequence[LayerInfo], options: Mapping[str, Mapping[str, Any]], eigen: bool = False
) -> None:
    """Raises: GradientError or OptionError where layers taken together have no map by one of the methods."""
    several = [layer for layer in layers if layer.parts]
    if not several:
        return
    parts = ", ".join(part.name for part in several[0].parts)
    if eigen:
        raise OptionError(
            f"eigen_smooth makes one principal component of a layer; {parts} are several. Name one of them as layer"
        )
    for name in methods:
        method: Any = METHODS[name]
        if isinstance(method, HostMethod) and not method.adds_up:
            raise GradientError(
                f"{name} makes one principal component of a layer, and those of several do not add up; {parts} are "
                "several. Name one of them as layer"
            )
        if method.uses_layer and not isinstance(method, LayerMethod) and options.get(name, {}).get("softmax"):
            raise OptionError(
                f"softmax weighs the channels of one layer against each other; {parts} are several. Name one of them, "
                f"or leave softmax of {name} out"
            )
