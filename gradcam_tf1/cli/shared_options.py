"""Options that several commands share, and callbacks that parse their values."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Callable, List, Sequence, Union

import click

from gradcam_tf1.cli.feed_options import FEED, FEED_FILE, split_feeds
from gradcam_tf1.cli.feed_options import feeds as feeds
from gradcam_tf1.cli.terminal import load_tensorflow, say
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.bands import check_bands
from gradcam_tf1.images.image_files import MAX_PIXELS
from gradcam_tf1.images.window import Window, make_window
from gradcam_tf1.run.input_tables import feed_value as feed_value
from gradcam_tf1.types import KeyTensors, LoadedModel

if TYPE_CHECKING:
    from gradcam_tf1.graph import GradCamGraph

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
NamesOrNumbers = List[Union[str, int]]


def _names(values: Sequence[str]) -> NamesOrNumbers:
    """Convert values that are whole numbers; the others remain names."""
    return [int(value) if re.fullmatch(r"-?\d{1,18}", value) else value for value in values]


def names_or_numbers(_ctx: click.Context, _param: click.Parameter, values: Sequence[str]) -> NamesOrNumbers:
    """Callback of a repeatable option that takes names and whole numbers."""
    return _names(values)


def size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int | None, int | None]:
    """Callback: "240x320" -> (240, 320), "240" -> (240, 240), height first."""
    if value is None:
        return (None, None)
    match = re.fullmatch(r"([1-9]\d{0,4})(?:[xX]([1-9]\d{0,4}))?", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size; write HEIGHTxWIDTH, as in 240x320")
    return int(match.group(1)), int(match.group(2) or match.group(1))


def numbers(_ctx: click.Context, _param: click.Parameter, value: str | None) -> list[float] | None:
    """Callback: "123.68,116.78,103.94" -> three floats, "1/255" -> one."""
    if value is None:
        return None
    try:
        return [_number(part) for part in value.split(",")]
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(
            f"{value!r}: write a number (1/255 works too), or one number per channel, with commas between them"
        ) from None


def bands(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Callback: "3,2,1" -> (3, 2, 1), bands counted from 1."""
    try:
        return check_bands([int(part) for part in (value or "").split(",")] if value is not None else None)
    except (ValueError, OptionError):
        raise click.BadParameter(f"{value!r}: write one band, or three with commas, counted from 1: 3,2,1") from None


def sides(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Callback: "3,224,224" -> (3, 224, 224)."""
    if value is None:
        return None
    if re.fullmatch(r"[1-9]\d{0,5}(,[1-9]\d{0,5}){0,3}", value) is None:
        raise click.BadParameter(f"{value!r}: write the sides of one input with commas, without the batch: 3,224,224")
    return tuple(map(int, value.split(",")))


def window(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Window:
    """Callback: "-1000,3000" -> the window between these values, "none" -> values as stored."""
    try:
        return make_window(value.split(",") if value is not None and value != "none" else value)
    except OptionError as error:
        raise click.BadParameter(f"{value!r}: write LOW,HIGH or none; {error}") from None


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below) if below else float(text)


def with_options(options: Sequence[Decorator]) -> Decorator:
    """Return a decorator that adds these options to a command, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def model_options(command: Command) -> Command:
    """Add the MODEL argument and the options that name its key tensors; `open_net` reads them."""
    return with_options((click.argument("model"), *NET_OPTIONS))(command)


def model_options_of_all_images(command: Command) -> Command:
    """Add the same without --feed-file, whose values come with each image."""
    return with_options((click.argument("model"), *(option for option in NET_OPTIONS if option is not FEED_FILE)))(
        command
    )


batch_size_option = click.option(
    "--batch-size", type=click.IntRange(min=1), default=8, show_default=True, help="Images that run together."
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=MAX_PIXELS,
    show_default=True,
    help="Refuse images with more pixels.",
)
batch_timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help="Time limit in seconds, for reading an image and for running a batch.",
)


