"""From the raw maps of one or several runs to the engine's answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.iterate import Notes
from gradcam_tf1.engine.map_request import BestClasses, MapAnswer, MapRequest
from gradcam_tf1.engine.map_status import close_maps, with_notes
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.base import RawMaps
from gradcam_tf1.methods.layer_maps import InputGrid
from gradcam_tf1.types import MapKey, MapStatus, ScoreRequest


@dataclass(frozen=True)
class RunPart:
    """What one run gave for some of the targets.

    Attributes
    ----------
    class_ids, scores, probabilities, predicted, settled, best
        As in `MapAnswer`.
    broken : np.ndarray
        bool [N], whether the scores of an image are NaN or infinite.
    maps : dict
        (method, layer) -> maps before the closing ReLU.
    notes : dict
        (method, layer) -> sentences on the maps, [N][T].
    """

    class_ids: np.ndarray
    scores: np.ndarray
    probabilities: Optional[np.ndarray]
    predicted: np.ndarray
    broken: np.ndarray
    settled: Tuple[ScoreRequest, ...]
    best: BestClasses
    maps: Dict[MapKey, RawMaps]
    notes: Notes

    def with_maps(self, maps: Mapping[MapKey, RawMaps], notes: Notes) -> RunPart:
        """Return the same with further maps."""
        return replace(self, maps={**self.maps, **maps}, notes={**self.notes, **notes})


def joined_notes(
    before: Optional[Sequence[Sequence[Tuple[str, ...]]]], after: Sequence[Sequence[Tuple[str, ...]]]
) -> List[List[Tuple[str, ...]]]:
    """Return sentences on the same maps, [N][T], as one."""
    if before is None:
        return [list(row) for row in after]
    return [[(*first, *then) for first, then in zip(*rows)] for rows in zip(before, after)]


def join(parts: Sequence[RunPart]) -> RunPart:
    """Return the runs for parts of the targets as one."""
    if len(parts) == 1:
        return parts[0]

    def joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(arrays, axis=1)

    chosen = [part.probabilities for part in parts if part.probabilities is not None]
    return replace(
        parts[0],
        class_ids=joined([part.class_ids for part in parts]),
        scores=joined([part.scores for part in parts]),
        probabilities=joined(chosen) if chosen else None,
        settled=tuple(score for part in parts for score in part.settled),
        maps={
            key: RawMaps(joined([part.maps[key].values for part in parts]), raw.grid)
            for key, raw in parts[0].maps.items()
        },
        notes={
            key: [[said for part in parts for said in part.notes[key][n]] for n in range(len(rows))]
            for key, rows in parts[0].notes.items()
        },
    )


def finish(part: RunPart, failures: Tuple[str, ...], request: MapRequest, grid: InputGrid) -> MapAnswer:
    """Close the maps of the requested methods, in their order, with their statuses and cells.

    Parameters
    ----------
    part : RunPart
        With the raw maps of all methods.
    failures : tuple of str
        For each image why it has no answer, "" where it has one.
    request : MapRequest
        Its methods.
    grid : InputGrid
        The pixels of the net's input.
    """
    answer = MapAnswer(
        part.class_ids, part.scores, part.probabilities, part.predicted, failures, part.settled, part.best
    )
    for name in request.methods:
        for key in [key for key in part.maps if key[0] == name]:
            _close(answer, part, key, grid)
    for n, reason in enumerate(failures):
        if reason:
            _empty(answer, n, reason)
    return answer


def _close(answer: MapAnswer, part: RunPart, key: MapKey, grid: InputGrid) -> None:
    (name, layer), raw = key, part.maps[key]
    answer.maps[key], statuses = close_maps(raw.values, METHODS[name])
    notes = part.notes.get(key) or [[()] * len(row) for row in statuses]
    answer.statuses[key] = with_notes(statuses, notes, grid.note(layer, raw.grid) if raw.grid else "")
    cells = grid.cells(layer, raw.grid) if raw.grid and METHODS[name].space == "layer" else None
    if cells is not None:
        answer.cells[key] = cells


def _empty(answer: MapAnswer, n: int, reason: str) -> None:
    """Empty all maps of image n, which has no answer."""
    for key, maps in answer.maps.items():
        maps[n] = 0
        answer.statuses[key][n] = [MapStatus("empty", reason, 0.0, 0.0)] * len(maps[n])
