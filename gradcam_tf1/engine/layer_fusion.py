"""The maps of several layers fused into one. No TensorFlow here."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.layer_refinement import refined
from gradcam_tf1.engine.map_request import MapAnswer
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import centres, resample, stretched, upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.types import Cells, MapKey, MapStatus

FUSED = "fused"  # stands where the layer's name does; tensor names have a colon


GAMMA = 2.0  # of LayerCAM's fusion


def _mean(maps: np.ndarray, _finer: np.ndarray) -> np.ndarray:
    return np.asarray(maps.mean(axis=0))


def _max(maps: np.ndarray, _finer: np.ndarray) -> np.ndarray:
    strongest = np.abs(maps).argmax(axis=0)
    return np.asarray(np.take_along_axis(maps, strongest[np.newaxis], axis=0)[0])


def _product(maps: np.ndarray, _finer: np.ndarray) -> np.ndarray:
    agreed = np.abs(np.sign(maps).sum(axis=0)) == len(maps)
    return np.where(agreed, np.sign(maps[0]) * np.abs(maps).prod(axis=0), 0.0)


def _layercam(maps: np.ndarray, finer: np.ndarray) -> np.ndarray:
    """The max after tanh(GAMMA M) of the finer maps M, as LayerCAM fuses those of early layers with the last ones.

    https://doi.org/10.1109/TIP.2021.3089943
    """
    return _max(np.where(finer.reshape((-1,) + (1,) * (maps.ndim - 1)), np.tanh(GAMMA * maps), maps), finer)


# of maps of -1..1, stacked on the first axis, and bool [layers], whether a map is finer than the coarsest one: where
# signs differ, the max is the stronger one and the product is 0
_POINT_BY_POINT: Dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "max": _max,
    "product": _product,
    "layercam": _layercam,
}
_POLYCAM = "polycam"
FUSIONS = (*_POINT_BY_POINT, _POLYCAM)


def check_fusion(how: str, layers: int) -> None:
    """Refuse an unknown fusion, and the fusion of a single layer.

    Raises
    ------
    OptionError
        With what is possible.
    """
    if how not in FUSIONS:
        raise OptionError(f"no fusion {how!r}; possible: {', '.join(FUSIONS)}")
    if layers < 2:
        raise OptionError("fuse makes one map of those of several layers; give more than one layer")


def fuse_layers(answer: MapAnswer, how: str, size: Sequence[int] = ()) -> None:
    """Add to an answer, for each method that has maps of several layers, one more under (method, FUSED).

    Each map is read, bilinear, where the cells of the finest grid lie, and divided by its largest magnitude, so that a
    layer counts by where it looks and not by the size of its numbers; then mean, max or product, point by point.
    "layercam" is the max after tanh(2 M) of every map M that is finer than the coarsest one. Zero maps stay zero.
    "polycam" is `refined` instead.

    Parameters
    ----------
    answer : MapAnswer
        With finished maps; it is changed in place.
    how : {"mean", "max", "product", "layercam", "polycam"}
        The fusion.
    size : sequence of int
        (H, W) of the net's input.
    """
    for method in dict.fromkeys(method for method, _ in answer.maps):
        keys: List[MapKey] = [key for key in answer.maps if key[0] == method]
        if len(keys) < 2:
            continue
        maps, places = [answer.maps[key] for key in keys], [answer.cells.get(key) for key in keys]
        fused, cells = _fused(maps, places, method, how, size)
        if cells is not None:
            answer.cells[method, FUSED] = cells
        answer.maps[method, FUSED] = fused
        scaled = "" if how == _POLYCAM else ", each scaled to 1"
        note = f"{how} of {len(keys)} layers{scaled}"
        answer.statuses[method, FUSED] = [[_status(map, note) for map in row] for row in fused]


def _fused(
    maps: List[np.ndarray], cells: List[Optional[Cells]], method: str, how: str, size: Sequence[int]
) -> Tuple[np.ndarray, Optional[Cells]]:
    """Return the fused map of a method, float32, and where its cells lie; None: they divide the input evenly."""
    if how == _POLYCAM:
        found, place = refined(maps, cells, size)
        return found.astype(np.float32), place
    cells_in = np.array([np.prod(map.shape[2:]) for map in maps])
    place = None
    if METHODS[method].space == "layer":
        maps, place = _on_one_grid(maps, cells, size)
    return _POINT_BY_POINT[how](_scaled(maps), cells_in > cells_in.min()).astype(np.float32), place


def _on_one_grid(
    maps: List[np.ndarray], cells: Sequence[Optional[Cells]], size: Sequence[int]
) -> Tuple[List[np.ndarray], Optional[Cells]]:
    """Return the maps [N, T, h, w] on the finest grid along each axis, and where its cells lie; None: stretched."""
    grids = [map.shape[2:] for map in maps]
    finest = [max(range(len(maps)), key=lambda n: grids[n][axis]) for axis in range(len(grids[0]))]
    grid = [grids[n][axis] for axis, n in enumerate(finest)]
    if not any(cells):
        return [upsample(map, grid) for map in maps], None
    filled = [own or stretched(size, sides) for own, sides in zip(cells, grids)]
    picked = [(filled[n].offset[axis], filled[n].stride[axis]) for axis, n in enumerate(finest)]
    onto = Cells(*zip(*picked))
    return [resample(map, size, own, centres(onto, grid)) for map, own in zip(maps, filled)], onto


def _scaled(maps: List[np.ndarray]) -> np.ndarray:
    """Return [layers, N, T, ...], each map with its largest magnitude at 1."""
    stacked = np.stack(maps).astype(np.float64)
    largest = np.abs(stacked).max(axis=tuple(range(3, stacked.ndim)), keepdims=True)
    return np.asarray(np.divide(stacked, largest, out=np.zeros_like(stacked), where=largest > 0))


def _status(map: np.ndarray, note: str) -> MapStatus:
    low, high = float(map.min()), float(map.max())
    if low or high:
        return MapStatus("ok", "", low, high, (note,))
    return MapStatus("empty", "the layers' maps are zero, or agree nowhere", low, high, (note,))
