"""Fetched arrays to finished maps: products, numpy methods, the closing ReLU, a status for each map."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import HostMethod, ProductMethod
from gradcam_tf1.status import finish_maps
from gradcam_tf1.types import LayerInfo, MapKey, MapStatus

Maps = Dict[MapKey, np.ndarray]


def finish(answer: Dict[str, Any], methods: Sequence[str], layers: Tuple[LayerInfo, ...]) -> Dict[str, Any]:
    """The engine's answer with the maps that were asked for, in the order of the methods, and their statuses.

    answer: holds "maps" {(method, layer): [N, T, ...]} before the closing ReLU, with what products and numpy methods
    are made of.
    """
    fetched: Maps = answer.pop("maps")
    finished: Dict[str, Any] = {**answer, "maps": {}, "statuses": {}}
    finished.setdefault("probabilities", None)
    for name in methods:
        method = METHODS[name]
        for key, raw in _raw_maps(method, fetched, layers).items():
            finished["maps"][key], finished["statuses"][key] = _close(raw, rectified=not method.signed)
    return finished


def _raw_maps(method: Any, fetched: Maps, layers: Tuple[LayerInfo, ...]) -> Maps:
    if isinstance(method, ProductMethod):
        pixels = fetched[method.pixels, ""]
        return {(method.name, at.name): _product(pixels, fetched[method.cam, at.name]) for at in layers}
    if isinstance(method, HostMethod):
        return {(method.name, at.name): _on_host(method, fetched, at.name) for at in layers}
    return {key: raw for key, raw in fetched.items() if key[0] == method.name}


def _product(pixels: np.ndarray, cams: np.ndarray) -> np.ndarray:
    """[N, T, H, W, C] times the rectified [N, T, h, w] brought to H x W."""
    return pixels * upsample(np.maximum(cams, 0), pixels.shape[2:4])[..., np.newaxis]


def _on_host(method: HostMethod, fetched: Maps, layer: str) -> np.ndarray:
    features = fetched["features", layer]
    grads = fetched[f"grads of {method.head}", layer] if method.needs_grads else None
    images, targets = features.shape[:2]
    maps = [
        [method.compute(features[n, t], None if grads is None else grads[n, t]) for t in range(targets)]
        for n in range(images)
    ]
    return np.asarray(maps, np.float32)


def _close(raw: np.ndarray, rectified: bool) -> Tuple[np.ndarray, List[List[MapStatus]]]:
    flat = raw.reshape((-1, *raw.shape[2:]))
    finished, statuses = finish_maps(flat, rectified)
    slots = raw.shape[1]
    return finished.reshape(raw.shape), [statuses[start : start + slots] for start in range(0, len(statuses), slots)]
