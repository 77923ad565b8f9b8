"""`evaluate`: measure the maps of several methods on a folder of images, one image after the other."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Tuple

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import GradientError, OptionError
from gradcam_tf1.evaluation.class_map import NetClasses
from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions
from gradcam_tf1.evaluation.evaluation_files import JOURNAL_NAME, WRITTEN, write_evaluation
from gradcam_tf1.evaluation.evaluation_result import Evaluation
from gradcam_tf1.evaluation.image_measures import Measures, measured_row
from gradcam_tf1.evaluation.measured_rows import measured_rows
from gradcam_tf1.evaluation.summary import Tallies
from gradcam_tf1.evaluation.true_objects import ObjectFiles, TrueObjects, read_true_objects
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.images.window import make_window
from gradcam_tf1.methods import METHODS
from gradcam_tf1.methods.choices import Methods, choose_methods, opened_methods
from gradcam_tf1.metrics.floor_maps import FLOORS
from gradcam_tf1.metrics.map_frames import JOINED
from gradcam_tf1.metrics.metric_choices import Metrics, choose_metrics
from gradcam_tf1.metrics.metric_row import REGION
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.image_stream import ImageStream, StreamOptions, open_stream
from gradcam_tf1.run.listing import draw_images, is_piped
from gradcam_tf1.run.row_journal import RowJournal, check_beside
from gradcam_tf1.run.settings import fingerprint, net_settings, net_warnings

_OPTIONS = EvaluateOptions()
PLAIN_METRICS = ("insertion", "deletion")
PLACE_METRICS = ("pointing", "energy")


def evaluate(
    net: BoundNet,
    images: Any,
    methods: Methods = "gradcam",
    metrics: Optional[Metrics] = None,
    layer: Any = None,
    out_folder: Optional[str] = None,
    *,
    options: EvaluateOptions = _OPTIONS,
) -> Evaluation:
    """Measure how far the maps of several methods can be trusted, on a net and its images.

    Each image is explained once for all methods. Random numbers, an edge detector and a Gaussian in the centre are
    measured with them, as the floor. A method that the net does not allow is left out, with the reason.

    Parameters
    ----------
    net : GradCamGraph
        The net; it takes images.
    images : str or list of str
        As `imgs_path` of `visualize_imgs`.
    methods : str, MethodChoice or list of these
        Names from METHODS or METHOD_GROUPS, or `method("rise", masks=500)`.
    metrics : str, MetricChoice or list of these, or None
        Names from METRICS, or `metric("insertion", steps=100)`. None for insertion and deletion, with boxes or masks
        also for the pointing game and the energy in the box.
    layer : int, str, tf.Tensor or None
        One layer; None for the bound layer.
    out_folder : str or None
        Gets evaluation.csv, evaluation.json, evaluation.html and the journal that makes it possible to resume; None
        writes nothing.
    options : EvaluateOptions
        Score, target, boxes, seed, resuming and so on.

    Returns
    -------
    Evaluation
        Means with intervals, paired differences, curves.

    Raises
    ------
    OptionError, GradientError, TargetError, BindingError
        If the request does not fit the net.
    ImageFileError
        If there is no image at all; one that cannot be read or explained is counted and does not end the evaluation.
    OSError
        If a file cannot be written.
    """
    if not isinstance(options, EvaluateOptions):
        raise OptionError(f"options is {options!r}; give options=EvaluateOptions(...)")
    measures, left_out = _plan(net, methods, metrics, layer, options)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory()) if out_folder is None else as_folder(out_folder)
        stream, objects = _open_images(net, images, "" if out_folder is None else folder, options)
        measures = replace(measures, objects=objects)
        settings = evaluation_settings(net, measures, options)
        measures = replace(measures, methods=opened_methods(measures.methods))
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, JOURNAL_NAME)
        check_beside(path, WRITTEN)
        journal = stack.enter_context(RowJournal(path, settings, options.resume))
        complete = _measure_all(net, stream, measures, journal, options)
        tallies = Tallies([*measures.methods, *FLOORS], list(measures.metrics))
        tallies.add_all(measured_rows(journal))
        evaluation = Evaluation(
            methods=tuple(measures.methods),
            floors=FLOORS,
            results={name: tallies.result(name, FLOORS, options.seed, options.confidence) for name in measures.metrics},
            left_out=left_out,
            images=tallies.counts,
            failures=tuple(tallies.failures),
            settings=settings,
            warnings=(*net_warnings(net), *(measures.objects.notes if measures.objects else ())),
            complete=complete,
            out_folder=None if out_folder is None else folder,
        )
        if out_folder is not None:
            write_evaluation(folder, evaluation, journal)
            if options.page:
                _write_page(net, images, measures, evaluation, journal, options)
    return evaluation


def _plan(
    net: BoundNet, methods: Methods, metrics: Optional[Metrics], layer: Any, options: EvaluateOptions
) -> Tuple[Measures, Dict[str, str]]:
    """Check the request, so that mistakes show before anything is measured."""
    binding = net.binding
    if binding.array_shape is not None or binding.frame_order:
        raise OptionError("evaluate measures maps of images; this net takes signals, volumes or clips")
    net.check_inputs([])
    chosen = choose_methods(methods)
    usable, left_out = net.usable_methods(list(chosen), layer)
    if not usable:
        raise GradientError(next(iter(left_out.values())))
    explainer = net.explainers[0]
    layers = explainer.resolve_layers(layer)
    if len(layers) > 1:
        raise OptionError(f"evaluate compares methods at one layer, {len(layers)} are given; name one")
    placed = options.boxes is not None or options.masks is not None
    given = [*PLAIN_METRICS, *(PLACE_METRICS if placed else ())] if metrics is None else metrics
    wanted = {name: METRICS[name].filled(own) for name, own in choose_metrics(given).items()}
    lacking = [name for name in wanted if REGION in METRICS[name].needs and not placed]
    if lacking:
        raise OptionError(
            f"{', '.join(lacking)} need the places of the objects: give boxes (--boxes) or masks (--masks)"
        )
    measures = Measures(
        methods={name: chosen[name] for name in usable},
        metrics=wanted,
        layers=layers,
        spec=layer,
        score=measured_score(options.score, binding.probabilities),
        target=options.target,
        seed=options.seed,
        report=options.method_progress,
    )
    return measures, left_out


def measured_score(asked: str, probabilities: Optional[str]) -> str:
    """Return the score that metrics follow: for "auto" the probability if the graph has one, else the logit."""
    return ("probability" if probabilities else "logit") if asked == "auto" else asked


def evaluation_settings(net: BoundNet, measures: Measures, options: EvaluateOptions) -> Dict[str, Any]:
    """Return everything that changes a number of an evaluation."""
    graph_has_it = measures.score == "logit" or net.binding.probabilities
    return {
        **net_settings(net),
        "methods": {name: METHODS[name].filled(own) for name, own in measures.methods.items()},
        "metrics": {name: dict(own) for name, own in measures.metrics.items()},
        "floors": list(FLOORS),
        "at_layer": [layer.name for layer in measures.layers],
        "score": measures.score if graph_has_it else f"{measures.score} (softmax of the logits)",
        "explained_score": "logit",
        "target": measures.target,
        "joined_channels": JOINED,
        "relu": "on the layer's grid, before the map is enlarged",
        "baseline_space": "RGB 0..255, before preprocessing; zero: after it",
        "frames": "faithfulness at the net's input, places on the original image",
        "objects": "boxes" if options.boxes is not None else "masks" if options.masks is not None else None,
        "objects_sha256": None if measures.objects is None else fingerprint(measures.objects.files),
        "class_map": None if isinstance(options.class_map, (str, os.PathLike)) else options.class_map,
        "n_images": options.n_images,
        "seed": options.seed,
        "confidence": options.confidence,
        "max_pixels": options.max_pixels,
        "window": str(make_window(options.window)),
    }


def _open_images(
    net: BoundNet, images: Any, folder: str, options: EvaluateOptions
) -> Tuple[ImageStream, Optional[TrueObjects]]:
    """List the images, and read where their objects are.

    A name in a file of boxes may be that of several images, which only the whole listing shows; so images are drawn
    after that. The listing is kept, since it may be readable once only.
    """
    wanted = _stream_options(options)
    if options.boxes is None and options.masks is None:
        return open_stream(net, images, folder, wanted), None
    stream = open_stream(net, images, folder, replace(wanted, n_images=None))
    listing = list(stream.listing)
    classes = NetClasses(net.binding.classes, net.labels, net.binding.background)
    objects = read_true_objects(ObjectFiles(options.boxes, options.masks, options.class_map), listing, classes)
    chosen = listing if options.n_images is None else draw_images(listing, options.n_images, options.seed)
    return replace(stream, listing=chosen, count=len(chosen)), objects


def _stream_options(options: EvaluateOptions) -> StreamOptions:
    return StreamOptions(
        options.n_images,
        options.seed,
        options.max_pixels,
        options.threads,
        make_window(options.window),
        options.timeout,
    )


def _measure_all(
    net: BoundNet, stream: ImageStream, measures: Measures, journal: RowJournal, options: EvaluateOptions
) -> bool:
    """Write the rows of all images that the journal lacks; return whether none is left."""
    explainer = net.explainers[0]
    with closing(stream.images(_names(measured_rows(journal), stream.count, options))) as waiting:
        for image in waiting:
            if options.stop is not None and options.stop():
                return False
            journal.write(measured_row(explainer, image, measures))
            if options.progress is not None:
                options.progress(image.file.relative, stream.count)
    return True


def _names(rows: Iterable[Mapping[str, Any]], count: Optional[int], options: EvaluateOptions) -> Iterator[str]:
    """Yield the names of the finished images, and report them."""
    for row in rows:
        if options.progress is not None:
            options.progress(row["relative"], count)
        yield row["relative"]


def _write_page(
    net: BoundNet,
    images: Any,
    measures: Measures,
    evaluation: Evaluation,
    journal: RowJournal,
    options: EvaluateOptions,
) -> None:
    from gradcam_tf1.evaluation.evaluation_page import write_page  # a template library, for pages only

    again = None if is_piped(images) else open_stream(net, images, str(evaluation.out_folder), _stream_options(options))
    write_page(net, again, measures, evaluation, journal)
