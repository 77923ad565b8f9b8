"""The record of one explained image for the report and the live page: plain JSON values. No TensorFlow here."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Optional, Sequence

from gradcam_tf1.drawing.class_score import ClassScore
from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.drawing.explanation import Explanation
from gradcam_tf1.drawing.style import peak
from gradcam_tf1.images.fitted_clips import ClipPlacement, frame_cells
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.methods import METHODS
from gradcam_tf1.report.map_grid import MapGrid, focus_of, grid_of
from gradcam_tf1.run.result import MapRecord, TargetRecord

Record = Dict[str, Any]
PixelsOf = Callable[[Map], Optional[str]]


def image_record(
    explanation: Explanation,
    n: int = 0,
    *,
    ident: str,
    name: str,
    preview: Optional[str] = None,
    targets: Optional[Sequence[TargetRecord]] = None,
    pixels: Optional[PixelsOf] = None,
    frame: int = 0,
) -> Record:
    """Return the record of one image of an explanation.

    Parameters
    ----------
    explanation : Explanation
        Of images or clips. Maps of signals and volumes get no grid.
    n : int
        Number of the image.
    ident : str
        The record's id.
    name : str
        Name of the image, for people.
    preview : str or None
        URL of the original image.
    targets : sequence of TargetRecord or None
        What a run wrote of the targets; None to find peaks here, without boxes.
    pixels : callable or None
        Takes a map of a pixel method and returns the URL of its drawn image.
    frame : int
        Which of the explained frames of a clip is shown.

    Returns
    -------
    dict
        See docs/formats.md; no number is NaN or infinite.
    """
    placement = explanation.placements[n]
    seen = placement.frame if isinstance(placement, ClipPlacement) else placement
    size = list(seen.original) if isinstance(seen, Placement) else None
    slots = distinct_targets(explanation, n)
    written: Sequence[Optional[TargetRecord]] = [None] * len(slots) if targets is None else targets
    return {
        **{"id": ident, "name": name, "size": size, "status": "ok", "error": None},
        **{"preview": preview, "thumb": None, "missing": None, "truth": None},
        "top": classes(explanation.top[n] if explanation.top else ()),
        "targets": [_target(explanation, n, t, record, pixels, frame) for t, record in zip(slots, written)],
    }


def failed_record(ident: str, name: str, error: str, size: Any) -> Record:
    """Return the record of an image that was not explained."""
    return {
        **{"id": ident, "name": name, "size": size and list(size), "status": "error", "error": error},
        **{"preview": None, "thumb": None, "missing": None, "truth": None, "top": [], "targets": []},
    }


def classes(scores: Sequence[ClassScore]) -> List[Record]:
    """Return the rows of `top`."""
    return [
        {
            **{"class_id": each.class_id, "label": each.label},
            **{"score": finite(each.score), "probability": finite(each.probability)},
        }
        for each in scores
    ]


def distinct_targets(explanation: Explanation, n: int) -> List[int]:
    """Return the numbers of an image's targets without repeated ones, as a run writes them."""
    return explanation.shown_targets(n)


def map_record(facts: MapRecord, grid: Optional[MapGrid], size: Any, pixels: Optional[str] = None) -> Record:
    """Return the record of one map.

    Parameters
    ----------
    facts : MapRecord
        What is known of the map; its files are not used.
    grid : MapGrid or None
        Its values; None where they are not known, or the map is empty.
    size : (int, int) or None
        Height and width of the original image.
    pixels : str or None
        URL of its drawn image.
    """
    return {
        **{"method": facts.method, "layer": facts.layer, "status": facts.status, "reason": facts.reason},
        **{"minimum": finite(facts.minimum), "maximum": finite(facts.maximum)},
        **{"peak": _whole(facts.peak), "box": _whole(facts.box), "notes": list(facts.notes)},
        "focus": None if grid is None else focus_of(grid, size),
        "signed": grid is not None and grid.low < 0,
        "grid": None if grid is None else grid.as_json(),
        "pixels": pixels,
    }


def detection_record(found: Optional[Detection]) -> Optional[Record]:
    """Return the record of a detection; None where there is none, or it is not finite."""
    if found is None or not all(map(math.isfinite, (*found.box, found.confidence))):
        return None
    return found.as_record()


def _whole(numbers: Optional[Sequence[int]]) -> Optional[List[int]]:
    return None if numbers is None else [int(number) for number in numbers]


def finite(value: Optional[float]) -> Optional[float]:
    """Return the number, or None where it is None, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def _target(
    explanation: Explanation, n: int, t: int, written: Optional[TargetRecord], pixels: Optional[PixelsOf], frame: int
) -> Record:
    maps = [Map(explanation, key, n, t) for key in explanation.maps]
    first = maps[0]
    facts = [_facts(map) for map in maps] if written is None else written.maps
    return {
        **{"class_id": first.class_id, "label": first.label},
        **{"score": finite(first.score), "probability": finite(first.probability)},
        "about": explanation.abouts[t] if explanation.abouts else "",
        "detection": detection_record(first.detection),
        "maps": [_map(map, fact, pixels, frame) for map, fact in zip(maps, facts)],
    }


def _facts(map: Map) -> MapRecord:
    """Return what a run would record of a map."""
    placement, status = map.placement, map.details
    shown = isinstance(placement, Placement) and map.status == "ok"
    return MapRecord(
        *(map.method, map.layer, status.state, status.reason, status.minimum, status.maximum),
        peak=peak(map.placed(), placement) if shown else None,
        notes=status.notes,
    )


def _map(map: Map, facts: MapRecord, pixels: Optional[PixelsOf], frame: int) -> Record:
    placement, cells, values = map.placement, map.cells, map.values
    if isinstance(placement, ClipPlacement):
        placement, cells, values = placement.frame, frame_cells(cells), values[frame]
    grid = None
    if map.status == "ok" and isinstance(placement, Placement):
        grid = grid_of(values, placement, cells)
    drawn = pixels(map) if pixels is not None and METHODS[map.method].space == "pixels" else None
    return map_record(facts, grid, placement.original if isinstance(placement, Placement) else None, drawn)
