"""Maps averaged over augmented views (aug_smooth) or noisy copies (SmoothGrad around any method)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import TargetError
from gradcam_tf1.images.geometry import centres, resample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.noise import Noise, Spread
from gradcam_tf1.types import Cells, LayerInfo, MapKey, MapStatus, ScoreRequest

GAINS = (1.0, 0.9, 1.1)
VIEWS = tuple((mirrored, gain) for mirrored in (False, True) for gain in GAINS)


def run_with_views(
    engine: MapEngine,
    run: Callable[..., Dict[str, Any]],
    batch: np.ndarray,
    requests: Sequence[ScoreRequest],
    methods: Sequence[str],
    layers: Tuple[LayerInfo, ...],
    *,
    pixels: np.ndarray,
    to_batch: Callable[[np.ndarray], np.ndarray],
    **how: Any,
) -> Dict[str, Any]:
    """What `run` answers, with maps averaged over six views of each image; scores and classes are the image's own.

    The views: as it is and mirrored left to right, its pixel values times 1, 0.9 and 1.1. Every view is asked about
    the classes of the image itself; masks and points are mirrored with it. Maps are averaged as they come out, after
    a closing ReLU. run: `MapEngine.run` or what wraps it; the other arguments: as `MapEngine.run`.
    Raises: TargetError for a target that cannot be mirrored.
    """
    settled = engine.settle(batch, requests)[0]
    answer = engine.run(batch, requests, (), layers)
    sums: Dict[MapKey, np.ndarray] = {}
    said: Dict[MapKey, List[List[List[MapStatus]]]] = {}
    for mirrored, gain in VIEWS:
        view = (pixels[:, :, ::-1] if mirrored else pixels) * np.float32(gain)
        turned = [_mirrored(request) for request in settled] if mirrored else settled
        found = run(to_batch(view), turned, methods, layers, pixels=view, to_batch=to_batch, **how)
        for key, maps in found["maps"].items():
            back = _turned_back(key, maps, found["cells"].get(key), batch.shape[1:-1]) if mirrored else maps
            sums[key] = sums.get(key, 0.0) + back.astype(np.float64)
            said.setdefault(key, []).append(found["statuses"][key])
    answer["cells"] = found["cells"]
    answer["maps"] = {key: (total / len(VIEWS)).astype(np.float32) for key, total in sums.items()}
    answer["statuses"] = {
        key: [
            [_joined(*each) for each in zip(maps, zip(*rows))]
            for maps, rows in zip(answer["maps"][key], zip(*said[key]))
        ]
        for key in sums
    }
    return answer


def _mirrored(request: ScoreRequest) -> ScoreRequest:
    """The same question of the mirrored image."""
    if "anchor" in request.values:
        raise TargetError("an anchor by its number has no mirror image: aug_smooth takes the best anchors, not one")
    values = dict(request.values)
    if "mask" in values:
        values["mask"] = values["mask"][:, :, ::-1]
    if "point" in values:
        values["point"] = np.stack([values["point"][:, 0], 1 - values["point"][:, 1]], axis=1)
    return replace(request, values=values)


def _turned_back(key: MapKey, maps: np.ndarray, cells: Optional[Cells], size: Sequence[int]) -> np.ndarray:
    """[N, T, h, w], or [N, T, H, W, C] of pixel methods, mirrored left to right.

    cells: where those of the map lie on an input of `size`; where that is not the same from the right as from the left,
    the map is read where the mirror images of its own cells are.
    """
    if METHODS[key[0]].space == "pixels":
        return maps[..., ::-1, :]
    if cells is None:
        return maps[..., ::-1]
    rows, columns = centres(cells, maps.shape[2:])
    return resample(maps, size, cells, [rows, size[1] - columns])


def _all_joined(maps: np.ndarray, views: Sequence[List[List[MapStatus]]]) -> List[List[MapStatus]]:
    """maps: [N, T, ...]. views: of each its statuses, [N][T]."""
    return [[_joined(*each) for each in zip(row, zip(*said))] for row, said in zip(maps, zip(*views))]


def _joined(map: np.ndarray, statuses: Sequence[MapStatus]) -> MapStatus:
    """One status of the views': ok where any is, with the range of the mean map; else the reason of the lowest."""
    good = [status for status in statuses if status.state == "ok"]
    if not good:
        return min(statuses, key=lambda status: status.minimum)
    return replace(good[0], minimum=float(map.min()), maximum=float(map.max()))


def run_with_noise(
    engine: MapEngine,
    noise: Noise,
    batch: np.ndarray,
    requests: Sequence[ScoreRequest],
    methods: Sequence[str],
    layers: Tuple[LayerInfo, ...],
    **how: Any,
) -> Dict[str, Any]:
    """What `MapEngine.run` returns, with maps averaged over noisy copies; scores are those of the clean images.

    The noise is added to the net's first float tensor, in its own range. The maps are averaged as they come out,
    after a closing ReLU. noise: see `Noise`. The other arguments: as `MapEngine.run`.
    """
    settled, images = engine.settle(batch, requests)
    answer = engine.run(batch, requests, (), layers)
    spreads: Dict[MapKey, Spread] = {}
    found: Dict[str, Any] = {}
    for copy in noise.copies(images, images.ndim - 1):
        found = engine.run(batch, settled, methods, layers, floats=copy, **how)
        for key, maps in found["maps"].items():
            spreads.setdefault(key, Spread()).add(maps)
    answer["cells"] = found["cells"]
    answer["maps"] = {key: spread.result(noise.kind) for key, spread in spreads.items()}
    answer["statuses"] = {key: _statuses(answer["maps"][key], found["statuses"][key], noise) for key in spreads}
    return answer


def _statuses(maps: np.ndarray, last: List[List[MapStatus]], noise: Noise) -> List[List[MapStatus]]:
    """maps: [N, T, ...]. last: statuses of the last copy's maps, which say why where all copies gave nothing."""
    return [[_status(map, status, noise) for map, status in zip(*each)] for each in zip(maps, last)]


def _status(map: np.ndarray, last: MapStatus, noise: Noise) -> MapStatus:
    notes = (*last.notes, f"{noise.kind} of {noise.samples} noisy copies, level {noise.level:g}, seed {noise.seed}")
    low, high = float(map.min()), float(map.max())
    if low or high:
        return MapStatus("ok", "", low, high, notes)
    return MapStatus("empty", last.reason or "the maps of all noisy copies are the same", low, high, notes)
