"""`gradcam-tf1 compare`: do two models look at the same place."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Callable, Sequence

import click

from gradcam_tf1.cli.feed_options import split_feeds
from gradcam_tf1.cli.method_options import make_explain_options, make_methods, method_options
from gradcam_tf1.cli.preset_options import PRESET_OPTIONS, check_preset, make_preset
from gradcam_tf1.cli.progress import STOPPED, Progress, Stopper
from gradcam_tf1.cli.second_model_options import for_second, second_model_options
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import NET_OPTIONS, open_net, window
from gradcam_tf1.cli.target_options import SCORES
from gradcam_tf1.cli.terminal import say, say_page, shown, warn
from gradcam_tf1.comparison.compare_options import CompareOptions
from gradcam_tf1.comparison.map_agreement import MEASURES
from gradcam_tf1.errors import GradCamError, OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.run.listing import counted

if TYPE_CHECKING:
    from gradcam_tf1.comparison.comparison_result import Comparison
    from gradcam_tf1.graph import GradCamGraph

_DEFAULT = CompareOptions()
_OWN = tuple(
    item.name for item in fields(CompareOptions) if item.name not in ("methods", "explain", "stop", "progress")
)


@click.command(short_help="Do two models say the same, and look at the same place?")
@click.argument("model_a", metavar="A")
@click.argument("model_b", metavar="B")
@click.argument("images", nargs=-1, required=True)
@click.option("--out", "out_folder", type=click.Path(), help="Folder for tables and the page; created if missing.")
@click.option(
    "--min-class-agreement",
    type=click.FloatRange(0, 1),
    default=_DEFAULT.min_class_agreement,
    show_default=True,
    help="Smallest share of the images with the same top class.",
)
@click.option(
    "--max-score-difference",
    type=click.FloatRange(0, 1),
    default=_DEFAULT.max_score_difference,
    show_default=True,
    help="Largest difference of the probability of a class, on any image.",
)
@click.option(
    "--min-map-similarity",
    type=click.FloatRange(-1, 1),
    default=_DEFAULT.min_map_similarity,
    show_default=True,
    help="Smallest mean similarity of the maps, for each method.",
)
@click.option(
    "--map-measure",
    type=click.Choice(MEASURES),
    default=_DEFAULT.map_measure,
    show_default=True,
    help="Similarity that --min-map-similarity limits; ssim suits maps that are zero almost everywhere.",
)
@second_model_options((*NET_OPTIONS, *PRESET_OPTIONS))
@method_options
@click.option(
    "--score", type=click.Choice(SCORES), default="logit", show_default=True, help="Score that the maps explain."
)
@click.option("--window", metavar="LOW,HIGH|none", callback=window, help="Images of measured values, see `run`.")
@click.option("--n-images", type=click.IntRange(min=1), metavar="N", help="Compare only N images, chosen at random.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed of --n-images.")
@click.option(
    "--shown",
    type=click.IntRange(0, 1000),
    metavar="N",
    default=_DEFAULT.shown,
    show_default=True,
    help="Images on the page, those that differ most.",
)
@click.option(
    "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, help="Refuse larger images."
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Reader threads (default: one per core).")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Seconds to read an image.")
@session_options
@click.option("--resume", is_flag=True, help="Go on where an earlier comparison in this folder ended.")
@click.option("--quiet", "-q", is_flag=True, help="Print the verdict only.")
def compare(
    model_a: str, model_b: str, images: Sequence[str], out_folder: str | None, quiet: bool, **options: Any
) -> None:
    """Compare what the models A and B say of IMAGES: classes, scores, and where they look.

    A and B are models of any form, such as a frozen graph and the SavedModel that replaces it. Each option of the model
    and of its preprocessing applies to both. Its form with --b- is for B alone: --b-preset, --b-labels, --b-input,
    --b-layer, --b-size, --no-b-trust-model, ...; --b-logits "" leaves out for B what --logits says for A.

    Classes are matched by name if both models have labels, else by id. Exit codes: 0 the models agree within the
    tolerances, 1 they differ or it is not known, 2 a model or an option is wrong, 130 stopped by Ctrl-C.
    """
    own = {name: options.pop(name) for name in _OWN}
    session = make_session(options)
    options["methods"] = options["methods"] or ("gradcam",)
    methods, explain = make_methods(options) or _DEFAULT.methods, make_explain_options(options)
    options_b = for_second(options)
    with ExitStack() as stack:
        net_a, net_b = (
            stack.enter_context(_opened(name, model, session, given))
            for name, model, given in (("A", model_a, options), ("B", model_b, options_b))
        )
        from gradcam_tf1.comparison.compare_nets import compare_nets  # TensorFlow is loaded by now

        progress, stop = stack.enter_context(Progress(quiet)), stack.enter_context(Stopper())
        asked = CompareOptions(methods, explain=explain, stop=stop, progress=progress.show, **own)
        found = compare_nets(net_a, net_b, list(images), out_folder, options=asked)
    _report(found, out_folder, quiet)
    click.get_current_context().exit(STOPPED if not found.complete else 0 if found.agrees else 1)


def _opened(name: str, model: str, session: Callable[[], dict[str, Any]], options: dict[str, Any]) -> GradCamGraph:
    """Open and bind one model. Raises OptionError with its name, A or B."""
    options = dict(options)
    try:
        if len(options["layers"]) > 1:
            raise OptionError("compare explains one layer of each model; give one --layer")
        if split_feeds(options["feed"], options["feed_file"])[1]:
            raise OptionError("compare feeds one value for all images; give --feed NAME=VALUE, not a file of values")
        net = open_net(model=model, preset=make_preset(options), session=session, **options)
        with ExitStack() as failing:
            failing.push(net)
            check_preset(net)
            failing.pop_all()
        return net
    except GradCamError as error:
        raise OptionError(f"{name}, {model!r}: {error}") from error


def _report(found: Comparison, out_folder: str | None, quiet: bool) -> None:
    """Print the table, the checks, the verdict and the name of the page."""
    from gradcam_tf1.comparison.comparison_files import PAGE_NAME
    from gradcam_tf1.comparison.comparison_page import table_rows

    if not quiet:
        for name, model in zip("AB", found.models):
            say(f"{name}: {shown(model)}")
        for note in found.notes:
            warn(note)
        say(f"\n{counted(found.images)} compared, {found.one_sided} with one answer only, {found.failed} failed")
        rows = list(table_rows(found))
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            say(f"  {name:<{width}}  {value}")
        say()
        for check in found.checks:
            limit = f"{'at most' if check.low_is_good else 'at least'} {check.limit:g}"
            value = f"{check.value:.4g}" if check.n else "no value"
            say(f"  {'ok  ' if check.holds else 'FAIL' if check.n else '?   '}  {check.name}: {value}, {limit}")
    say(found.verdict)
    if out_folder is not None and not quiet:
        say_page(os.path.join(out_folder, PAGE_NAME))
