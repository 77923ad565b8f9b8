"""`gradcam-tf1 run`: explain images and write the results to a folder."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.feed_options import split_feeds
from gradcam_tf1.cli.keras_tool import keras_net
from gradcam_tf1.cli.method_options import make_explain_options, make_methods, method_options
from gradcam_tf1.cli.preset_options import check_preset, make_preset, preset_options
from gradcam_tf1.cli.progress import STOPPED, MethodBars, Progress, Stopper, Tally
from gradcam_tf1.cli.run_file_options import RunFileCommand, saved, write_run_file
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import (
    NamesOrNumbers,
    batch_size_option,
    batch_timeout_option,
    max_pixels_option,
    model_options,
    open_net,
    window,
)
from gradcam_tf1.cli.spectrogram_options import make_axes, spectrogram_options
from gradcam_tf1.cli.style_options import make_style, style_options
from gradcam_tf1.cli.target_options import make_targets, target_options
from gradcam_tf1.cli.terminal import load_tensorflow, say, say_page, show_figures
from gradcam_tf1.errors import OptionError, StoppedError
from gradcam_tf1.images.own_outputs import REPORT_NAME
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.reading import ON_ERROR
from gradcam_tf1.run.results import Results
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.settings import net_warnings
from gradcam_tf1.types import LayerInfo

_MADE = ("batch_size", "stop", "progress", "axes")
_RUN_OPTIONS = tuple(item.name for item in fields(RunOptions) if item.name not in _MADE)


@click.command(cls=RunFileCommand, short_help="Explain images: write overlays and heat maps.")
@model_options
@click.argument("images", nargs=-1)
@click.option(
    "--config",
    metavar="FILE",
    expose_value=False,
    help="File with options and arguments, YAML or JSON; the command line wins over it.",
)
@click.option(
    "--write-config",
    metavar="FILE",
    help="Save the options and arguments of this run, for --config.",
)
@click.option(
    "--allow-code",
    is_flag=True,
    help="Run the Python code that the file of --config names (model_class, process). Only for files you trust.",
)
@click.option("--out", "out_folder", required=True, type=click.Path(), help="Output folder; created if missing.")
@preset_options
@click.option(
    "--window",
    metavar="LOW,HIGH|none",
    callback=window,
    help="Images of measured values (DICOM, NIfTI, float or signed TIFF, .npy): the values to show as black and white; "
    "none uses the values as stored.",
)
@target_options
@method_options
@click.option(
    "--backcount",
    type=int,
    multiple=True,
    metavar="N [N ...]",
    help="Layers to explain, counted from the end: 1 (or -1) is the last feature map.",
)
@click.option(
    "--layer-containing",
    metavar="TEXT",
    help="Layer to explain by its name: exactly this one, else the last feature map whose name contains TEXT.",
)
@style_options
@spectrogram_options
@click.option(
    "--n-images", type=click.IntRange(min=1), metavar="N", help="Explain only N of the images, chosen at random."
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Random seed of --n-images.",
)
@batch_size_option
@max_pixels_option
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    metavar="N",
    help="Reader and writer threads (default: one per core, at most 8).",
)
@session_options
@click.option("--report", is_flag=True, help="Also make a report for a browser: OUT/report/index.html.")
@click.option("--resume", is_flag=True, help="Continue an earlier run into the same folder.")
@click.option(
    "--on-error",
    type=click.Choice(ON_ERROR),
    default="skip",
    show_default=True,
    help="Skip a failed image, or stop.",
)
@batch_timeout_option
@click.option(
    "--show", is_flag=True, help="Open the figures of --figure at the end; without a display, print their folder."
)
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def run(
    images: Sequence[str],
    out_folder: str,
    show: bool,
    quiet: bool,
    write_config: str | None,
    allow_code: bool,
    layer_containing: str | None,
    **options: Any,
) -> None:
    """Show where in IMAGES the network MODEL looks, and write the results to a folder.

    IMAGES are folders, files, patterns, archives (.tar, .zip), TFRecord files, lists of paths (@list.txt), or - for
    paths from standard input.

    MODEL is a frozen graph (.pb, .pbtxt), a checkpoint, a SavedModel, a Keras .h5 or .keras file, an ONNX file, a file
    of torch.save(model), or vgg11, vgg13, vgg16 or vgg19 with --weights. Input, scores and layer are detected; if that
    fails, name them with --input, --logits and --layer.
    """
    if show and not options["figures"]:
        raise OptionError("--show opens figures; choose them with --figure")
    asked = saved(click.get_current_context())
    preset = make_preset(options)
    options["layers"] = _layers(options["layers"], options.pop("backcount"))
    axes = make_axes(options)
    run_options = {"axes": axes, **{name: options.pop(name) for name in _RUN_OPTIONS}}
    style, targets, score = make_style(options), make_targets(options), options.pop("score")
    methods, layers = make_methods(options), options["layers"] or None
    explain_options = make_explain_options(
        options, inputs=split_feeds(options["feed"], options["feed_file"])[1] or None
    )
    session = make_session(options)
    prepared = "model_class" in asked.keras and asked.keras.get("process")
    if prepared and (preset is not None or "window" in asked.options):
        raise OptionError("process prepares the images already; leave out the options of the preset and --window")
    with ExitStack() as stack:
        made = None
        if asked.keras:
            load_tensorflow()
            made = keras_net(asked.keras, images, allow_code, out_folder)
            options["model"], images = made.model, made.images
            if made.failed and run_options["on_error"] == "stop":
                raise StoppedError(made.failed[0])
            if made.preset is not None:
                preset, run_options["window"] = made.preset, "none"
        if not images:
            raise click.UsageError("Missing argument 'IMAGES...'.")
        net = stack.enter_context(open_net(preset=preset, session=session, **options))
        if layer_containing is not None:
            layers = [*(layers or []), _containing(net.binding.layers, layer_containing)]
        if not quiet:
            describe(net)
        check_preset(net)
        if write_config is not None:
            write_run_file(write_config, asked)
        tally, bars = (
            Tally(stack.enter_context(Progress(quiet)), made.failed if made else ()),
            stack.enter_context(MethodBars(quiet)),
        )
        stop = stack.enter_context(Stopper())
        results = net.visualize_imgs(
            *(list(images), out_folder, targets, methods, layers),
            score=score,
            options=replace(explain_options, progress=bars),
            style=style,
            run=RunOptions(progress=tally, stop=stop, **run_options),
        )
        printed = net_warnings(net)
    _finish(tally, results, printed, run_options["report"], show, quiet)


def _finish(tally: Tally, results: Results, printed: list[str], page: bool, show: bool, quiet: bool) -> None:
    """Print the summary, name the page, open the figures, and end with the exit code."""
    tally.report(results, printed, quiet)
    if page and not quiet:
        say_page(os.path.join(results.out_folder, REPORT_NAME, "index.html"))
    if show:
        show_figures(results)
    if not results.complete:
        say(f"stopped: {counted(len(results))} finished; repeat the command with --resume to continue", err=True)
        click.get_current_context().exit(STOPPED)
    click.get_current_context().exit(1 if tally.failed or results.left_out else 0)


def _layers(layers: NamesOrNumbers, backcount: Sequence[int]) -> NamesOrNumbers:
    if 0 in backcount:
        raise OptionError("--backcount 0 is no layer; count from 1, the last feature map")
    return [*layers, *(-abs(count) for count in backcount)]


def _containing(layers: Sequence[LayerInfo], text: str) -> str:
    """Return the layer of this name, else the last one whose name contains the text. Raises OptionError."""
    names = [layer.name for layer in layers]
    exact = [name for name in names if text in (name, name.rpartition(":")[0])]
    found = exact or [name for name in names if text.lower() in name.lower()]
    if not found:
        raise OptionError(
            f"--layer-containing: no layer has {text!r} in its name; the last are {', '.join(names[-3:])}"
        )
    return found[-1]
