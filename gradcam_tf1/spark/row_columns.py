"""The columns of the rows that a cluster writes. No Spark here."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

from gradcam_tf1.drawing.stored_placements import pack_placements
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.run.manifest_lines import record_of, strict_json
from gradcam_tf1.run.result import MapRecord, Result, TargetRecord

_NUMBERS = {"type": "array", "elementType": "long", "containsNull": False}
_FLOATS = {"type": "array", "elementType": "double", "containsNull": False}
_TEXTS = {"type": "array", "elementType": "string", "containsNull": False}

LATER_COLUMNS = ("detection", "confidence", "anchor")  # which files of earlier versions lack
SETTINGS_KEY = "gradcam_tf1"  # of the metadata of the column `path`, which Parquet files keep
# Name -> type, as Spark writes it in JSON.
COLUMNS: Dict[str, Any] = {
    # of the image
    **{"path": "string", "status": "string", "error": "string", "height": "long", "width": "long"},
    **{"predicted": "long", "top": "string"},
    # of the target
    **{"target": "long", "class_id": "long", "label": "string", "about": "string"},
    **{"score": "double", "probability": "double"},
    **{"detection": _FLOATS, "confidence": "double", "anchor": "long"},
    # of the map
    **{"method": "string", "layer": "string", "reason": "string", "minimum": "double", "maximum": "double"},
    **{"peak": _NUMBERS, "box": _NUMBERS, "notes": _TEXTS, "map": "binary", "overlay": "binary"},
    **{"raw": "binary", "raw_shape": _NUMBERS, "raw_scale": "double", "placement": _NUMBERS, "cells": _FLOATS},
}


def image_rows(result: Result, kept: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Return the rows of an image: one for each map of each target; of a failed image one with the error.

    Parameters
    ----------
    result : Result
        The result. The files of its maps are names in `kept`.
    kept : mapping
        Name -> bytes of an encoded image, or the raw map with its placement.
    """
    height, width = result.size or (None, None)
    image = {"path": result.source, "height": height, "width": width}
    if not result.ok:
        return [{**image, "status": "error", "error": result.error}]
    top = strict_json(record_of(result, "")["top"])
    image = {**image, "predicted": result.predicted, "top": top}
    return [
        {**image, **_target_values(t, target), **_map_values(record, kept)}
        for t, target in enumerate(result.targets)
        for record in target.maps
    ]


def _target_values(t: int, target: TargetRecord) -> Dict[str, Any]:
    names = ("class_id", "label", "about", "score", "probability")
    values = {"target": t, **{name: getattr(target, name) for name in names}}
    found = target.detection
    if found is None:
        return values
    return {**values, "detection": list(found.box), "confidence": found.confidence, "anchor": found.anchor}


def _map_values(record: MapRecord, kept: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the columns of a map. A map of the pixels has no overlay: it is drawn alone."""
    files = {kind: kept[name] for kind, name in record.files.items()}
    return {
        **{name: getattr(record, name) for name in ("status", "method", "layer", "minimum", "maximum")},
        **{"reason": record.reason or None, "peak": record.peak, "box": record.box, "notes": list(record.notes)},
        **{"map": files.get("heatmap", files.get("pixels")), "overlay": files.get("overlay")},
        **raw_values(files["raw"]),
    }


def raw_values(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the columns of a raw map. Its values are `raw_scale` times float16 numbers from -1 to 1.

    Without the scale, float16 would lose what is below 6e-8 or above 65504, as raw maps often are.

    Parameters
    ----------
    raw : mapping
        The map with its placement and, unless it is stretched, its cells; as in the .npz files of a run.
    """
    values = np.asarray(raw["map"], np.float32)
    largest = float(np.abs(values).max()) if values.size else 0.0
    scale = largest if np.isfinite(largest) and largest > 0 else 1.0
    placement = Placement(*(tuple(int(side) for side in raw[name]) for name in _PLACEMENT))  # type: ignore[arg-type]
    return {
        "raw": (values.astype(np.float64) / scale).astype("<f2").tobytes(),
        "raw_shape": list(values.shape),
        "raw_scale": scale,
        "placement": pack_placements([placement])[1][0].tolist(),
        "cells": [*raw["offset"], *raw["stride"]] if "offset" in raw else None,
    }


_PLACEMENT = ("original", "fitted", "seen", "inside")


def raw_map(data: bytes, shape: Sequence[int], scale: float) -> np.ndarray:
    """Return the raw map of the columns `raw`, `raw_shape` and `raw_scale`: float32 of that shape.

    Raises
    ------
    ValueError
        If the bytes do not fit the shape.
    """
    return (np.frombuffer(data, "<f2").reshape(tuple(shape)).astype(np.float64) * scale).astype(np.float32)
