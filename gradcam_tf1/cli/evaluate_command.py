"""`gradcam-tf1 evaluate`: measure how far the maps of several methods can be trusted."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.method_options import set_values, several_methods, split_names
from gradcam_tf1.cli.preset_options import check_preset, make_preset, preset_options
from gradcam_tf1.cli.progress import STOPPED, MethodBars, Progress, Stopper
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import max_pixels_option, model_options, open_net, window
from gradcam_tf1.cli.stored_maps import measure_rows
from gradcam_tf1.cli.terminal import say, say_page, shown, warn
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import choose_methods, method
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.metrics.metric_choices import metric
from gradcam_tf1.metrics.metric_table import METRICS
from gradcam_tf1.run.settings import net_warnings

if TYPE_CHECKING:
    from gradcam_tf1.evaluation.evaluation_result import Evaluation

DEFAULT_METHODS = ("gradcam",)
_OPTIONS = (
    *("score", "target", "boxes", "masks", "class_map", "n_images", "seed", "confidence"),
    *("max_pixels", "threads", "timeout", "window", "resume"),
)


def metric_names(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> list[str]:
    """Callback: "insertion,road" -> two names of metrics, each checked."""
    return [str(click.Choice(list(METRICS)).convert(name, None, None)) for name in split_names(values)]


@click.command(short_help="Measure how far maps can be trusted.")
@model_options
@click.argument("images", nargs=-1)
@several_methods("compare", DEFAULT_METHODS)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME[,NAME]",
    callback=metric_names,
    help=f"What is measured: {', '.join(METRICS)}. Default: insertion and deletion, and with boxes or masks also "
    "pointing and energy. Repeatable.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME.OPTION=VALUE",
    callback=set_values,
    help="Set an option of a method or a metric, as in rise.masks=500 or insertion.steps=100. Repeatable.",
)
@click.option(
    "--boxes",
    metavar="FOLDER|FILE",
    help="Where the objects are: a folder of PASCAL VOC XML files, a COCO .json file, or a CSV file.",
)
@click.option("--masks", metavar="FOLDER", help="Where the objects are: masks named like the images, black elsewhere.")
@click.option(
    "--class-map",
    metavar="FILE",
    help='JSON file, class of a box -> classes of the net: {"dog": ["151-268"], "cat": [281, "tiger cat"]}.',
)
@click.option(
    "--target",
    type=click.Choice(("predicted", "truth")),
    default="predicted",
    show_default=True,
    help="Explain the predicted class, or the class of the boxes.",
)
@click.option(
    "--score",
    type=click.Choice(("auto", "probability", "logit")),
    default="auto",
    show_default=True,
    help="Score that the metrics follow; auto: the probability if the graph has one, else the logit.",
)
@click.option("--out", "out_folder", type=click.Path(), help="Folder for the page, the table and the numbers.")
@preset_options
@click.option(
    "--window", metavar="LOW,HIGH|none", callback=window, help="Images of measured values: see `gradcam-tf1 run`."
)
@click.option("--n-images", type=click.IntRange(min=1), metavar="N", help="Measure only N of the images, at random.")
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Seed of everything random."
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of the intervals and decisions.",
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Changed copies that run together."
)
@max_pixels_option
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Reader threads (default: one per core, at most 8)."
)
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Time limit for reading an image."
)
@session_options
@click.option("--resume", is_flag=True, help="Continue an earlier evaluation into the same folder.")
@click.option("--quiet", "-q", is_flag=True, help="Print the table and errors only.")
def evaluate(images: Sequence[str], out_folder: str | None, quiet: bool, **options: Any) -> None:
    """Measure on IMAGES how far the maps of the network MODEL can be trusted.

    Each method's mean by each metric is printed with its interval. Maps that know nothing of the network (random,
    edges, centre) stand below the line. A star marks a method that is better than all others, where that is decided.

    IMAGES and MODEL are as in `gradcam-tf1 run`. MODEL alone may be the Parquet files of `gradcam-tf1 spark` in a local
    folder: their maps are measured without the net, by the metrics of places, complexity and sparseness.
    """
    if options["resume"] and out_folder is None:
        raise OptionError("--resume continues the evaluation of a folder; give --out")
    asked = options.pop("methods")
    methods, metrics = _choices(asked, options.pop("metrics"), options.pop("settings"))
    if not images:
        given = {name: options[name] for name in ("boxes", "masks", "class_map", "seed", "confidence")}
        _finish(measure_rows(options["model"], asked, metrics, out_folder, quiet, given), quiet)
        return
    preset, session = make_preset(options), make_session(options)
    layers = options["layers"]
    if len(layers) > 1:
        raise OptionError(f"evaluate compares methods at one layer; give one --layer, not {len(layers)}")
    kept = {name: options.pop(name) for name in _OPTIONS}
    with ExitStack() as stack:
        net = stack.enter_context(open_net(preset=preset, session=session, **options))
        from gradcam_tf1.evaluation.evaluate_net import evaluate as measure  # imports TensorFlow
        from gradcam_tf1.evaluation.evaluate_options import EvaluateOptions

        if not quiet:
            describe(net)
        check_preset(net)
        progress = stack.enter_context(Progress(quiet))
        bars = stack.enter_context(MethodBars(quiet))
        stop = stack.enter_context(Stopper())
        found = measure(
            *(net, list(images), methods, metrics, layers[0] if layers else None, out_folder),
            options=EvaluateOptions(stop=stop, progress=progress.show, method_progress=bars, **kept),
        )
        printed = net_warnings(net)
    for warning in () if quiet else found.warnings:
        if warning not in printed:
            warn(warning)
    _finish(found, quiet)


def _choices(
    methods: list[str], metrics: list[str], settings: dict[str, dict[str, Any]]
) -> tuple[list[Any], list[Any] | None]:
    """Return the methods and metrics with their options. Raises OptionError for options of others."""
    chosen = choose_methods(methods or list(DEFAULT_METHODS))
    measured = metrics or [name for name in settings if name in METRICS]
    for name in settings:
        if name not in chosen and name not in measured:
            kind = "--metric" if name in METRICS else "--method"
            raise OptionError(f"--set {name}: {name!r} is not among the methods and metrics; add {kind} {name}")
    found = [metric(name, **settings.get(name, {})) for name in measured]
    return [method(name, **settings.get(name, {})) for name in chosen], found or None


def _finish(found: Evaluation, quiet: bool) -> None:
    """Print the table, and end with the exit code."""
    from gradcam_tf1.evaluation.evaluation_files import JSON_NAME, PAGE_NAME
    from gradcam_tf1.evaluation.table_cells import count_lines, findings

    for name, reason in found.left_out.items():
        say(f"{name} was left out: {shown(reason)}", err=True)
    for reason in found.failures:
        say(f"failed: {shown(reason)}", err=True)
    if found.images.failed > len(found.failures):
        say(f"failed: and {found.images.failed - len(found.failures)} more, see evaluation.csv", err=True)
    for line in text_table(found):
        say(line)
    if not quiet:
        say()
        for line in [*findings(found), *count_lines(found)]:
            say(line)
        if found.out_folder is not None:
            page = os.path.join(found.out_folder, PAGE_NAME)
            say_page(page) if os.path.isfile(page) else say(f"numbers: {os.path.join(found.out_folder, JSON_NAME)}")
    if not found.complete:
        way = "repeat the command with --resume to continue" if found.out_folder else "with --out it could be continued"
        say(f"stopped: {found.images.measured + found.images.failed} images finished; {way}", err=True)
        click.get_current_context().exit(STOPPED)
    click.get_current_context().exit(1 if found.images.failed or found.left_out else 0)


def text_table(found: Evaluation) -> list[str]:
    """Return the lines of the table: the methods, a rule, the floors."""
    from gradcam_tf1.evaluation.table_cells import table_lines

    lines = table_lines(found)
    rows = [lines.head, *lines.methods, *lines.floors]
    widths = [max(len(row[column]) for row in rows) for column in range(len(lines.head))]
    texts = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
    rule = "-" * max(map(len, texts))
    return [*texts[: 1 + len(lines.methods)], rule, *texts[1 + len(lines.methods) :]]
