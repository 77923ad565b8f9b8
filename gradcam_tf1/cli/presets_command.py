"""`gradcam-tf1 presets`: find out which preprocessing a model was trained with."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.next_command import RememberingCommand, next_run
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, open_net, size
from gradcam_tf1.cli.terminal import say, warn
from gradcam_tf1.images.geometry import FIT_MODES
from gradcam_tf1.run.listing import counted
from gradcam_tf1.run.manifest_lines import strict_json

if TYPE_CHECKING:
    from gradcam_tf1.diagnosis.preset_ranking import PresetRow
    from gradcam_tf1.diagnosis.preset_search import PresetTable

_MEASURES = (
    ("accuracy", "right", "{:.0%}"),
    ("norm_distance", "batch norm", "{:.3g}"),
    ("agreement", "agreement", "{:.2f}"),
    ("top", "top prob.", "{:.2f}"),
    ("entropy", "entropy", "{:.2f}"),
    ("changed", "changed", "{:.0%}"),
)


@click.command(cls=RememberingCommand, short_help="Find the preprocessing that a model was trained with.")
@model_options
@click.argument("images", nargs=-1, required=True)
@click.option("--labels", type=click.Path(), help="File with the class names.")
@click.option(
    "--truth",
    metavar="CSV|folders",
    help="The right classes: a CSV file with the columns image and class, or folders, if each image lies in a folder "
    "with the name or id of its class.",
)
@click.option("--fit", type=click.Choice(FIT_MODES), default="stretch", show_default=True, help="As for run.")
@click.option("--size", metavar="HxW", callback=size, help="Input size, for nets that accept any size.")
@click.option(
    "--n-images", type=click.IntRange(min=1), default=32, show_default=True, help="Images to try, chosen at random."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of --n-images.")
@session_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def presets(images: Sequence[str], truth: str | None, n_images: int, seed: int, as_json: bool, **options: Any) -> None:
    """Try each preset on some IMAGES with the network MODEL, and rank them.

    The model is opened once. Nothing is written.
    """
    session = make_session(options)
    with open_net(session=session, **options) as net:
        from gradcam_tf1.diagnosis.preset_search import search_presets

        table = search_presets(net, list(images), truth, n_images, seed)
    command = after_presets(table, images)
    if as_json:
        click.echo(strict_json(_as_json(table, command), indent=1))
        return
    show_presets(table)
    for note in table.notes:
        warn(note)
    say(f"\ngo on with: {command}")


def show_presets(table: PresetTable) -> None:
    """Print the table."""
    measures = [(name, title, form) for name, title, form in _MEASURES if getattr(table.rows[0], name) is not None]
    cells = [["", "preset", *(title for _, title, _ in measures)]]
    for number, row in enumerate(table.rows, 1):
        values = [form.format(getattr(row, name)) for name, _, form in measures]
        cells.append([f"{number}{'=' if row.tied else ''}", row.candidate.name, *values])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    say(f"{counted(table.images)}, ranked by {table.rule}:")
    for line in cells:
        first = "  ".join(cell.ljust(width) for cell, width in zip(line[:2], widths))
        say("  ".join([" ", first, *(cell.rjust(width) for cell, width in zip(line[2:], widths[2:]))]).rstrip())


def after_presets(table: PresetTable, images: Sequence[str], more: Sequence[str] = ()) -> str:
    """Return the run with the first preset, the search with more images if these do not tell, or the doctor."""
    if not isfinite(table.rows[0].top):
        return next_run(images, command="doctor")
    if not table.enough:
        return next_run([*images, "MORE_IMAGES"], command="presets")
    return next_run(images, [*table.rows[0].candidate.words, *more])


def _as_json(table: PresetTable, command: str) -> dict[str, Any]:
    head = {"images": table.images, "rule": table.rule, "decided": table.decided, "command": command}
    return {**head, "notes": list(table.notes), "presets": [_row(row) for row in table.rows]}


def _row(row: PresetRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name, _, _ in _MEASURES}
    return {"preset": row.candidate.name, "options": list(row.candidate.words), "tied": row.tied, **values}
