"""`gradcam-tf1 export`: a model that explains itself, for any TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import click

from gradcam_tf1.cli.method_options import method_name, set_values
from gradcam_tf1.cli.preset_options import make_preset, preset_options
from gradcam_tf1.cli.session_options import make_session, session_options
from gradcam_tf1.cli.shared_options import model_options, open_net
from gradcam_tf1.cli.target_options import SCORES
from gradcam_tf1.cli.terminal import say, shown, warn
from gradcam_tf1.drawing.overlay import ALPHA, COLORMAPS
from gradcam_tf1.drawing.style import Style
from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods import method
from gradcam_tf1.run.settings import net_warnings

FORMATS = (
    "saved_model",
    "frozen",
    "onnx",
    "tflite",
)  # the names of `export.formats`, without importing TensorFlow; a test compares them
STYLES = ("overlay", "blend", "gray-background")


@click.command(short_help="Write a model that explains itself.")
@model_options
@click.option("--out", "out_folder", type=click.Path(), required=True, help="Folder of the exported model.")
@click.option(
    "--method",
    "name",
    metavar="NAME",
    default="gradcam",
    show_default=True,
    callback=lambda _c, _p, v: method_name(v),
    help="Method that makes the map; one that is made of ops of the graph alone.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="METHOD.OPTION=VALUE",
    callback=set_values,
    help="Set an option of the method. Repeatable.",
)
@click.option("--guided", is_flag=True, help="Also return the maps of guided backprop and Guided Grad-CAM.")
@click.option(
    "--score",
    type=click.Choice(SCORES),
    default="logit",
    show_default=True,
    help="Score of a class that the map explains.",
)
@click.option(
    "--format", "format_", type=click.Choice(FORMATS), default="saved_model", show_default=True, help="What is written."
)
@click.option("--input-bytes", is_flag=True, help="Take encoded images (PNG, JPEG) of any size, not arrays.")
@click.option("--tf2-only", is_flag=True, help="Allow ops that TensorFlow 1.15 lacks.")
@preset_options
@click.option(
    "--style", type=click.Choice(STYLES), default="overlay", show_default=True, help="How the overlay is drawn."
)
@click.option(
    "--colormap",
    type=click.Choice(COLORMAPS),
    default="jet",
    show_default=True,
    help="Colours of the overlay; diverging also shows negative values.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1),
    default=ALPHA,
    show_default=True,
    help="Opacity of the overlay where the map is highest.",
)
@session_options
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def export(out_folder: str, quiet: bool, **options: Any) -> None:
    """Write MODEL with its explanation as one model that any TensorFlow runs, without this toolkit.

    It takes images and optionally class_ids, and returns logits, class ids, scores, the map and the overlay. With
    a preset it takes RGB images, 0..255. MODEL is the same as for `gradcam-tf1 run`.
    """
    preset, session = make_preset(options), make_session(options)
    style = Style(options.pop("colormap"), options.pop("alpha"), style=options.pop("style"))
    if len(options["layers"]) > 1:
        raise OptionError("an exported model has one layer; export it once for each, or write --layer 'A + B'")
    name, settings = options.pop("name"), options.pop("settings")
    for other in settings:
        if other != name:
            raise OptionError(f"--set {other}: the method is {name}; add --method {other}")
    names = ("guided", "score", "input_bytes", "tf2_only")
    chosen = {**{each: options.pop(each) for each in names}, "format": options.pop("format_"), "style": style}
    with open_net(preset=preset, session=session, **options) as net:
        for warning in () if quiet else net_warnings(net):
            warn(warning)
        done = net.export(out_folder, method(name, **settings.get(name, {})), **chosen)
    if quiet:
        return
    for kind, specs in (("takes", done.inputs), ("returns", done.outputs)):
        for key, spec in specs.items():
            say(shown(f"{kind:<8} {key:<16} {spec.dtype:<8} {_sides(spec.shape):<22} {spec.name}"))
    for note in done.notes:
        say(shown(note))
    size = sum(os.path.getsize(os.path.join(done.folder, file)) for file in done.files)
    say(f"written: {shown(out_folder)} ({size / 1e6:.2f} MB)")


def _sides(shape: Any) -> str:
    return "[" + ", ".join("N" if side is None else str(side) for side in shape) + "]"
