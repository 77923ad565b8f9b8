"""`gradcam-tf1 doctor`: one page on what works with a model, what does not and why, and what to type next."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Iterable, Sequence

import click
import numpy as np

from gradcam_tf1.cli.describe import describe, list_candidates
from gradcam_tf1.cli.next_command import RememberingCommand, next_run, next_text
from gradcam_tf1.cli.presets_command import after_presets, show_presets
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, open_net, size
from gradcam_tf1.cli.terminal import load_tensorflow, say, shown
from gradcam_tf1.errors import FeedError, GradCamError
from gradcam_tf1.images.geometry import FIT_MODES

if TYPE_CHECKING:
    from gradcam_tf1.diagnosis.preset_search import PresetTable
    from gradcam_tf1.graph import GradCamGraph

_WIDTH = 100
_TRIED = 4  # images that are explained
_NO = 2  # exit code


@click.command(cls=RememberingCommand, short_help="One page on what works with a model, and what to type next.")
@model_options
@click.argument("images", nargs=-1)
@click.option("--labels", type=click.Path(), help="File with the class names.")
@click.option("--fit", type=click.Choice(FIT_MODES), default="stretch", show_default=True, help="As for run.")
@click.option("--size", metavar="HxW", callback=size, help="Input size, for nets that accept any size.")
@click.option(
    "--n-images", type=click.IntRange(min=1), default=32, show_default=True, help="Images to try, chosen at random."
)
@session_options
def doctor(images: Sequence[str], n_images: int, **options: Any) -> None:
    """Show what works with the network MODEL: its file, tensors, weights, methods, and presets if IMAGES are given.

    Nothing is written. Exit code 0: the model can be explained; 2: it cannot, and the page says why.
    """
    session = make_session(options)
    load_tensorflow()
    _machine()
    try:
        net = open_net(session=session, **options)
    except (GradCamError, OSError) as error:
        _not_opened(options["model"], error)
        raise click.exceptions.Exit(_NO) from error
    with net:
        if not _bound(net):
            raise click.exceptions.Exit(_NO)
        works = _explained(net, images, n_images)
    raise click.exceptions.Exit(0 if works else _NO)


def _machine() -> None:
    from gradcam_tf1.diagnosis.machine import machine

    _title("machine")
    _lines(machine())


def _not_opened(model: str, error: Exception) -> None:
    """Print the page of a model that cannot be opened."""
    from gradcam_tf1.diagnosis.found_files import found_at

    _title("model")
    _lines(found_at(model))
    _problem(_reason(error))
    _verdict(False, "it cannot be opened with these options; the reason is above")


def _reason(error: Exception) -> str:
    name = getattr(error, "filename", None)
    return f"{getattr(error, 'strerror', None) or error}: {name!r}" if name is not None else str(error)


def _bound(net: GradCamGraph) -> bool:
    """Print what the model is and how it was bound; return whether it was."""
    from gradcam_tf1.binding.candidates import find_candidates

    found = find_candidates(net.graph)
    try:
        net.binding  # noqa: B018 - bound at first use
    except GradCamError as error:
        _title("model")
        say(f"{shown(net.model.source)}: {net.model.kind}")
        _problem(str(error))
        for option, noun, items in (
            ("input", "input", found.input),
            ("logits", "score", found.logits),
            ("layer", "layer", found.layer),
        ):
            list_candidates(option, noun, items)
        fed = "an input has no value, or one that does not fit; give it as the line with ! says"
        unfound = "its tensors were not found; name them with the options above"
        _verdict(False, fed if isinstance(error, FeedError) else unfound)
        return False
    _title("model")
    describe(net)
    _alternatives("input", [item.name for item in found.input if item.fits], net.binding.input)
    _alternatives("logits", [item.name for item in found.logits], net.binding.logits)
    _alternatives("layer", [layer.name for layer in reversed(net.binding.layers) if layer.counted], net.binding.layer)
    return True


def _alternatives(option: str, names: Iterable[str], chosen: str) -> None:
    others = [name for name in dict.fromkeys(names) if name != chosen][:3]
    if others:
        say(f"  --{option} could also be {', '.join(map(shown, others))}")


def _explained(net: GradCamGraph, images: Sequence[str], n_images: int) -> bool:
    """Print what the net computes; return whether it can be explained."""
    from gradcam_tf1.diagnosis.trial_run import check_methods, try_net
    from gradcam_tf1.diagnosis.weight_check import check_weights

    _title("weights")
    about, problems = check_weights(net)
    say(f"  {about}")
    _problems(problems)
    _title("methods")
    methods = check_methods(net)
    _lines([f"{len(methods.usable)} work: {', '.join(methods.usable) or 'none'}"])
    for reason in dict.fromkeys(methods.reasons.values()):
        _lines([f"not {', '.join(name for name, why in methods.reasons.items() if why == reason)}: {reason}"])
    table = _presets(net, images, n_images)
    if not methods.usable:
        _verdict(False, "no method works; the reasons are above")
        return False
    _title("trial")
    preset = table.rows[0].candidate.preset if table is not None and table.enough else None
    trial = try_net(net, methods.usable, _pixels(net, images), preset)
    _lines([trial.about])
    _problems(trial.findings)
    _verdict(trial.works, "it can be explained" if trial.works else "it does not compute; the reason is above")
    if trial.works:
        _next(net, images, table, methods.usable)
    return trial.works


def _presets(net: GradCamGraph, images: Sequence[str], n_images: int) -> PresetTable | None:
    from gradcam_tf1.diagnosis.preset_search import search_presets

    if not images:
        return None
    _title("presets")
    try:
        table = search_presets(net, list(images), None, n_images)
    except GradCamError as error:
        _problem(str(error))
        return None
    show_presets(table)
    _problems(table.notes)
    return table


def _pixels(net: GradCamGraph, images: Sequence[str]) -> np.ndarray | None:
    """Return a few of the images at the input's size; None if there is none."""
    from gradcam_tf1.diagnosis.preset_search import read_pixels
    from gradcam_tf1.run.listing import draw_images, list_images

    if not images or net.binding.array_shape is not None:
        return None
    try:
        return read_pixels(net, draw_images(list_images(list(images), "")[0], _TRIED))[0]
    except GradCamError:
        return None  # the section on presets has said it


