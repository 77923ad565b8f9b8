"""Command-line options that choose the targets to explain."""

from __future__ import annotations

import math
import os
from typing import Any, Callable, Sequence

import click

from gradcam_tf1.cli.detection_options import detection_options, take_detections
from gradcam_tf1.cli.shared_options import Command, names_or_numbers, with_options
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.per_image import PerImage, put
from gradcam_tf1.targets import (
    All,
    Anchor,
    Contrast,
    Detections,
    Keypoint,
    Region,
    Scalar,
    Similar,
    Top,
    Total,
    Worst,
)

# the names of CLASS_SCORES, without importing TensorFlow; a test compares the two
SCORES = ("logit", "probability", "log_probability", "margin", "down")


def contrasts(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[Contrast]:
    """Callback: "tabby,lynx" -> Contrast("tabby", "lynx"); "tabby" alone contrasts with the predicted class."""
    pairs = [value.split(",") for value in values]
    for value, pair in zip(values, pairs):
        if len(pair) > 2 or not all(name.strip() for name in pair):
            raise click.BadParameter(f"{value!r}: write two classes as A,B; use ids if a name has a comma")
    return [Contrast(*names_or_numbers(ctx, param, [name.strip() for name in pair])) for pair in pairs]


def point(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Callback: "120,80" -> (120.0, 80.0)."""
    if value is None:
        return None
    try:
        row, column = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a point; write ROW,COLUMN in pixels of the image") from None
    if not (0 <= row < math.inf and 0 <= column < math.inf):
        raise click.BadParameter(f"{value!r} is in no image; write ROW,COLUMN in pixels, counted from 0")
    return row, column


_CLASS_FILE = click.option(
    "--class-file",
    type=click.Path(),
    metavar="FILE",
    help="CSV file with the class to explain for each image: columns image and class.",
)
_MASK = click.option(
    "--mask",
    type=click.Path(),
    metavar="FOLDER|FILE",
    help="Segmentation: explain the class inside a mask: one file, or a folder of masks named like the images.",
)
_OPTIONS = (
    click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="ID|NAME",
        callback=names_or_numbers,
        help="Class to explain (default: the top class of each image). Repeatable.",
    ),
    click.option(
        "--top-k", type=click.IntRange(min=1), metavar="N", help="Explain the N classes with the highest scores."
    ),
    click.option("--worst", is_flag=True, help="Explain the class with the lowest score."),
    click.option("--all-classes", is_flag=True, help="Explain every class of the net."),
    _CLASS_FILE,
    click.option(
        "--contrast",
        "contrasted",
        multiple=True,
        metavar="A[,B]",
        callback=contrasts,
        help="Explain why class A and not class B (without B: not the predicted class). Repeatable.",
    ),
    click.option(
        "--score",
        type=click.Choice(SCORES),
        default="logit",
        show_default=True,
        help="Score of a class that the map explains.",
    ),
    click.option("--region", is_flag=True, help="Segmentation: explain the region where the net predicts the class."),
    click.option(
        "--point", metavar="ROW,COL", callback=point, help="Segmentation: explain the class at this pixel of the image."
    ),
    _MASK,
    click.option("--anchor", type=click.IntRange(min=0), metavar="N", help="Detector: explain the class at anchor N."),
    click.option(
        "--best-anchors",
        type=click.IntRange(min=1),
        metavar="K",
        help="Detector: explain the class at its K best anchors.",
    ),
    click.option(
        "--keypoint",
        "keypoints",
        multiple=True,
        metavar="CHANNEL|NAME",
        callback=names_or_numbers,
        help="Pose net: explain the highest value of this heat map. Repeatable.",
    ),
    click.option(
        "--total",
        "totals",
        multiple=True,
        metavar="CHANNEL|NAME",
        callback=names_or_numbers,
        help="Counting net: explain the sum of this density map. Repeatable.",
    ),
    click.option(
        "--reference",
        type=click.Path(),
        metavar="IMAGE",
        help="Explain the similarity of the net's output to its output for IMAGE.",
    ),
    click.option("--scalar", metavar="TENSOR", help="Explain any tensor that has one number per image."),
)
# options that wrap each class in a Region, Anchor or Detections; at most one
_WRAPS = ("region", "point", "mask", "anchor", "best_anchors", "detections")
_NAMES = (
    *(*_WRAPS, "classes", "top_k", "worst", "all_classes", "class_file", "contrasted"),
    *("keypoints", "totals", "reference", "scalar"),
)


def target_options(command: Command) -> Command:
    """Add the options of targets; `make_targets` reads them."""
    return with_options(_OPTIONS)(detection_options(command))


def target_options_of_all_images(command: Command) -> Command:
    """Add the same without those whose targets differ from image to image."""
    own = [option for option in _OPTIONS if option not in (_CLASS_FILE, _MASK)]
    return with_options(own)(detection_options(command))


def make_targets(options: dict[str, Any]) -> Any:
    """Take the options of targets out of `options`.

    Returns
    -------
    list, PerImage or None
        The targets for `visualize_imgs`.

    Raises
    ------
    OptionError
        If two of the options exclude each other.
    """
    values: dict[str, Any] = {"detections": take_detections(options)}
    values.update({name: options.pop(name, None) for name in _NAMES if name != "detections"})
    wraps = [name for name in _WRAPS if values[name] is not None and values[name] is not False]  # 0 is an anchor
    if len(wraps) > 1:
        raise OptionError(f"{' and '.join(map(_flag, wraps))} exclude each other; give one of them")
    ranked: list[Top | Worst | All] = []
    ranked += [Top(values["top_k"])] * bool(values["top_k"])
    ranked += [Worst()] * values["worst"]
    ranked += [All()] * values["all_classes"]
    if wraps and ranked:
        raise OptionError(f"{_flag(wraps[0])} needs classes from --class or --class-file, not ranks such as --top-k")
    if values["class_file"] is not None and values["classes"]:
        raise OptionError("--class and --class-file both set the classes; give one of them")
    others = [*ranked, *values["contrasted"], *_class_free(values)]
    # a region or anchor without a class belongs to the top class
    classes = values["classes"] or ([None] if wraps else [])
    wrap = _wrap(wraps[0], values[wraps[0]]) if wraps else None
    if values["class_file"] is not None or values["mask"] is not None:
        return PerImage(values["class_file"], values["mask"], tuple(classes), tuple(others), wrap)
    return [*(put(wrap, spec) for spec in classes), *others] or None


def _class_free(values: dict[str, Any]) -> list[Any]:
    """Return the targets that need no class."""
    targets: list[Any] = [*map(Keypoint, values["keypoints"]), *map(Total, values["totals"])]
    if values["reference"] is not None:
        targets.append(Similar(read_image(os.path.expanduser(values["reference"]))))
    if values["scalar"] is not None:
        targets.append(Scalar(values["scalar"]))
    return targets


def _wrap(name: str, value: Any) -> Region | Anchor | Detections | None:
    wraps: dict[str, Callable[[], Region | Anchor | Detections | None]] = {
        "region": Region,
        "point": lambda: Region(point=value),
        "mask": lambda: None,  # PerImage reads the masks when the images are known
        "anchor": lambda: Anchor(index=value),
        "best_anchors": lambda: Anchor(best=value),
        "detections": lambda: value,
    }
    return wraps[name]()


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
