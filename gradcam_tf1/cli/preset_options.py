"""Command-line options that say how images are prepared for the net, and what its classes are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

import click

from gradcam_tf1.cli.shared_options import Command, Decorator, numbers, size, with_options
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import FIT_MODES
from gradcam_tf1.images.preprocessing import PRESETS, Preprocessing, as_preprocessing, find_preset, list_presets

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

PRESET_OPTIONS: Sequence[Decorator] = (
    click.option("--preset", metavar="NAME", help=f"Preprocessing of pixel values: {', '.join(PRESETS)}, custom."),
    click.option(
        "--mean", metavar="M[,M,M]", callback=numbers, help="Custom preprocessing, (x * scale - mean) / std: the mean."
    ),
    click.option(
        "--std",
        metavar="S[,S,S]",
        callback=numbers,
        help="Custom preprocessing: std, in the net's channel order.",
    ),
    click.option(
        "--scale",
        metavar="A",
        callback=numbers,
        help="Custom preprocessing: scale; 1/255 maps 0..255 to 0..1.",
    ),
    click.option("--bgr", is_flag=True, help="Custom preprocessing: the net expects BGR instead of RGB."),
    click.option(
        "--fit",
        type=click.Choice(FIT_MODES),
        default="stretch",
        show_default=True,
        help="How images are resized to the input size.",
    ),
    click.option(
        "--size",
        metavar="HxW",
        callback=size,
        help="Input size, for nets that accept any size. With --fit short-side: the length of the shorter side.",
    ),
    click.option("--labels", type=click.Path(), help="File with the class names."),
)
_NAMES = ("preset", "mean", "std", "scale", "bgr")


def preset_options(command: Command) -> Command:
    """Add the options; `make_preset` reads those of the pixel values, `open_net` the others."""
    return with_options(PRESET_OPTIONS)(command)


def make_preset(options: dict[str, Any]) -> Preprocessing | None:
    """Take the options of pixel values out of `options`; None if none was given. Raises OptionError."""
    given = {name: options.pop(name) for name in _NAMES}
    preset, bgr, scale = given.pop("preset"), given.pop("bgr"), given.pop("scale")
    if preset is None and not bgr and scale is None and all(value is None for value in given.values()):
        return None
    if scale is not None and len(scale) > 1:
        raise OptionError("--scale is one number for all channels; give one number per channel with --std")
    return find_preset(preset or "custom", bgr=bgr, scale=None if scale is None else scale[0], **given)


def check_preset(net: GradCamGraph) -> None:
    """Refuse a net whose preprocessing is unknown before anything runs. Raises OptionError."""
    if net.binding.token_ids:
        raise OptionError(
            f"the net takes token ids of texts at '{net.binding.token_ids}', not images; explain them with "
            "`gradcam-tf1 text MODEL TEXTS --vocab FILE --out OUT`"
        )
    preset = net.preset or as_preprocessing(net.model.preprocessing or net.binding.preprocessing)
    if preset is None:
        raise OptionError(
            "the model does not show its preprocessing of pixel values, and a wrong guess gives wrong maps without an "
            "error; choose one with --preset, or let `gradcam-tf1 presets MODEL IMAGES` find it:\n" + list_presets()
        )
    preset.check_channels(net.binding.channels)