def name_or_number(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | int | None:
    """Callback of an option that takes one name or one whole number."""
    return None if value is None else _names([value])[0]


_LOAD_OPTIONS = ("tag", "signature", "trust_model", "moving_averages", "input_shape")
NET_OPTIONS: Sequence[Decorator] = (
    click.option("--input", "input_name", metavar="NAME", help="Tensor that receives the images."),
    click.option("--logits", metavar="NAME", help="Tensor of the class scores before softmax or sigmoid."),
    click.option("--probabilities", metavar="NAME", help="Tensor of the class probabilities after softmax or sigmoid."),
    click.option(
        "--output",
        metavar="NAME|INDEX",
        callback=name_or_number,
        help="Output to explain, if the net has several: its name, or its number counted from 0.",
    ),
    click.option(
        "--layer",
        "layers",
        multiple=True,
        metavar="NAME|-N|auto",
        callback=names_or_numbers,
        help="Feature map to explain: its name, or -1 for the last, -3 for the third from last. 'A + B' adds up the "
        "maps of two layers. auto uses the layer of each class's own branch. Repeatable.",
    ),
    FEED,
    FEED_FILE,
    click.option("--tag", help="SavedModel: tag of the graph (default: serve, or the only tag)."),
    click.option("--signature", help="SavedModel: signature that names the input and output tensors."),
    click.option(
        "--trust-model",
        is_flag=True,
        help="Allow code inside the model file to run (Keras Lambda layers, torch.save(model)). Only for models from a "
        "source you trust.",
    ),
    click.option(
        "--input-shape",
        metavar="C,H,W",
        callback=sides,
        help="Torch, and ONNX with open sides: the sides of one input in their order, without the batch: 3,224,224.",
    ),
    click.option(
        "--moving-averages",
        is_flag=True,
        help="Checkpoint: use the moving averages of the weights, if the checkpoint has them.",
    ),
    click.option("--weights", type=click.Path(), help="Weight file of a reference net (vgg11, vgg13, vgg16, vgg19)."),
    click.option("--fully-convolutional", is_flag=True, help="Reference nets: accept images of any size."),
)


def open_net(model: Any, session: Callable[[], dict[str, Any]] = dict, **options: Any) -> GradCamGraph:
    """Open the net that the options of `model_options` describe.

    Parameters
    ----------
    model : str, or what else `load` takes
        Path of a model, or the name of a reference net.
    session : callable
        Returns the arguments `config` and `devices`, see `make_session`.
    **options
        The others of `model_options`, and arguments of GradCamGraph.

    Raises
    ------
    ModelFileError, WeightsError, OptionError
    """
    load_tensorflow()
    from gradcam_tf1.graph import GradCamGraph

    arguments = session()
    source, more = load_source(model, **options)
    return GradCamGraph(source, **arguments, **more)


def load_source(
    model: Any, weights: str | None, fully_convolutional: bool, layers: Sequence[Any], **options: Any
) -> tuple[LoadedModel, dict[str, Any]]:
    """Load the model that the options of `model_options` describe; return it and the arguments of GradCamGraph.

    Parameters
    ----------
    model : str, or what else `load` takes
        Path of a model, or the name of a reference net.
    weights : str or None
        Weight file of a reference net.
    fully_convolutional : bool
        Whether a reference net accepts images of any size.
    layers : sequence
        Values of --layer; the first one becomes the net's own layer.
    **options
        The other options of `model_options`, and arguments of GradCamGraph.

    Raises
    ------
    ModelFileError, WeightsError, OptionError
    """
    from gradcam_tf1.graphdef.file_kinds import identify
    from gradcam_tf1.loaders import load_apart
    from gradcam_tf1.nets.vgg import REFERENCE_NETS, vgg_model

    options["feed"] = split_feeds(options.pop("feed", {}), options.pop("feed_file", None))[0]
    layer = layers[0] if layers else None
    loading = {name: options.pop(name) for name in _LOAD_OPTIONS if name in options}
    if weights is not None or fully_convolutional or (model in REFERENCE_NETS and not os.path.exists(model)):
        if weights is None:
            raise OptionError(f"{model!r}: a reference net needs its weights; give --weights FILE")
        source = vgg_model(model, weights, fully_convolutional)
        options["preset"] = options.get("preset") or source.preprocessing
        layer = source.layer if layer is None else layer
    else:
        if isinstance(model, str) and identify(model).kind in ("ONNX", "torch"):
            say(f"{model}: converting it with onnx2tf, which takes up to some minutes ...", err=True)
        source = load_apart(model, **loading)
    names = {name: options.pop(name) for name in ("logits", "probabilities", "feed")}
    tensors = KeyTensors(input=options.pop("input_name"), layer=layer, **names)
    return source, {"tensors": tensors, **options}
