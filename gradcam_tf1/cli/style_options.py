"""Options that say how maps are drawn and what is written."""

from __future__ import annotations

from typing import Any, Callable

import click

from gradcam_tf1.cli.shared_options import bands, with_options
from gradcam_tf1.drawing.boxes import BOX_SHARE
from gradcam_tf1.drawing.figure_kinds import FIGURES
from gradcam_tf1.drawing.overlay import ALPHA, COLORMAPS
from gradcam_tf1.drawing.style import STYLES, Style
from gradcam_tf1.run.naming import NAMINGS

_OPTIONS = (
    click.option(
        "--naming", type=click.Choice(NAMINGS), default="source", show_default=True, help="Names of the files."
    ),
    click.option(
        "--style",
        type=click.Choice(tuple(STYLES)),
        default="overlay",
        show_default=True,
        help="What overlays show.",
    ),
    click.option(
        "--colormap",
        type=click.Choice(COLORMAPS),
        default="jet",
        show_default=True,
        help="diverging shows negative values too.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 1),
        default=ALPHA,
        show_default=True,
        help="The most that an overlay covers of the photograph.",
    ),
    click.option(
        "--box",
        is_flag=False,
        flag_value=BOX_SHARE,
        type=click.FloatRange(0, 1, max_open=True),
        metavar="[SHARE]",
        help=f"Box of the largest region above SHARE of the maximum (alone: {BOX_SHARE}); mask-only shows that share.",
    ),
    click.option(
        "--bands",
        metavar="R,G,B",
        callback=bands,
        help="Images of many bands: the three that are drawn, counted from 1 (default: 1,2,3).",
    ),
    click.option("--heatmaps/--no-heatmaps", default=True, help="Also write each heat map alone (default: yes)."),
    click.option(
        "--own-scale",
        is_flag=True,
        help="Each on its own scale: positive and negative maps, and the classes of a figure.",
    ),
    click.option("--raw", is_flag=True, help="Also write the numbers (npz)."),
    click.option(
        "--figure",
        "figures",
        multiple=True,
        type=click.Choice(tuple(FIGURES)),
        help="Also a figure of each image, panels side by side with titles and colour bars. Repeatable.",
    ),
)
_TAKEN = ("style", "colormap", "alpha", "box", "bands", "heatmaps", "raw")


def style_options(command: Callable) -> Callable:
    """Add the options of how maps are drawn; `make_style` reads them."""
    return with_options(_OPTIONS)(command)


def make_style(options: dict[str, Any]) -> Style:
    """Return the Style of these command-line options, which are taken out of `options`."""
    return Style(**{name: options.pop(name) for name in _TAKEN}, share_scale=not options.pop("own_scale"))