def _next(net: GradCamGraph, images: Sequence[str], table: PresetTable | None, usable: Sequence[str]) -> None:
    """Print the command that comes next."""
    from gradcam_tf1.diagnosis.trial_run import takes_pixels

    words = [] if "gradcam" in usable else ["--method", usable[0]]
    if net.binding.token_ids:
        say(f"  {next_text()}")
    elif table is not None:
        say(f"  {after_presets(table, images, words)}")
    elif net.model.preprocessing or net.binding.preprocessing or not takes_pixels(net):
        say(f"  {next_run(images or ['IMAGES'], words)}")
    elif net.binding.array_shape is None:
        say("which preset? try them on images:")
        say(f"  {next_run(['IMAGES'], command='presets')}")
    else:
        say("with the preset of the training (`gradcam-tf1 run --help` lists them):")
        say(f"  {next_run(images or ['IMAGES'], ['--preset', 'PRESET', *words])}")


def _title(text: str) -> None:
    say(f"\n== {text}")


def _lines(lines: Iterable[str]) -> None:
    for line in lines:
        say(textwrap.fill(shown(line), _WIDTH, initial_indent="  ", subsequent_indent="    ", break_long_words=False))


def _problems(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        _problem(sentence)


def _problem(sentence: str) -> None:
    first, *rest = sentence.splitlines() or [""]
    _lines([f"! {first}", *rest])


def _verdict(works: bool, sentence: str) -> None:
    _title("result")
    say(f"  {'yes' if works else 'no'}: {sentence}")
