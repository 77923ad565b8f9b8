"""Maps of layers on the pixels of the net's input, and the maps of several layers added up. No TensorFlow here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cells import CellPlaces, cells_of
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.types import Cells, LayerInfo

# the name of a single layer and the sides of its map -> where its cells lie on the input
CellsOf = Callable[[str, Sequence[int]], Optional[Cells]]


def parts_of(layer: LayerInfo) -> Tuple[LayerInfo, ...]:
    """Return the single layers that one is made of; for a single layer the layer itself."""
    return layer.parts or (layer,)


def spread(layers: Sequence[LayerInfo]) -> List[LayerInfo]:
    """Return all single layers, in order; one that is part of several layers comes several times."""
    return [part for layer in layers for part in parts_of(layer)]


@dataclass(frozen=True)
class InputGrid:
    """The pixels of the net's input, and where the cells of its layers lie on them.

    Attributes
    ----------
    sides : sequence of int
        (H, W) of the input, or the axes of a signal, a volume or a clip.
    places : CellPlaces, optional
        See `Binding.places`.
    """

    sides: Sequence[int]
    places: Optional[CellPlaces]

    def cells(self, name: str, grid: Sequence[int]) -> Optional[Cells]:
        """Return where the cells of a layer with this grid lie; None: they share the input evenly."""
        return cells_of(self.places, name, self.sides, grid)[0]

    def note(self, name: str, grid: Sequence[int]) -> str:
        """Return one sentence on where they lie, "" where there is nothing to say."""
        return cells_of(self.places, name, self.sides, grid)[1]

    def placed(self, maps: np.ndarray, layer: LayerInfo) -> np.ndarray:
        """Return maps of a single layer, [..., h, w], on the pixels of the input: float32 [..., H, W]."""
        return upsample(maps, self.sides, self.cells(layer.name, maps.shape[-len(self.sides) :]))

    def add_up(self, maps: Sequence[np.ndarray], layer: LayerInfo, signed: bool) -> np.ndarray:
        """See `add_up`."""
        return add_up(maps, layer, self.sides, self.cells, signed)


def add_up(
    maps: Sequence[np.ndarray], layer: LayerInfo, sides: Sequence[int], cells: CellsOf, signed: bool
) -> np.ndarray:
    """Add up the maps of a layer's parts on the pixels of the input.

    A method that closes with a ReLU applies it to each map: sum_m up(ReLU(map_m)). Where no map is above zero, the sum
    of the maps before the ReLU stands, at most 0, so that evidence against the class differs from no evidence.

    Parameters
    ----------
    maps : sequence of np.ndarray
        float32 [..., h, w], one for each part, before the closing ReLU.
    layer : LayerInfo
        With its parts.
    sides : sequence of int
        (H, W) of the input.
    cells : CellsOf
        Where the cells of each part lie.
    signed : bool
        Whether the method keeps negative values.

    Returns
    -------
    np.ndarray
        float32 [..., H, W]; the map itself, [..., h, w], of a single layer.
    """
    if not layer.parts:
        return maps[0]

    def placed(map: np.ndarray, part: LayerInfo) -> np.ndarray:
        return upsample(map, sides, cells(part.name, map.shape[-len(sides) :]))

    pairs = list(zip(maps, layer.parts))
    total = np.asarray(np.sum([placed(map, part) for map, part in pairs], axis=0, dtype=np.float32))
    if signed:
        return total
    evidence = np.asarray(np.sum([placed(np.maximum(map, 0), part) for map, part in pairs], axis=0, dtype=np.float32))
    return np.where(evidence == 0, np.minimum(total, 0), evidence)
