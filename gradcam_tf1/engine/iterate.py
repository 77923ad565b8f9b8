"""Methods that run the net many times: their cost is reported first, then each chunk that is done."""

from __future__ import annotations

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.map_request import Report
from gradcam_tf1.engine.probe import Probe
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.methods.base import Job, Method, RawMaps
from gradcam_tf1.types import MapKey, MethodProgress

Notes = Dict[MapKey, List[List[Tuple[str, ...]]]]


def check_copies(methods: Sequence[Method], mixing: str, chunk: int) -> None:
    """Refuse methods whose inputs would share a batch where the op `mixing` mixes its images.

    Raises
    ------
    GradientError
        With what to do instead.
    """
    for method in methods:
        if method.copies and mixing and chunk > 1:
            raise GradientError(
                f"{method.name} puts changed copies of an image into one batch, and '{mixing}' mixes the images of "
                "a batch (batch norm in training mode), so that none gets its own score: export the net for inference "
                "(is_training=False), open it with batch_size=1, or use a method that runs the image as it is, such "
                "as 'gradcam' or 'gradient'"
            )


def run_jobs(
    jobs: Sequence[Job], probes: Sequence[Probe], report: Optional[Report] = None
) -> Tuple[Dict[MapKey, RawMaps], Notes]:
    """Make the maps of iterated methods.

    Parameters
    ----------
    jobs : sequence of Job
        One for each map.
    probes : sequence of Probe
        One for each of N >= 1 images, all of one size.
    report : Callable, optional
        Called with the `MethodProgress` of every job before the first begins, and again whenever a chunk is done.

    Returns
    -------
    tuple
        Raw maps [N, T, ...] and notes [N][T] by (method, layer).
    """
    if report is not None:
        for job in jobs:
            report(job.work)
    maps: Dict[MapKey, RawMaps] = {}
    notes: Notes = {}
    for job in jobs:
        meter = _Meter(job.work, report)
        for probe in probes:
            probe.step = meter
        key = (job.work.method, job.work.layer)
        values = np.stack([_checked(job, probe) for probe in probes])
        maps[key] = RawMaps(values, values.shape[2:] if job.on_grid else ())
        notes[key] = [probe.take_notes() for probe in probes]
    return maps, notes


def _checked(job: Job, probe: Probe) -> np.ndarray:
    """Return the maps of one image; refuse anything but one array for each target."""
    maps = job.compute(probe)
    if not isinstance(maps, np.ndarray) or maps.ndim < 2 or len(maps) != probe.targets:
        raise OptionError(
            f"compute of {job.work.method} returned {np.shape(maps)}; it returns an array with one map for each of "
            f"{probe.targets} targets"
        )
    return maps


class _Meter:
    """Counts the inputs that one job has run."""

    def __init__(self, work: MethodProgress, report: Optional[Report]) -> None:
        self._work = work
        self._report = report

    def __call__(self, count: int) -> None:
        self._work = replace(self._work, done=self._work.done + count)
        if self._report is not None and count:
            self._report(self._work)
