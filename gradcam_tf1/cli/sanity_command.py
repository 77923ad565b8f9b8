"""`gradcam-tf1 sanity`: do maps change when the weights of the network do, and only then?"""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.describe import describe
from gradcam_tf1.cli.method_options import methods_with_options, set_option, several_methods
from gradcam_tf1.cli.preset_options import check_preset, make_preset, preset_options
from gradcam_tf1.cli.progress import STOPPED, Progress, Stopped, Stopper, steps_of
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import batch_size_option, model_options, name_or_number, open_net
from gradcam_tf1.cli.terminal import say, say_page, shown
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.options import MAX_SEED

if TYPE_CHECKING:
    from gradcam_tf1.sanity.sanity_report import SanityReport

DEFAULT_METHODS = ("gradcam", "gradient", "guided_backprop")
_OPTIONS = ("modes", "draw", "blocks", "checks", "similarities", "tolerance", "n_images", "seed")


@click.command(short_help="Check whether maps depend on the weights of a model.")
@model_options
@click.argument("images", nargs=-1, required=True)
@several_methods("check", DEFAULT_METHODS)
@set_option
@click.option(
    "--class",
    "target",
    metavar="ID|NAME",
    callback=name_or_number,
    help="Class to explain (default: the top class of each image by the intact network).",
)
@click.option(
    "--mode",
    "modes",
    multiple=True,
    type=click.Choice(("cascade", "independent")),
    help="Draw the weights of all layers from the class scores down, or of one layer at a time. Default: both. "
    "Repeatable.",
)
@click.option(
    "--draw",
    type=click.Choice(("normal", "permute")),
    default="normal",
    show_default=True,
    help="Normal numbers with the mean and deviation of each weight's values, or these values in another order.",
)
@click.option(
    "--blocks",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Largest number of steps; neighbouring layers are drawn together.",
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    type=click.Choice(("repeat", "session", "batch", "shift")),
    help="Further checks: the same images again, in a fresh session, each alone, and with a constant added. Default: "
    "all. Repeatable.",
)
@click.option(
    "--similarity",
    "similarities",
    multiple=True,
    type=click.Choice(("spearman", "ssim", "hog")),
    help="Similarities of the maps. Spearman is always taken: the verdicts rest on it. Repeatable.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1, max_open=True),
    default=1e-3,
    show_default=True,
    help="Maps are the same if ||a - b|| / ||a|| is at most this.",
)
@click.option("--out", "out_folder", type=click.Path(), help="Folder for the page and the numbers.")
@preset_options
@click.option(
    "--n-images",
    type=click.IntRange(min=1),
    metavar="N",
    default=8,
    show_default=True,
    help="Use N of the images, chosen at random.",
)
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Seed of the weights and images."
)
@batch_size_option
@session_options
@click.option("--quiet", "-q", is_flag=True, help="Print the tables and errors only.")
def sanity(images: Sequence[str], out_folder: str | None, quiet: bool, **options: Any) -> None:
    """Draw the weights of the network MODEL anew, and check on IMAGES whether the maps change.

    A method whose maps hardly change shows the image, not what the network has learned. Also checked: whether the same
    images give the same maps again, in a fresh session and alone, and whether a constant that the scores ignore changes
    the maps. The model is not changed.

    Exit code 1: the same images do not give the same maps, or an image cannot be read; 130: stopped by
    Ctrl-C. IMAGES and MODEL are as in `gradcam-tf1 run`.
    """
    methods = methods_with_options(options.pop("methods"), options.pop("settings"), DEFAULT_METHODS)
    if options["feed_file"] is not None:
        raise OptionError("sanity feeds one value for all images; give it with --feed NAME=VALUE")
    preset, session = make_preset(options), make_session(options)
    layers = options["layers"] or None
    kept = {name: options.pop(name) for name in _OPTIONS}
    target = options.pop("target")
    with ExitStack() as stack:
        net = stack.enter_context(open_net(preset=preset, session=session, **options))
        from gradcam_tf1.sanity.sanity_check import sanity_check  # imports TensorFlow
        from gradcam_tf1.sanity.sanity_options import SanityOptions

        if not quiet:
            describe(net)
        check_preset(net)
        chosen = SanityOptions(**{name: value for name, value in kept.items() if value != ()})
        show = steps_of(stack.enter_context(Progress(quiet)), stack.enter_context(Stopper("step")))

        try:
            report = sanity_check(
                *(net, list(images), target, methods, layers, out_folder), options=replace(chosen, progress=show)
            )
        except Stopped:
            say("stopped; nothing was written", err=True)
            click.get_current_context().exit(STOPPED)
    _finish(report, out_folder, quiet)


def _finish(report: SanityReport, out_folder: str | None, quiet: bool) -> None:
    """Print the tables, and end with the exit code."""
    from gradcam_tf1.sanity.sanity_page import PAGE_NAME
    from gradcam_tf1.sanity.sanity_words import VERDICT_HEAD, check_rows, notes, summary, verdict_rows

    for name, reason in report.failed.items():
        say(f"failed: {shown(name)}: {shown(reason)}", err=True)
    if report.verdicts:
        _table([VERDICT_HEAD, *verdict_rows(report)])
        say()
    if report.checks:
        _table([row[:4] for row in (("check", "result", "methods", "difference"), *check_rows(report))])
        say()
    for line in [*notes(report), *_unchecked(check_rows(report))] if not quiet else ():
        say(shown(line))
    say(summary(report)[1])
    if out_folder is not None and not quiet:
        say_page(os.path.join(out_folder, PAGE_NAME))
    click.get_current_context().exit(0 if report.ok and not report.failed else 1)


def _unchecked(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"{row[0].partition(':')[0]} was not checked: {row[4]}" for row in rows if row[1] == "not checked"]


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
