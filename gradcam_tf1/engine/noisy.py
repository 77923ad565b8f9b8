"""SmoothGrad around any method: the whole question is asked of noisy copies of the pictures, and the maps made one."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.engine import Engine
from gradcam_tf1.methods.noise import Noise, Spread
from gradcam_tf1.types import Ask, LayerInfo, MapKey, MapStatus


def run_with_noise(
    engine: Engine,
    noise: Noise,
    batch: np.ndarray,
    asks: Sequence[Ask],
    methods: Sequence[str],
    layers: Tuple[LayerInfo, ...],
    **how: Any,
) -> Dict[str, Any]:
    """What `Engine.run` answers, with maps over noisy copies; scores and classes are those of the pictures as they are.

    The noise is added to the net's first float tensor, in its own range. The maps are averaged as they come out,
    after a closing ReLU. noise: see `Noise`. The other arguments: as `Engine.run`.
    """
    settled, pictures = engine.settle(batch, asks)
    answer = engine.run(batch, asks, (), layers)
    spreads: Dict[MapKey, Spread] = {}
    found: Dict[str, Any] = {}
    for copy in noise.copies(pictures, pictures.ndim - 1):
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
