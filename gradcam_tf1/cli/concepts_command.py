"""`gradcam-tf1 concepts`: factors of the features of a folder, and tests with concepts that the user shows."""

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
from gradcam_tf1.cli.terminal import say, say_page, shown
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.output_folder import as_folder
from gradcam_tf1.methods.options import MAX_SEED
from gradcam_tf1.run.listing import counted

if TYPE_CHECKING:
    from gradcam_tf1.concepts.concept_options import ConceptOptions
    from gradcam_tf1.concepts.concept_records import Concepts
    from gradcam_tf1.concepts.tcav_options import TcavOptions
    from gradcam_tf1.concepts.tcav_records import Tcav
    from gradcam_tf1.graph import GradCamGraph

_OF_SEARCH = ("method", "concepts", "samples", "rectify", "crop", "designs", "shown")
_MOST = 200  # images of each folder of TCAV


@click.command(short_help="Find the concepts of a layer, or test one that you show.")
@model_options
@click.argument("images", nargs=-1, required=True)
@click.option(
    "--method",
    type=click.Choice(("dff", "craft")),
    help="dff: factors of the features of all images (the default). craft: of crops of the images of one class, with "
    "the importance of each.",
)
@click.option("--concepts", type=click.IntRange(2, 64), metavar="N", help="Number of concepts [6; craft: 10].")
@click.option(
    "--class",
    "targets",
    multiple=True,
    metavar="ID|NAME",
    callback=names_or_numbers,
    help="craft: the class whose images are taken (default: the one that most are predicted as). With --positive: the "
    "class to test; repeatable.",
)
@click.option("--positive", metavar="DIR", help="Test a concept (TCAV): images that show it, 15 or more.")
@click.option("--negative", multiple=True, metavar="DIR", help="TCAV: images that do not show it. Repeatable.")
@click.option("--pooled", is_flag=True, help="TCAV: average the features over the positions.")
@click.option("--samples", type=click.IntRange(min=100), help="Most positions or crops that are factorised [10000].")
@click.option("--rectify", is_flag=True, help="Take the positive part of features that may be negative.")
@click.option("--crop", type=click.FloatRange(0.05, 0.95), help="Side of a crop, as a share of the input [0.3].")
@click.option("--designs", type=int, metavar="N", help="craft: masks of each concept, a power of two [32].")
@click.option("--shown", type=click.IntRange(0, 1000), help="Images that are drawn [12].")
@click.option("--out", "out_folder", type=click.Path(), help="Folder for the page, the numbers and the drawn images.")
@preset_options
@click.option(
    "--n-images",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use N of the images, chosen at random [all; TCAV: 200 of each folder].",
)
@click.option("--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, help="As for run.")
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), default=0, show_default=True, help="Seed of all that is drawn."
)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images that run together."
)
@session_options
@click.option("--quiet", "-q", is_flag=True, help="Print the tables and errors only.")
def concepts(images: Sequence[str], out_folder: str | None, quiet: bool, **options: Any) -> None:
    """Find the concepts in the features of MODEL on IMAGES, and the classes that each speaks for.

    With --positive and --negative, test whether the classes of --class depend on the concept that the positive images
    show: the share of IMAGES whose class score rises along it, against random directions, with a t-test.

    Exit code 1: an image cannot be read; 130: stopped by Ctrl-C. IMAGES and MODEL are as in `gradcam-tf1 run`.
    """
    if options["feed_file"] is not None:
        raise OptionError("concepts feeds one value for all images; give it with --feed NAME=VALUE")
    asked = {name: options.pop(name) for name in (*_OF_SEARCH, "targets", "positive", "negative", "pooled")}
    common = {name: options.pop(name) for name in ("n_images", "max_pixels", "seed")}
    _check(asked)
    if len(options["layers"]) > 1:
        raise OptionError("concepts are those of one layer; give --layer once")
    if out_folder is not None:
        as_folder(out_folder)
    chosen = _options_of(asked, common)
    preset, session = make_preset(options), make_session(options)
    with ExitStack() as stack:
        net = stack.enter_context(open_net(preset=preset, session=session, **options))
        if not quiet:
            describe(net)
        check_preset(net)
        show = steps_of(stack.enter_context(Progress(quiet)), stack.enter_context(Stopper("image")))

        try:
            given = (net, list(images), out_folder, asked, replace(chosen, progress=show))
            failed, page = _search(*given) if asked["positive"] is None else _test(*given)
        except Stopped:
            say("stopped; nothing was written", err=True)
            click.get_current_context().exit(STOPPED)
    for name, reason in failed.items():
        say(f"failed: {shown(name)}: {shown(reason)}", err=True)
    if page and not quiet:
        say()
        say_page(page)
    click.get_current_context().exit(1 if failed else 0)


