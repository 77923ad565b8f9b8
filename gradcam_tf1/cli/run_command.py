"""`gradcam-tf1 run`: a model and images in, a folder of explained images out."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.feed_options import split_feeds
from gradcam_tf1.cli.method_options import make_explain_options, make_methods, method_options
from gradcam_tf1.cli.older_names import OlderNames
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, numbers, open_net, size, window
from gradcam_tf1.cli.stopping import STOPPED, Stopper
from gradcam_tf1.cli.style_options import make_style, style_options
from gradcam_tf1.cli.tally import Tally
from gradcam_tf1.cli.target_options import make_targets, target_options
from gradcam_tf1.cli.terminal import Progress, Steps, say, show_figures
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import FIT_MODES
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.preprocessing import PRESETS, Preprocessing, as_preprocessing, find_preset, list_presets
from gradcam_tf1.run.reading import ON_ERROR
from gradcam_tf1.run.run_options import RunOptions
from gradcam_tf1.run.settings import net_warnings

_RUN_OPTIONS = tuple(item.name for item in fields(RunOptions) if item.name not in ("batch_size", "stop", "progress"))


@click.command(cls=OlderNames, short_help="Explain images: overlays, heat maps, guided images.")
@model_options
@click.argument("images", nargs=-1, required=True)
@click.option("--out", "out_folder", required=True, type=click.Path(), help="Folder to write into; made if absent.")
@click.option("--preset", metavar="NAME", help=f"How pixel values are prepared: {', '.join(PRESETS)}, custom.")
@click.option("--mean", metavar="M[,M,M]", callback=numbers, help="Own preprocessing: (x * scale - mean) / std.")
@click.option("--std", metavar="S[,S,S]", callback=numbers, help="Own preprocessing; in the net's channel order.")
@click.option("--scale", metavar="A", callback=numbers, help="Own preprocessing; 1/255 brings 0..255 to 0..1.")
@click.option("--bgr", is_flag=True, help="Own preprocessing: the net takes blue first.")
@click.option(
    "--fit", type=click.Choice(FIT_MODES), default="stretch", show_default=True, help="How images are fitted."
)
@click.option(
    "--size", metavar="HxW", callback=size, help="Input size, for nets that take any; short-side: its length."
)
@click.option(
    "--window",
    metavar="LOW,HIGH|none",
    callback=window,
    help="Measured values (DICOM, NIfTI, float or signed TIFF, .npy): which are black and white; none: as stored.",
)
@click.option("--labels", type=click.Path(), help="Label file of the classes.")
@target_options
@method_options
@click.option(
    "--backcount",
    type=int,
    multiple=True,
    metavar="N [N ...]",
    help="Layers counted from behind: 1 (or -1) is the last feature map.",
)
@style_options
@click.option(
    "--n-images", type=click.IntRange(min=1), metavar="N", help="Explain N of the images only, drawn at random."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which N: the same seed, the same images.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images held at a time.")
@click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, help="Refuse larger ones."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="That read and write; default: one per core.")
@session_options
@click.option("--resume", is_flag=True, help="Go on where an earlier run into this folder ended.")
@click.option("--on-error", type=click.Choice(ON_ERROR), default="skip", show_default=True, help="Of one image.")
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds for each image and batch."
)
@click.option("--show", is_flag=True, help="Open the figures when done; without a display only say where they are.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@click.pass_context
def run(ctx: click.Context, images: Sequence[str], out_folder: str, show: bool, quiet: bool, **options: Any) -> None:
    """Explain IMAGES as MODEL sees them: folders, files, patterns, archives (.tar, .zip), TFRecord files, lists of
    paths (@list.txt), paths from standard input (-).

    MODEL is a frozen graph (.pb, .pbtxt), a checkpoint, a SavedModel, a Keras .h5, or vgg11 .. vgg19 with --weights.
    Input, scores and layer are found in the graph; options name them where that fails.
    """
    if show and not options["figures"]:
        raise OptionError("--show opens figures; say which with --figure")
    preset = _preset(**{name: options.pop(name) for name in ("preset", "mean", "std", "scale", "bgr")})
    options["layers"] = _layers(options["layers"], options.pop("backcount"))
    run_options = {name: options.pop(name) for name in _RUN_OPTIONS}
    style, targets, score = make_style(options), make_targets(options), options.pop("score")
    methods, layers = make_methods(options), options["layers"] or None
    explain_options = make_explain_options(
        options, inputs=split_feeds(options["feed"], options["feed_file"])[1] or None
    )
    session = make_session(options)
    with open_net(preset=preset, session=session, **options) as net:
        if not quiet:
            describe(net)
        _check_preset(net)
        with Progress(quiet) as progress, Steps(quiet) as steps, Stopper() as stop:
            tally = Tally(progress)
            results = net.visualize_imgs(
                *(list(images), out_folder, targets, methods, layers),
                score=score,
                options=replace(explain_options, progress=steps),
                style=style,
                run=RunOptions(progress=tally, stop=stop, **run_options),
            )
        told = net_warnings(net)
    tally.report(results, told, quiet)
    if show:
        show_figures(results)
    if not results.complete:
        say(f"stopped: {len(results)} images are finished; the same command with --resume goes on", err=True)
        ctx.exit(STOPPED)
    ctx.exit(1 if tally.failed or results.left_out else 0)


def _preset(preset: str | None, bgr: bool, **values: Any) -> Preprocessing | None:
    if preset is None and not bgr and all(value is None for value in values.values()):
        return None
    scale = values.pop("scale")
    if scale is not None and len(scale) > 1:
        raise OptionError("--scale is one number for all channels; --std takes one per channel")
    return find_preset(preset or "custom", bgr=bgr, scale=None if scale is None else scale[0], **values)


def _check_preset(net: Any) -> None:
    """Stop before the work begins where it is not known how the net wants its pixels."""
    preset = net.preset or as_preprocessing(net.model.preprocessing or net.binding.preprocessing)
    if preset is None:
        raise OptionError(
            "the model does not show how its pixel values were prepared, and a wrong guess gives wrong maps silently; "
            f"say it with --preset:\n{list_presets()}"
        )
    preset.check_channels(net.binding.channels)


def _layers(layers: Sequence[Any], backcount: Sequence[int]) -> list[Any]:
    if 0 in backcount:
        raise OptionError("--backcount counts from 1, the last feature map")
    return [*layers, *(-abs(count) for count in backcount)]
