"""Fetched arrays to finished maps: products, numpy methods, the closing ReLU, a status for each map."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.layers_together import Where, add_up, spread
from gradcam_tf1.engine.map_status import FACTOR_IS_ZERO, GRADIENT_IS_ZERO, NO_EFFECT, NOTHING_VARIES, finish_maps
from gradcam_tf1.images.geometry import upsample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.activation import principal_map
from gradcam_tf1.methods.families import HostMethod, IteratedMethod, LayerMethod, ProductMethod
from gradcam_tf1.types import Cells, LayerInfo, MapKey, MapStatus

Maps = Dict[MapKey, np.ndarray]


def finish(
    answer: Dict[str, Any],
    methods: Sequence[str],
    layers: Tuple[LayerInfo, ...],
    options: Mapping[str, Mapping[str, Any]],
    sides: Sequence[int],
    where: Where,
) -> Dict[str, Any]:
    """The engine's answer with the maps that were asked for, in the order of the methods, their statuses and cells.

    answer: holds "maps" {(method, layer): [N, T, ...]} before the closing ReLU, with what products and numpy methods
    are made of, and "notes" {(method, layer): [N][T] sentences}. options: method -> its keyword options. sides: of the
    net's input.
    """
    fetched: Maps = add_up(answer.pop("maps"), layers, sides, where)
    notes = answer.pop("notes")
    finished: Dict[str, Any] = {**answer, "maps": {}, "statuses": {}, "cells": {}}
    finished.setdefault("probabilities", None)
    summed = {layer.name for layer in layers if layer.parts}
    for name in methods:
        method = METHODS[name]
        raw_maps = _raw_maps(method, fetched, layers, options.get(name, {}), where)
        for key, raw in add_up(raw_maps, layers, sides, where).items():
            finished["maps"][key], statuses = _close(raw, method)
            cells, said = (None, "") if key[1] in summed else _placed(key, fetched, raw, where)
            finished["statuses"][key] = _with_notes(statuses, notes.get(key), said)
            if cells is not None and method.space == "layer":
                finished["cells"][key] = cells
    for n, reason in enumerate(answer["failures"]):
        if reason:
            _empty(finished, n, reason)
    return finished


def _empty(finished: Dict[str, Any], n: int, reason: str) -> None:
    """Take all maps from image n, which has no answer."""
    for key, maps in finished["maps"].items():
        maps[n] = 0
        finished["statuses"][key][n] = [MapStatus("empty", reason, 0.0, 0.0)] * len(maps[n])


def _placed(key: MapKey, fetched: Maps, raw: np.ndarray, where: Where) -> Tuple[Optional[Cells], str]:
    """Where the cells lie that a map, or the factor of a product, has; nothing for maps of the input's own size."""
    method = METHODS[key[0]]
    if not method.uses_layer:
        return None, ""
    return where(key[1], (fetched[method.cam, key[1]] if isinstance(method, ProductMethod) else raw).shape[2:])


def smooth_channels(fetched: Maps) -> Maps:
    """Weighted features of layer methods, [N, T, h, w, K], made maps: their first principal component, as float32."""
    return {key: _principal(parts) if _by_channel(key) else parts for key, parts in fetched.items()}


def _by_channel(key: MapKey) -> bool:
    return key[0] in METHODS and isinstance(METHODS[key[0]], LayerMethod)


def _principal(parts: np.ndarray) -> np.ndarray:
    return np.array([[principal_map(each) for each in row] for row in parts], np.float32)


def _raw_maps(
    method: Any, fetched: Maps, layers: Tuple[LayerInfo, ...], options: Mapping[str, Any], where: Where
) -> Maps:
    if isinstance(method, ProductMethod):
        pixels = fetched[method.pixels, ""]
        return {(method.name, at.name): _product(pixels, fetched[method.cam, at.name], at, where) for at in layers}
    if isinstance(method, HostMethod):
        return {(method.name, name): _on_host(method, fetched, name, options) for name, _ in spread(layers)}
    return {key: raw for key, raw in fetched.items() if key[0] == method.name}


def _product(pixels: np.ndarray, cams: np.ndarray, layer: LayerInfo, where: Where) -> np.ndarray:
    """[N, T, H, W, C] times the rectified [N, T, h, w] brought to H x W."""
    cells = where(layer.name, cams.shape[2:])[0]
    return pixels * upsample(np.maximum(cams, 0), pixels.shape[2:-1], cells)[..., np.newaxis]


def _on_host(method: HostMethod, fetched: Maps, layer: str, options: Mapping[str, Any]) -> np.ndarray:
    features = fetched["features", layer]
    if not method.needs_grads:  # the same map for every target
        maps = np.array([method.compute(row[0], None, **options) for row in features], np.float32)
        return np.repeat(maps[:, np.newaxis], features.shape[1], axis=1)
    grads = fetched[f"grads of {method.head}", layer]
    rows = [[method.compute(a, g, **options) for a, g in zip(*image)] for image in zip(features, grads)]
    return np.array(rows, np.float32)


def _close(raw: np.ndarray, method: Any) -> Tuple[np.ndarray, List[List[MapStatus]]]:
    flat = raw.reshape((-1, *raw.shape[2:]))
    finished, statuses = finish_maps(flat, not method.signed, _IF_ZERO.get(type(method), GRADIENT_IS_ZERO))
    slots = raw.shape[1]
    return finished.reshape(raw.shape), [statuses[start : start + slots] for start in range(0, len(statuses), slots)]


_IF_ZERO = {HostMethod: NOTHING_VARIES, IteratedMethod: NO_EFFECT, ProductMethod: FACTOR_IS_ZERO}


def _with_notes(
    statuses: List[List[MapStatus]], notes: Optional[List[List[Tuple[str, ...]]]], placed: str
) -> List[List[MapStatus]]:
    """notes: [N][T] sentences on the maps. placed: one on where they lie, "" where there is nothing to say."""
    last = (placed,) if placed else ()
    rows = notes or [[()] * len(row) for row in statuses]
    return [[replace(s, notes=(*n, *last)) for s, n in zip(row, said)] for row, said in zip(statuses, rows)]