def _check(asked: dict[str, Any]) -> None:
    """Raise OptionError for options that do not belong together."""
    if asked["positive"] is None:
        if asked["negative"] or asked["pooled"]:
            raise OptionError("--negative and --pooled are of a test with images of a concept; add --positive DIR")
        if len(asked["targets"]) > 1:
            raise OptionError("craft takes the images of one class; give --class once")
        if asked["designs"] is not None and asked["method"] != "craft":
            raise OptionError("--designs is of craft; add --method craft, or leave it out")
        return
    given = [name for name in _OF_SEARCH if asked[name] not in (None, False)]
    if given:
        raise OptionError(f"--{given[0]} is of a search for concepts; leave it out, or leave out --positive")
    if not asked["negative"] or not asked["targets"]:
        raise OptionError("a test of a concept takes --positive DIR, --negative DIR and --class NAME together")


def _options_of(asked: dict[str, Any], common: dict[str, Any]) -> Any:
    """Return ConceptOptions, or TcavOptions for a test. Raises OptionError for values that they cannot have."""
    from gradcam_tf1.concepts.concept_options import ConceptOptions
    from gradcam_tf1.concepts.tcav_options import TcavOptions

    if asked["positive"] is not None:
        most = _MOST if common["n_images"] is None else common["n_images"]
        limits = {name: value for name, value in common.items() if name != "n_images"}
        return TcavOptions(pooled=asked["pooled"], most_images=most, **limits)
    given = {name: asked[name] for name in _OF_SEARCH if asked[name] is not None}
    return ConceptOptions(target=asked["targets"][0] if asked["targets"] else None, **given, **common)


def _search(
    net: GradCamGraph, images: list[str], out_folder: str | None, _asked: dict[str, Any], options: ConceptOptions
) -> tuple[dict[str, str], str]:
    from gradcam_tf1.concepts.find_concepts import find_concepts

    found = find_concepts(net, images, out_folder, options=options)
    _show_concepts(found)
    return dict(found.failed), found.page


def _show_concepts(found: Concepts) -> None:
    from gradcam_tf1.concepts.concept_page import spoken_for

    number = counted(len(found.concepts), "concept")
    of = "" if found.target is None else f" of {shown(found.target.label)}"
    say(f"\n{number}{of} at {shown(found.layer)}, {counted(len(found.images))}")
    say(f"they make up {found.explained:.0%} of the features' squares")
    for each in found.concepts:
        importance = "" if each.importance is None else f"  importance {each.importance:.3f}"
        say(f"  {each.number + 1:>2}  {each.share:4.0%}{importance}  {shown(spoken_for(each))}")
    for note in found.notes:
        say(shown(note))


def _test(
    net: GradCamGraph, images: list[str], out_folder: str | None, asked: dict[str, Any], options: TcavOptions
) -> tuple[dict[str, str], str]:
    from gradcam_tf1.concepts.sensitivity import tcav

    given = (asked["positive"], list(asked["negative"]), list(asked["targets"]))
    found = tcav(net, images, *given, out_folder, options=options)
    _show_test(found)
    return dict(found.failed), found.page


def _show_test(found: Tcav) -> None:
    from gradcam_tf1.concepts.tcav_page import HEAD, sentence, table_rows

    rows = [HEAD, *table_rows(found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    say(f"\n{len(found.accuracies)} vectors at {shown(found.layer)}, accuracy {found.accuracy:.0%} on held-out images")
    for row in rows:
        say("  ".join(shown(text).ljust(width) for text, width in zip(row, widths)).rstrip())
    for each in found.classes:
        say(shown(sentence(each, found)))
