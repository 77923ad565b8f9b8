"""Measure maps that were computed earlier: all that needs no net. No TensorFlow here."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.evaluation.class_map import NetClasses
from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions
from gradcam_tf1.evaluation.evaluation_files import JOURNAL_NAME, WRITTEN, write_evaluation
from gradcam_tf1.evaluation.evaluation_result import Evaluation
from gradcam_tf1.evaluation.measured_rows import measured_rows
from gradcam_tf1.evaluation.summary import Tallies
from gradcam_tf1.evaluation.true_objects import ImageObject, ObjectFiles, TrueObjects, read_true_objects
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.image_source import ImageSource, lost_image
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.labels import BACKGROUND_NAMES, Labels
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.metrics.floor_maps import floor_map, floor_on_original
from gradcam_tf1.metrics.map_frames import on_input, on_original
from gradcam_tf1.metrics.metric_choices import Metrics, choose_metrics
from gradcam_tf1.metrics.metric_row import EXPLAIN, REGION, SCORE, MetricInput, undefined
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.row_journal import RowJournal, check_beside
from gradcam_tf1.types import Cells

FLOORS = ("random", "centre")  # edges would need the image itself
PLACE_METRICS = ("pointing", "energy")

StoredMap = Tuple[np.ndarray, Placement, Optional[Cells]]


@dataclass(frozen=True)
class StoredImage:
    """One image whose maps are stored.

    Attributes
    ----------
    source, relative : str
        Its path, and the path below the listed folder.
    error : str
        Why it failed; "" if it did not.
    class_id : int
        The explained class.
    label : str or None
        Its name.
    maps : callable
        Returns method -> its raw map, placement and cells.
    """

    source: str
    relative: str
    error: str = ""
    class_id: int = 0
    label: Optional[str] = None
    maps: Callable[[], Mapping[str, StoredMap]] = dict


def evaluate_stored(
    images: Iterable[StoredImage],
    listing: Sequence[ImageSource],
    settings: Mapping[str, Any],
    methods: Sequence[str],
    metrics: Optional[Metrics] = None,
    out_folder: Optional[str] = None,
    *,
    options: EvaluateOptions,
) -> Evaluation:
    """Measure stored maps, by the metrics that need neither the net nor the image.

    These are the metrics of the place of an object (pointing, energy, ...), and complexity and sparseness. The floor is
    random numbers and a Gaussian in the centre.

    Parameters
    ----------
    images : iterable of StoredImage
        The images, read one after the other.
    listing : sequence of ImageSource
        All of them, in any order; they are not read.
    settings : mapping
        Of run.json.
    methods : sequence of str
        Those that are measured.
    metrics : str, MetricChoice or list of these, or None
        As in `evaluate`; None for the pointing game and the energy in the box.
    out_folder : str or None
        Gets evaluation.csv and evaluation.json; None writes nothing.
    options : EvaluateOptions
        Boxes or masks, class map, seed, confidence, stop and progress count.

    Raises
    ------
    OptionError
        If a metric needs the net, or boxes or masks that are not given.
    """
    wanted = _metrics(metrics, options)
    objects = _objects(listing, settings, options)
    task = _StoredTask(objects, wanted, methods, options.seed)
    told = _settings(settings, methods, wanted, options)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory()) if out_folder is None else as_folder(out_folder)
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, JOURNAL_NAME)
        check_beside(path, WRITTEN)
        journal = stack.enter_context(RowJournal(path, told))
        for index, image in enumerate(images):
            journal.write(_row(index, image, task))
            if options.progress is not None:
                options.progress(image.relative, len(listing))
        tallies = Tallies([*methods, *FLOORS], list(wanted))
        tallies.add_all(measured_rows(journal))
        evaluation = Evaluation(
            methods=tuple(methods),
            floors=FLOORS,
            results={name: tallies.result(name, FLOORS, options.seed, options.confidence) for name in wanted},
            left_out={},
            images=tallies.counts,
            failures=tuple(tallies.failures),
            settings=told,
            warnings=objects.notes if objects else (),
            out_folder=None if out_folder is None else folder,
        )
        if out_folder is not None:
            write_evaluation(folder, evaluation, journal)
    return evaluation


def _metrics(metrics: Optional[Metrics], options: EvaluateOptions) -> Dict[str, Dict[str, Any]]:
    placed = options.boxes is not None or options.masks is not None
    chosen = choose_metrics(list(PLACE_METRICS) if metrics is None else metrics)
    of_net = [name for name in chosen if {SCORE, EXPLAIN} & set(METRICS[name].needs)]
    if of_net:
        possible = [name for name, row in METRICS.items() if not {SCORE, EXPLAIN} & set(row.needs)]
        raise OptionError(
            f"{', '.join(of_net)} need the net and the images: give MODEL and IMAGES; for stored maps there are "
            f"{', '.join(possible)}"
        )
    lacking = [name for name in chosen if REGION in METRICS[name].needs and not placed]
    if lacking:
        raise OptionError(
            f"{', '.join(lacking)} need the places of the objects: give boxes (--boxes) or masks (--masks)"
        )
    return {name: METRICS[name].filled(own) for name, own in chosen.items()}


def _objects(
    listing: Sequence[ImageSource], settings: Mapping[str, Any], options: EvaluateOptions
) -> Optional[TrueObjects]:
    if options.boxes is None and options.masks is None:
        return None
    names = [str(name) for name in settings.get("class_names") or ()]
    classes = NetClasses(len(names), Labels(names), names[0].lower() in BACKGROUND_NAMES) if names else NetClasses()
    return read_true_objects(ObjectFiles(options.boxes, options.masks, options.class_map), listing, classes)


def _settings(
    settings: Mapping[str, Any], methods: Sequence[str], metrics: Mapping[str, Any], options: EvaluateOptions
) -> Dict[str, Any]:
    """Return the settings of the run and of the measurement."""
    return {
        **{name: value for name, value in settings.items() if name not in ("history", "class_names", "reasons")},
        **{"methods": list(methods), "metrics": dict(metrics), "floors": list(FLOORS)},
        **{"stored": True, "seed": options.seed, "confidence": options.confidence},
        "objects": "boxes" if options.boxes is not None else "masks" if options.masks is not None else None,
    }


class _StoredTask(NamedTuple):
    """What is measured on each image."""

    objects: Optional[TrueObjects]
    metrics: Mapping[str, Mapping[str, Any]]
    methods: Sequence[str]
    seed: int


def _row(index: int, image: StoredImage, task: _StoredTask) -> Dict[str, Any]:
    row: Dict[str, Any] = {"index": index, "source": image.source, "relative": image.relative, "error": None}
    if image.error:
        return {**row, "error": image.error}
    try:
        return {**row, **_measured(index, image, task)}
    except GradCamError as error:
        return {**row, "error": f"{image.source!r}: {error}"}


def _measured(index: int, image: StoredImage, task: _StoredTask) -> Dict[str, Any]:
    objects, metrics, methods, seed = task
    maps = image.maps()
    placement = maps[methods[0]][1]
    file = lost_image(image.source, image.relative, "")
    found = ImageObject() if objects is None else objects.of(file, placement.original)
    place = found.locate(image.class_id)
    frames = {name: (on_input(v, c, p.fitted), on_original(v, c, p)) for name, (v, p, c) in maps.items()}
    blank = np.zeros((*placement.fitted, 1), np.float32)
    own = (seed + index) % (MAX_SEED + 1)
    floors = {name: (floor_map(name, blank, own), floor_on_original(name, blank, placement, own)) for name in FLOORS}
    values: Dict[str, Dict[str, Any]] = {}
    for name, (saliency, placed) in {**{name: frames[name] for name in methods}, **floors}.items():
        measured = MetricInput(
            *(saliency, placed, blank, _no_net, _no_net),
            boxes=() if place is None else place.boxes,
            region=None if place is None else place.region,
            seed=seed,
        )
        values[name] = {metric: _value(metric, given, measured) for metric, given in metrics.items()}
    return {
        **{"class_id": image.class_id, "label": image.label, "located": place is not None},
        "why_not": "" if place is not None or objects is None else found.why_not(image.class_id),
        "values": values,
    }


def _no_net(_: Any) -> np.ndarray:
    raise OptionError("a stored map is measured without its net")


def _value(metric: str, given: Mapping[str, Any], task: MetricInput) -> Dict[str, Any]:
    if REGION in METRICS[metric].needs and task.region is None:
        found = undefined("it is not known where the object is")
    else:
        found = METRICS[metric].compute(task, **given)
    return {"value": found.value, **({"reason": found.reason} if found.reason else {})}
