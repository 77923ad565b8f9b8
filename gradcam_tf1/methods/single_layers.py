"""The maps of single layers as one run fetches them, and as maps of the requested layers."""

from __future__ import annotations

from typing import Dict, List, Sequence

import numpy as np

from gradcam_tf1.methods.base import Fetched, FetchKey, MapTask, Method, RawMaps
from gradcam_tf1.methods.layer_maps import InputGrid, parts_of
from gradcam_tf1.methods.principal import principal_map
from gradcam_tf1.types import LayerInfo, Slot


def single_keys(task: MapTask, slot: Slot) -> List[FetchKey]:
    """Return the keys of the maps of all single layers."""
    return [FetchKey("map", part.name, slot, layer.name) for layer in task.layers for part in parts_of(layer)]


def layer_maps(fetched: Fetched, task: MapTask, grid: InputGrid, method: Method) -> Dict[str, RawMaps]:
    """Return the maps of each layer, of those fetched by `single_keys`; those of layers taken together are added up."""
    rows = [[fetched[key] for key in single_keys(task, slot)] for slot in task.slots]
    singles = iter([in_slots(maps, task.by_channel) for maps in zip(*rows)])
    return {
        layer.name: together([next(singles) for _ in parts_of(layer)], layer, grid, method) for layer in task.layers
    }


def in_slots(maps: Sequence[np.ndarray], by_channel: bool) -> np.ndarray:
    """Return float32 [N, T, h, w] of T arrays [N, h, w], or of T arrays of weighted features [N, h, w, K]."""
    if by_channel:
        maps = [np.array([principal_map(image) for image in features], np.float32) for features in maps]
    return np.stack(maps, axis=1)


def together(maps: Sequence[np.ndarray], layer: LayerInfo, grid: InputGrid, method: Method) -> RawMaps:
    """Return the maps of a layer: of one that is made of several, their sum on the pixels of the input."""
    return RawMaps(grid.add_up(maps, layer, method.signed), () if layer.parts else maps[0].shape[2:])
