"""`gradcam-tf1 features`: what a class or a channel of a model sees."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.preset_options import check_preset, make_preset, preset_options
from gradcam_tf1.cli.progress import STOPPED, Progress, Stopped, Stopper, steps_of
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, names_or_numbers, open_net
from gradcam_tf1.cli.terminal import say, shown
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.methods.options import MAX_SEED

if TYPE_CHECKING:
    from gradcam_tf1.features.feature_report import FeatureReport, SeenFeature
    from gradcam_tf1.features.feature_unit import FeatureUnit

_VIEWS = ("alone", "jitter", "angle", "zoom")
_OPTIONS = ("steps", "rate", "decay", "prior", "clearing", *_VIEWS, "values", "top", "n_images", "max_pixels", "seed")


def _channels(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> list[int]:
    parts = [part.strip() for value in values for part in value.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise click.BadParameter(f"{','.join(parts)!r}: write numbers of channels from 0, with commas: 3,7")
    return [int(part) for part in parts]


def _position(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    parts = [part.strip() for part in (value or "").split(",")]
    if value is None:
        return None
    if len(parts) != 2 or not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise click.BadParameter(f"{value!r}: write row and column of the layer, from 0: 5,7")
    return int(parts[0]), int(parts[1])


def _range(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[float, float]:
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r}: write the lowest and the highest value: 0,255") from None
    return low, high


@click.command(short_help="Draw what a class or a channel sees, and find the images that activate it most.")
@model_options
@click.option(
    "--channel", "channels", multiple=True, metavar="K[,K]", callback=_channels, help="Channels of --layer, from 0."
)
@click.option(
    "--class", "classes", multiple=True, metavar="ID|NAME", callback=names_or_numbers, help="A class. Repeatable."
)
@click.option("--out", "out_folder", type=click.Path(), required=True, help="Folder for the pictures and the numbers.")
@click.option("--images", "folders", multiple=True, metavar="IMAGES", help="Images to search, as for run. Repeatable.")
@click.option("--top", type=int, default=9, show_default=True, help="Images that are shown for each unit.")
@click.option("--position", metavar="R,C", callback=_position, help="Row and column of the layer (default: the mean).")
@click.option("--negative", is_flag=True, help="Draw and find what lowers the value.")
@click.option("--cosine", type=float, default=0.0, help="Power of the cosine with the channel, 0 to 8 (default: 0).")
@click.option("--steps", type=int, default=192, show_default=True, help="Steps of the optimisation; 0: no pictures.")
@click.option("--rate", type=float, default=0.025, show_default=True, help="Mean learning rate of Adam; falls to 0.")
@click.option("--decay", type=float, help="Amplitudes fall as 1 / f ** DECAY (default: 1.5 for a class, else 1).")
@click.option("--prior", type=float, help="Pull to gray (default: 3 for a class, else 0).")
@click.option(
    "--alone/--everywhere", default=True, show_default=True, help="A class as one object in the middle, or all over."
)
@click.option("--clearing", type=float, default=0.1, show_default=True, help="How much clears what is around it away.")
@click.option("--jitter", type=int, default=8, show_default=True, help="Most pixels that the picture is moved.")
@click.option("--angle", type=float, default=180.0, show_default=True, help="Most degrees that it is turned.")
@click.option("--zoom", type=float, default=0.4, show_default=True, help="Most that it is resized, as a share.")
@click.option(
    "--values", metavar="LOW,HIGH", default="0,255", show_default=True, callback=_range, help="Range of pixel values."
)
@preset_options
@click.option("--n-images", type=click.IntRange(min=1), metavar="N", help="Use N of the images, chosen at random.")
@click.option("--max-pixels", type=int, default=MAX_PIXELS, show_default=True, help="Leave larger images out.")
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Seed of all that is drawn."
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images that run together."
)
@session_options
@click.option("--quiet", "-q", is_flag=True, help="Print the values and errors only.")
def features(
    channels: list[int],
    classes: list[str | int],
    out_folder: str,
    folders: Sequence[str],
    quiet: bool,
    **options: Any,
) -> None:
    """Draw the picture that activates a class or a channel of MODEL most, and find the IMAGES that do.

    Writes a picture and a sheet for each: the picture beside the images with the highest values, each with the region
    that counts. features.json has the values: that of the picture, of noise, and of the images.

    Exit code 1: an image cannot be read; 130: stopped by Ctrl-C. IMAGES and MODEL are as in `gradcam-tf1 run`.
    """
    from gradcam_tf1.features.feature_options import FeatureOptions

    if options["feed_file"] is not None:
        raise OptionError("features feeds one value for all images; give it with --feed NAME=VALUE")
    if not channels and not classes:
        raise OptionError("nothing to look at; give --channel 3,7 with --layer NAME, or --class NAME")
    of_channels = [name for name in ("layers", "position", "cosine") if options[name]]
    if of_channels and not channels:
        name = of_channels[0].replace("layers", "layer")
        raise OptionError(f"--{name} is of channels; add --channel 3,7, or leave it out")
    as_folder(out_folder)
    preset, session = make_preset(options), make_session(options)
    layers = options["layers"] or [None]
    options["layers"] = ()  # the regions of classes are those of the net's own layer
    kept = {name: options.pop(name) for name in _OPTIONS}
    about = {name: options.pop(name) for name in ("position", "negative", "cosine")}
    units, chosen = _units(classes, channels, layers, about), FeatureOptions(**kept)
    if not folders and not chosen.steps:
        raise OptionError("without steps and without images there is nothing to do; give --steps or --images")
    with ExitStack() as stack:
        net = stack.enter_context(open_net(preset=preset, session=session, **options))
        from gradcam_tf1.features.find_features import find_features  # imports TensorFlow

        if not quiet:
            describe(net)
        check_preset(net)
        show = steps_of(stack.enter_context(Progress(quiet)), stack.enter_context(Stopper("step")))

        try:
            asked = replace(chosen, progress=show)
            report = find_features(net, units, list(folders) or None, out_folder, options=asked)
        except Stopped:
            say("stopped; nothing was written", err=True)
            click.get_current_context().exit(STOPPED)
    _finish(report, out_folder, quiet)


def _units(
    classes: Sequence[str | int], channels: Sequence[int], layers: Sequence[Any], about: dict[str, Any]
) -> list[FeatureUnit]:
    from gradcam_tf1.features.feature_unit import FeatureUnit

    of_channels = [(layer, channel) for layer in layers for channel in dict.fromkeys(channels)]
    return [
        *(FeatureUnit(each, negative=about["negative"]) for each in dict.fromkeys(classes)),
        *(FeatureUnit(layer=layer, channel=channel, **about) for layer, channel in of_channels),
    ]


def _finish(report: FeatureReport, out_folder: str, quiet: bool) -> None:
    """Print the values, and end with the exit code."""
    for name, reason in report.failed.items():
        say(f"failed: {shown(name)}: {shown(reason)}", err=True)
    for feature in report.features:
        say(_line(feature))
    if not quiet:
        say(f"pictures and sheets in {shown(out_folder)}")
    click.get_current_context().exit(1 if report.failed else 0)


def _line(feature: SeenFeature) -> str:
    values = [f"noise {feature.noise:.4g}"]
    if feature.top:
        values.append(f"best image {feature.top[0].value:.4g}")
    if feature.reached is not None:
        values.append(f"picture {feature.reached:.4g}")
    note = f" ({shown(feature.note)})" if feature.note else ""
    return f"{shown(feature.name)}: {', '.join(values)}{note}"
