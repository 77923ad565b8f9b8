"""Measure every method on the same images: where it points, whether the score follows it, and what it costs."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
from method_items import Item, Material

from gradcam_tf1 import METHODS, ExplainOptions, method
from gradcam_tf1.metrics.floor_maps import FLOORS, floor_map, floor_on_original
from gradcam_tf1.metrics.localisation import energy_in_region, pointing_game
from gradcam_tf1.metrics.map_frames import on_input, on_original
from gradcam_tf1.metrics.metric_row import MetricInput
from gradcam_tf1.metrics.metric_table import METRICS

PLACES, FOLLOWS = ("pointing", "energy"), ("insertion", "deletion")


class Plan(NamedTuple):
    """How much is measured.

    Attributes
    ----------
    slow : int
        Methods that run the net many times, and insertion and deletion, are measured on so many images.
    slowest : int
        Methods whose runs grow with the channels, on so many.
    options : mapping
        Method -> options other than its defaults.
    left_out : tuple of str
        Methods that are not measured.
    steps : int
        Of insertion and deletion.
    seed : int
        Of everything random.
    slow_kept : bool
        Whether `kept` is measured for the methods that run the net many times.
    """

    slow: int
    slowest: int
    options: Mapping[str, Mapping[str, Any]]
    left_out: Tuple[str, ...] = ()
    steps: int = 20
    seed: int = 0
    slow_kept: bool = True


class Measured(NamedTuple):
    """One method.

    Attributes
    ----------
    values : dict
        Metric -> values [N], NaN where left out.
    seconds : float
        Processor time per image, NaN for floors.
    kept : float or None
        What drawn weights leave of the maps; None where that is not measured yet.
    """

    values: Dict[str, np.ndarray]
    seconds: float
    kept: Optional[float] = None


SLOWEST = ("sscam", "iscam", "rise", "scorecam", "guided_ig", "blur_ig")


def measured_methods(material: Material, plan: Plan, known: Mapping[str, Measured]) -> Iterator[Tuple[str, Measured]]:
    """Yield what every method and floor is worth, the fast ones first; known ones are not measured again."""
    usable, _ = material.net.usable_methods(list(METHODS))
    for name in [*FLOORS, *sorted(usable, key=lambda name: (METHODS[name].iterated, name in SLOWEST))]:
        if name not in plan.left_out:
            yield name, known[name] if name in known else _measured(name, material, plan)


def _measured(name: str, material: Material, plan: Plan) -> Measured:
    items = material.items
    values = {metric: np.full(len(items), np.nan) for metric in (*PLACES, *FOLLOWS)}
    seconds: List[float] = []
    for number, item in enumerate(items[: _count(name, len(items), plan)]):
        if not number and name in METHODS:
            _map(name, item, material, plan)  # the first call adds the ops of the method
        start = time.process_time()
        saliency, placed = _map(name, item, material, plan, number)
        seconds.append(time.process_time() - start)
        values["pointing"][number] = pointing_game(placed, item.region, material.tolerance)
        values["energy"][number] = energy_in_region(placed, item.region)
        if number < plan.slow:
            for metric, value in _follows(saliency, item, material, plan):
                values[metric][number] = value
    return Measured(values, statistics.median(seconds) if name in METHODS else float("nan"))


def _count(name: str, items: int, plan: Plan) -> int:
    if name in SLOWEST:
        return min(items, plan.slowest)
    return min(items, plan.slow) if name in METHODS and METHODS[name].iterated else items


def _map(name: str, item: Item, material: Material, plan: Plan, number: int = 0) -> Tuple[np.ndarray, np.ndarray]:
    """Return the map at the net's input and on the image."""
    explainer = material.net.explainers[0]
    given = explainer.prepare([item.image])
    placement, sides = given.placements[0], given.pixels.shape[1:3]
    if name in FLOORS:
        pixels, seed = given.pixels[0], plan.seed + number
        return floor_map(name, pixels, seed), floor_on_original(name, pixels, placement, seed)
    chosen = method(name, **plan.options.get(name, {}))
    explanation = explainer.explain(given, [item.class_id], [chosen], None, "logit", ExplainOptions())
    key = explanation.key(name)
    values, cells = explanation.maps[key][0, 0], explanation.cells.get(key)
    return on_input(values, cells, sides), on_original(values, cells, placement)


def _follows(saliency: np.ndarray, item: Item, material: Material, plan: Plan) -> Iterator[Tuple[str, float]]:
    """Yield insertion and deletion with the probability of the class."""
    explainer = material.net.explainers[0]
    changed = explainer.probe(explainer.prepare([item.image]), item.class_id, "probability")
    baseline = partial(changed.baseline, seed=plan.seed)
    task = MetricInput(saliency, saliency, changed.image, baseline, changed.score, seed=plan.seed, chunk=changed.chunk)
    for metric in FOLLOWS:
        row = METRICS[metric]
        yield metric, row.compute(task, **row.filled({"steps": plan.steps})).value
