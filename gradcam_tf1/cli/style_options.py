"""Command-line options of drawing: styles, colours, boxes, figures, and the files to write."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1.cli.shared_options import Command, bands, with_options
from gradcam_tf1.drawing.figure_kinds import FIGURES
from gradcam_tf1.drawing.image_formats import IMAGE_FORMATS, LOSSLESS
from gradcam_tf1.drawing.overlay import ALPHA, COLORMAPS
from gradcam_tf1.drawing.style import STYLES, Style
from gradcam_tf1.metrics.map_box import BOX_SHARE
from gradcam_tf1.run.naming import NAMINGS

_FILES = (
    click.option(
        "--naming",
        type=click.Choice(NAMINGS),
        default="source",
        show_default=True,
        help="Name the written files after the image, or after its number.",
    ),
    click.option(
        "--image-format",
        type=click.Choice(tuple(IMAGE_FORMATS)),
        default=LOSSLESS,
        show_default=True,
        help="Format of overlays and pixel maps. What is read back, such as heat maps, is always PNG.",
    ),
)
_DRAWING = (
    click.option(
        "--style",
        type=click.Choice(tuple(STYLES)),
        default="overlay",
        show_default=True,
        help="How overlays are drawn.",
    ),
    click.option(
        "--colormap",
        type=click.Choice(COLORMAPS),
        default="jet",
        show_default=True,
        help="Colours of heat maps; diverging also shows negative values.",
    ),
    click.option(
        "--alpha",
        type=click.FloatRange(0, 1),
        default=ALPHA,
        show_default=True,
        help="Opacity of an overlay where the map is highest.",
    ),
    click.option(
        "--box",
        is_flag=False,
        flag_value=BOX_SHARE,
        type=click.FloatRange(0, 1, max_open=True),
        metavar="[SHARE]",
        help="Draw a box around the largest region above SHARE of the maximum; mask-only shows the pixels above it. "
        f"Without a value: {BOX_SHARE}.",
    ),
    click.option(
        "--bands",
        metavar="R,G,B",
        callback=bands,
        help="Images with many bands: the three to draw as red, green and blue, counted from 1 (default: 1,2,3).",
    ),
    click.option(
        "--heatmaps/--no-heatmaps", default=True, help="Also write each heat map without the image (default: yes)."
    ),
    click.option(
        "--own-scale",
        is_flag=True,
        help="Scale positive and negative maps, and the classes of a figure, each by its own maximum instead of a "
        "shared one.",
    ),
)
_FURTHER_FILES = (
    click.option("--raw", is_flag=True, help="Also write the values of each map (.npz)."),
    click.option(
        "--figure",
        "figures",
        multiple=True,
        type=click.Choice(tuple(FIGURES)),
        help="Also write a figure of each image: panels side by side with titles and colour bars. Repeatable.",
    ),
)
_NAMES = ("style", "colormap", "alpha", "box", "bands", "heatmaps", "raw")


def style_options(command: Command) -> Command:
    """Add the options of drawing and of the files; `make_style` reads them."""
    return with_options((*_FILES, *_DRAWING, *_FURTHER_FILES))(command)


def drawing_options(command: Command) -> Command:
    """Add the options of drawing alone; `make_style` reads them."""
    return with_options(_DRAWING)(command)


def make_style(options: dict[str, Any]) -> Style:
    """Take the options of Style out of `options` and return it. Raises OptionError."""
    return Style(
        **{name: options.pop(name) for name in _NAMES if name in options}, share_scale=not options.pop("own_scale")
    )
