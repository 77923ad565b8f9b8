"""The answer to a request: plain, or with maps averaged over noisy copies or augmented views of the images."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.engine.auto_layer import OWN, OwnLayers
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapAnswer, MapRequest
from gradcam_tf1.engine.mirrored_targets import mirrored_targets
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import centres, resample
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.noise import Noise, Spread
from gradcam_tf1.types import Binding, Cells, MapKey, MapStatus, MethodProgress

GAINS = (1.0, 0.9, 1.1)
VIEWS = tuple((mirrored, gain) for mirrored in (False, True) for gain in GAINS)


def explain_request(
    engine: MapEngine, binding: Binding, request: MapRequest, noise: Optional[Noise] = None, aug_smooth: bool = False
) -> MapAnswer:
    """Answer a request.

    Parameters
    ----------
    engine : MapEngine
        Runs the net.
    binding : Binding
        Of the net.
    request : MapRequest
        OWN among its layers stands for each target's own layer.
    noise : Noise, optional
        Average every map over noisy copies of the images.
    aug_smooth : bool
        Average every map over six views of the images; of each view over its noisy copies.

    Returns
    -------
    MapAnswer
        Scores and classes are those of the images as they are.

    Raises
    ------
    GradientError, OptionError, RunError
        As `MapEngine.run`.
    TargetError
        For a target that cannot be mirrored, with `aug_smooth`.
    """
    if OWN not in request.layers:
        return _smoothed(engine, request, noise, aug_smooth)
    own = OwnLayers.of(engine.graph, binding, _without_maps(engine, request).settled, len(request.batch))
    answer = _smoothed(engine, replace(request, layers=own.in_place_of_own(request.layers)), noise, aug_smooth)
    return own.picked(answer, request.layers, engine.grid(request.sides))


def _smoothed(engine: MapEngine, request: MapRequest, noise: Optional[Noise], aug_smooth: bool) -> MapAnswer:
    if aug_smooth:
        return _over_views(engine, request, noise)
    if noise is not None:
        return _over_noise(engine, request, noise)
    return engine.run(request)


def _without_maps(engine: MapEngine, request: MapRequest) -> MapAnswer:
    return engine.run(replace(request, methods={}, layers=()))


def _over_views(engine: MapEngine, request: MapRequest, noise: Optional[Noise]) -> MapAnswer:
    """Average maps over the image as it is and mirrored left to right, its pixel values times 1, 0.9 and 1.1.

    Every view is explained for the classes of the image itself; masks, points and detections are mirrored with it, see
    `mirrored_targets`. Views without a box for a detection do not count. Maps are averaged after a closing ReLU.
    """
    if request.pixels is None or request.to_batch is None:
        raise OptionError("aug_smooth needs the images behind the batch: give pixels and to_batch")
    clean = _without_maps(engine, request)
    sums: Dict[MapKey, np.ndarray] = {}
    statuses: Dict[MapKey, List[List[List[MapStatus]]]] = {}
    counted: List[np.ndarray] = []
    for mirrored, gain in VIEWS:
        pixels = (request.pixels[:, :, ::-1] if mirrored else request.pixels) * np.float32(gain)
        view = replace(request, batch=request.to_batch(pixels), pixels=pixels, scores=clean.settled)
        there = np.ones((len(pixels), len(clean.settled)), bool)
        if mirrored:
            turned = mirrored_targets(engine, view, clean.settled)
            view, there = replace(view, scores=turned.scores), turned.there
        counted.append(there)
        answer = _smoothed(engine, view, noise, aug_smooth=False)
        for key, maps in answer.maps.items():
            back = _turned_back(key, maps, answer.cells.get(key), request.sides) if mirrored else maps
            sums[key] = sums.get(key, 0.0) + np.where(_beside(there, back), back.astype(np.float64), 0)
            statuses.setdefault(key, []).append(answer.statuses[key])
    views = np.stack(counted)
    means = {key: (total / _beside(views.sum(axis=0), total)).astype(np.float32) for key, total in sums.items()}
    joined = {key: _all_joined(maps, statuses[key], views) for key, maps in means.items()}
    return replace(clean, maps=means, statuses=joined, cells=answer.cells)


def _beside(values: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return values [N, T] with as many axes as maps [N, T, ...]."""
    return values.reshape(values.shape + (1,) * (maps.ndim - 2))


