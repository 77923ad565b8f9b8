"""Measure the maps of one image: explain it once, bring all maps to the measured frames, compute the metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from gradcam_tf1.engine.changed_images import ChangedImages
from gradcam_tf1.engine.explain import NetExplainer, NetInput
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import ClosedError, GradCamError, RunError
from gradcam_tf1.evaluation.measured_rows import GRID
from gradcam_tf1.evaluation.true_objects import UNKNOWN, ImageObject, TrueObjects
from gradcam_tf1.methods.choices import ChosenMethods, method
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.metrics.floor_maps import FLOORS, floor_map, floor_on_original
from gradcam_tf1.metrics.map_frames import on_input, on_original
from gradcam_tf1.metrics.metric_row import EXPLAIN, REGION, ExplainFunction, MetricInput, undefined
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.types import LayerInfo, MethodProgress

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
    spec : any
        The layer as it was given, for `explain`.
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
    spec: Any
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
    objects = measures.objects
    found = ImageObject() if objects is None else objects.of(image.file, given.placements[0].original)
    class_id = predicted if measures.target == "predicted" else found.best_class(scores)
    row: Dict[str, Any] = {"predicted": predicted, "class_id": class_id, "located": False, "why_not": "", "values": {}}
    if class_id is None:
        return {**row, "why_not": _why_not(found)}
    if explainer.labels is not None:
        row["label"] = explainer.labels.name(class_id)
    place = found.locate(class_id)
    if objects is not None:
        row.update(located=place is not None, why_not="" if place is not None else _why_not(found))
        if place is None and all(REGION in METRICS[name].needs for name in measures.metrics):
            return row
    changed = explainer.probe(given, class_id, measures.score)
    row["score"] = float(changed.score(changed.image[np.newaxis])[0])
    if not np.isfinite(row["score"]):
        raise RunError(f"the {measures.score} of class {class_id} is NaN or infinite")
    task = MetricInput(
        *(np.empty(0), np.empty(0), changed.image, partial(changed.baseline, seed=measures.seed), changed.score),
        boxes=() if place is None else place.boxes,
        region=None if place is None else place.region,
        seed=measures.seed,
        probability=measures.score == "probability",
        chunk=changed.chunk,
    )
    for name, each in all_maps(explainer, given, class_id, measures, image.index).items():
        own = replace(task, saliency=each.saliency, placed=each.placed, explain=_explains(changed, name, measures))
        row["values"][name] = {metric: _value(metric, options, own) for metric, options in measures.metrics.items()}
    return row


def _why_not(found: ImageObject) -> str:
    """Return why the explained class has no place, in words that are the same for many images."""
    if found.found is None:
        return "nothing is marked for the image"
    if not found.found.objects:
        return "the image has no marked object"
    known = any(found.ids.get(item.class_name or "") for item in found.found.objects)
    return "the explained class is not marked" if known else "the marked objects are no classes of the net"


def _class_scores(explainer: NetExplainer, given: NetInput) -> np.ndarray:
    """Return the scores of all classes: float64 [C]. Raises RunError if they order no classes."""
    scores: np.ndarray = explainer.engine.evaluate(given.to_batch(given.pixels))["scores"][0].astype(np.float64)
    if np.isnan(scores).any() or np.isposinf(scores).any():
        raise RunError("the scores of the classes are NaN or infinite")
    return scores


def all_maps(
    explainer: NetExplainer, given: NetInput, class_id: int, measures: Measures, index: int
) -> Dict[str, MeasuredMap]:
    """Return the maps of all methods from one explanation, and the floors, by name.

    Parameters
    ----------
    explainer : NetExplainer
        The net.
    given : NetInput
        One image.
    class_id : int
        The class to explain.
    measures : Measures
        The methods.
    index : int
        Number of the image, which changes the random floor.
    """
    chosen = [method(name, **options) for name, options in measures.methods.items()]
    options = ExplainOptions(progress=measures.report)
    explanation = explainer.explain(given, [class_id], chosen, measures.spec, "logit", options)
    if explanation.failures[0]:
        raise RunError(explanation.failures[0])
    placement, sides = given.placements[0], given.pixels.shape[1:3]
    found = {}
    for name in measures.methods:
        key = explanation.key(name)
        values, cells = explanation.maps[key][0, 0], explanation.cells.get(key)
        found[name] = MeasuredMap(on_input(values, cells, sides), on_original(values, cells, placement))
    for name in FLOORS:
        pixels, seed = given.pixels[0], (measures.seed + index) % (MAX_SEED + 1)
        found[name] = MeasuredMap(floor_map(name, pixels, seed), floor_on_original(name, pixels, placement, seed))
    return found


def _explains(changed: ChangedImages, name: str, measures: Measures) -> Optional[ExplainFunction]:
    """Return what makes the maps of changed images by the same method; None for a floor."""
    if name not in measures.methods:
        return None
    return partial(changed.maps, name, measures.methods[name], measures.layers)


def _value(metric: str, options: Mapping[str, Any], task: MetricInput) -> Dict[str, Any]:
    """Return a metric's value of one map, with its reason where there is none, and its curve."""
    row = METRICS[metric]
    if EXPLAIN in row.needs and task.explain is None:
        found = undefined(FLOOR_EXPLAINS)
    elif REGION in row.needs and task.region is None:
        found = undefined(UNKNOWN)
    else:
        found = row.compute(task, **options)
    value = {"value": found.value, **({"reason": found.reason} if found.reason else {})}
    if found.curve is not None:
        shares, scores = found.curve.T
        value["curve"] = np.interp(np.linspace(0, 1, GRID), shares, scores).tolist()
    return value
