"""Measure the maps of one image: explain it once, bring all maps to the measured frames, compute the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from gradcam_tf1.engine.changed_images import ChangedImages
from gradcam_tf1.engine.explain import NetExplainer, NetInput
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import ClosedError, GradCamError, RunError
from gradcam_tf1.evaluation.true_objects import NO_OBJECT, ImageObject, TrueObjects
from gradcam_tf1.methods.choices import ChosenMethods
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.metrics.floor_maps import FLOORS, floor_map
from gradcam_tf1.metrics.map_frames import on_input, on_original
from gradcam_tf1.metrics.metric_row import EXPLAIN, REGION, MetricInput, MetricValue, undefined
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.types import LayerInfo, MethodProgress

GRID = 51  # points of a stored curve, evenly over the share of changed pixels
FLOOR_EXPLAINS = "a floor is no method, so it has no maps of changed images"


@dataclass(frozen=True)
class Measures:
    """What is measured, on every image.

    Attributes
    ----------
    methods : mapping
        Methods that the net allows, with their options.
    metrics : mapping
        Metrics, with all their options.
    layers : tuple of LayerInfo
        The layer.
    score : {"probability", "logit"}
        The score that the metrics follow.
    target : {"predicted", "truth"}
        Which class is explained.
    seed : int
        Of everything random.
    objects : TrueObjects or None
        Where the objects are.
    report : callable or None
        Gets the progress of methods that run the net many times.
    """

    methods: ChosenMethods
    metrics: Mapping[str, Mapping[str, Any]]
    layers: Tuple[LayerInfo, ...]
    score: str
    target: str
    seed: int
    objects: Optional[TrueObjects] = None
    report: Optional[Callable[[MethodProgress], None]] = None


class MeasuredMap(NamedTuple):
    """A map in both frames: float64 [H, W] of the net's input, and [H0, W0] of the original image."""

    saliency: np.ndarray
    placed: np.ndarray


def measured_row(explainer: NetExplainer, image: RunImage, measures: Measures) -> Dict[str, Any]:
    """Return the row of an image for the journal; of a failed one, the row says why."""
    row: Dict[str, Any] = {"index": image.index, "source": image.file.source, "relative": image.file.relative}
    if image.error:
        return {**row, "error": image.error}
    try:
        return {**row, "error": None, **_measured(explainer, image, measures)}
    except ClosedError:
        raise
    except GradCamError as error:
        return {**row, "error": f"{image.file.source!r}: {error}"}


def _measured(explainer: NetExplainer, image: RunImage, measures: Measures) -> Dict[str, Any]:
    given = explainer.prepare([image.fitted])
    scores = _class_scores(explainer, given)
    predicted = int(scores.argmax())
    objects, size = measures.objects, given.placements[0].original
    found = ImageObject() if objects is None else objects.of(image.file, size)
    class_id = predicted if measures.target == "predicted" else found.best_class(scores)
    if class_id is None:
        return {"predicted": predicted, "class_id": None, "counts": False, "why_not": found.why_no_class, "values": {}}
    region, why_not = found.region(class_id, size)
    labels = explainer.labels
    row: Dict[str, Any] = {
        "class_id": class_id,
        "label": None if labels is None else labels.name(class_id),
        "predicted": predicted,
        "counts": region is not None,
        "why_not": why_not,
        "values": {},
    }
    if region is None and objects is not None and all(REGION in METRICS[name].needs for name in measures.metrics):
        return row
    changed = explainer.probe(given, class_id, measures.score)
    row["score"] = float(changed.score(changed.image[np.newaxis])[0])
    if not np.isfinite(row["score"]):
        raise RunError("the score of the class is NaN or infinite")
    maps = all_maps(explainer, given, class_id, measures, image.index)
    boxes = found.boxes_of(class_id)
    for name, each in maps.items():
        task = _input_of(name, each, changed, measures, boxes, region)
        row["values"][name] = {metric: _value(metric, options, task, name) for metric, options in measures.metrics.items()}
    return row