def _turned_back(key: MapKey, maps: np.ndarray, cells: Optional[Cells], size: Sequence[int]) -> np.ndarray:
    """Mirror [N, T, h, w], or [N, T, H, W, C] of pixel methods, left to right.

    cells: where those of the map lie on an input of `size`; where that differs from the right and from the left, the
    map is read where the mirror images of its own cells are.
    """
    if METHODS[key[0]].space == "pixels":
        return maps[..., ::-1, :]
    if cells is None:
        return maps[..., ::-1]
    rows, columns = centres(cells, maps.shape[2:])
    return resample(maps, size, cells, [rows, size[1] - columns])


def _all_joined(
    maps: np.ndarray, statuses: Sequence[List[List[MapStatus]]], views: np.ndarray
) -> List[List[MapStatus]]:
    """Return one status a map. maps: [N, T, ...]. statuses: of each view, [N][T]. views: [V, N, T], which count."""
    images, targets = maps.shape[:2]
    return [
        [_joined(maps[n, t], [rows[n][t] for rows, on in zip(statuses, views) if on[n, t]]) for t in range(targets)]
        for n in range(images)
    ]


def _joined(map: np.ndarray, statuses: Sequence[MapStatus]) -> MapStatus:
    """Return ok where any view is, with the range of the mean map; else the reason of the lowest."""
    good = [status for status in statuses if status.state == "ok"]
    if not good:
        return min(statuses, key=lambda status: status.minimum)
    found = replace(good[0], minimum=float(map.min()), maximum=float(map.max()))
    if len(statuses) == len(VIEWS):
        return found
    note = f"the mean of {len(statuses)} of {len(VIEWS)} views: the detector has no such box in the other ones"
    return replace(found, notes=(*found.notes, note))


def _over_noise(engine: MapEngine, request: MapRequest, noise: Noise) -> MapAnswer:
    """Average maps over noisy copies of the net's first float tensor, in its own range, after a closing ReLU."""
    clean = _without_maps(engine, request)
    images = engine.float_images(request.batch, request.scores[0].inputs)
    spreads: Dict[MapKey, Spread] = {}
    report = _copies_report(request, noise)
    report(0)
    for number, copy in enumerate(noise.copies(images, images.ndim - 1)):
        answer = engine.run(replace(request, scores=clean.settled, floats=copy))
        for key, maps in answer.maps.items():
            spreads.setdefault(key, Spread()).add(maps)
        report(number + 1)
    means = {key: spread.result(noise.kind) for key, spread in spreads.items()}
    statuses = {key: _statuses(maps, answer.statuses[key], noise) for key, maps in means.items()}
    return replace(clean, maps=means, statuses=statuses, cells=answer.cells)


def _copies_report(request: MapRequest, noise: Noise) -> Callable[[int], None]:
    """Return what reports how many noisy copies are done; methods that run the net many times report themselves."""
    images = len(request.batch)
    work = MethodProgress(", ".join(request.methods), "", images, noise.samples, "noisy copies")
    silent = any(METHODS[name].iterated for name in request.methods)

    def report(done: int) -> None:
        if request.report is not None and not silent:
            request.report(replace(work, done=done * images))

    return report


def _statuses(maps: np.ndarray, last: List[List[MapStatus]], noise: Noise) -> List[List[MapStatus]]:
    """maps: [N, T, ...]. last: statuses of the last copy's maps, which say why all copies gave nothing."""
    return [[_status(map, status, noise) for map, status in zip(*rows)] for rows in zip(maps, last)]


def _status(map: np.ndarray, last: MapStatus, noise: Noise) -> MapStatus:
    notes = (*last.notes, f"{noise.kind} of {noise.samples} noisy copies, level {noise.level:g}, seed {noise.seed}")
    low, high = float(map.min()), float(map.max())
    if low or high:
        return MapStatus("ok", "", low, high, notes)
    return MapStatus("empty", last.reason or "the maps of all noisy copies are the same", low, high, notes)
