"""Methods that run the net many times: what they will cost is told first, then each chunk that is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.layers_together import on_image, parts_of
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.errors import GradientError
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.families import IteratedMethod
from gradcam_tf1.methods.options import method_options
from gradcam_tf1.types import LayerInfo, MapKey, MethodProgress

Report = Callable[[MethodProgress], None]
Notes = Dict[MapKey, List[List[Tuple[str, ...]]]]
Options = Mapping[str, Mapping[str, Any]]


def check_copies(methods: Sequence[str], mixing: str, chunk: int) -> None:
    """Raises GradientError for methods whose inputs would share a batch where the op `mixing` mixes its images."""
    for method in (METHODS[name] for name in methods if mixing and chunk > 1):
        if isinstance(method, IteratedMethod) and method.copies:
            raise GradientError(
                f"{method.name} puts changed copies of an image into one batch, and '{mixing}' mixes the images of "
                "a batch (batch norm in training mode), so that none gets its own score: export the net for inference "
                "(is_training=False), open it with batch_size=1, or use a method that runs the image as it is, such "
                "as 'gradcam' or 'gradient'"
            )


def iterate(
    methods: Sequence[IteratedMethod],
    layers: Tuple[LayerInfo, ...],
    probes: List[Probe],
    options: Options,
    report: Optional[Report] = None,
) -> Tuple[Dict[MapKey, np.ndarray], Notes]:
    """Maps [N, T, ...] of each method, and of each layer where it looks at one.

    probes: one for each of N >= 1 images, all of one size. options: method -> its keyword options.
    report: called with every `MethodProgress` before the first begins, and again whenever a chunk is done.
    """
    jobs = [(method, layer) for method in methods for layer in (layers if method.uses_layer else (None,))]
    works = [_work(method, layer, probes, options.get(method.name, {})) for method, layer in jobs]
    if report is not None:
        for work in works:
            report(work)
    maps: Dict[MapKey, np.ndarray] = {}
    notes: Notes = {}
    for (method, layer), work in zip(jobs, works):
        meter = _Meter(work, report)
        for probe in probes:
            probe.step = meter
        rows = [_map_of(method, probe, layer, options.get(method.name, {})) for probe in probes]
        maps[method.name, work.layer] = np.stack(rows)
        notes[method.name, work.layer] = [probe.take_notes() for probe in probes]
    return maps, notes


def _map_of(method: IteratedMethod, probe: Probe, layer: Optional[LayerInfo], options: Mapping[str, Any]) -> np.ndarray:
    """[T, ...]; of layers taken together the sum of theirs."""
    maps = [method.compute(probe, part, **options) for part in _parts(layer)]
    if layer is None or not layer.parts:
        return maps[0]
    return on_image(
        maps, layer, probe.pixels.shape[:-1], lambda name, grid: (probe.cells_of(name, grid), ""), method.signed
    )


def _parts(layer: Optional[LayerInfo]) -> Sequence[Optional[LayerInfo]]:
    return (None,) if layer is None else parts_of(layer)


def _work(
    method: IteratedMethod, layer: Optional[LayerInfo], probes: List[Probe], options: Mapping[str, Any]
) -> MethodProgress:
    whole = {**method_options(method), **options}
    runs = sum(method.runs(probes[0], part, **whole) for part in _parts(layer))
    return MethodProgress(method.name, layer.name if layer else "", len(probes), runs, method.unit)


class _Meter:
    """Counts the inputs that one method has run."""

    def __init__(self, work: MethodProgress, report: Optional[Report]) -> None:
        self._work = work
        self._report = report

    def __call__(self, count: int) -> None:
        self._work = replace(self._work, done=self._work.done + count)
        if self._report is not None and count:
            self._report(self._work)
