"""Options that say what is asked of each image, and the targets they come to."""

from __future__ import annotations

import os
from typing import Any, Callable, Sequence

import click

from gradcam_tf1.cli.shared_options import names_or_numbers, with_options
from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.image_files import read_image
from gradcam_tf1.run.per_image import PerImage, put
from gradcam_tf1.targets import All, Anchor, Contrast, Region, Scalar, Similar, Top, Worst

# scores.CLASS_SCORES, without TensorFlow; a test holds the two equal
SCORES = ("logit", "probability", "log_probability", "margin", "down")


def contrasts(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[Contrast]:
    """Callback: "tabby,lynx" -> Contrast("tabby", "lynx"); "tabby" alone: against the predicted class."""
    pairs = [value.split(",") for value in values]
    for value, pair in zip(values, pairs):
        if len(pair) > 2 or not all(name.strip() for name in pair):
            raise click.BadParameter(f"{value!r}: write A,B, two classes; ids where a name has a comma")
    return [Contrast(*names_or_numbers(ctx, param, [name.strip() for name in pair])) for pair in pairs]


def place(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Callback: "120,80" -> (120.0, 80.0)."""
    if value is None:
        return None
    try:
        row, column = (float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a place; write ROW,COLUMN in pixels of the image") from None
    return row, column


_OPTIONS = (
    click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="ID|NAME",
        callback=names_or_numbers,
        help="Class to explain; default: each image's top class. Repeatable.",
    ),
    click.option("--top-k", type=click.IntRange(min=1), metavar="N", help="The N classes with the highest scores."),
    click.option("--worst", is_flag=True, help="The class with the lowest score."),
    click.option("--all-classes", is_flag=True, help="Every class of the net."),
    click.option("--class-file", type=click.Path(), metavar="FILE", help="CSV of image and class: each image's own."),
    click.option(
        "--contrast",
        "contrasted",
        multiple=True,
        metavar="A[,B]",
        callback=contrasts,
        help="Why A and not B (without B: not the predicted class). Repeatable.",
    ),
    click.option(
        "--score", type=click.Choice(SCORES), default="logit", show_default=True, help="What of a class is explained."
    ),
    click.option("--region", is_flag=True, help="Segmentation: the region that the net itself gives to the class."),
    click.option(
        "--point", metavar="ROW,COL", callback=place, help="Segmentation: the class at this pixel of the image."
    ),
    click.option(
        "--mask", type=click.Path(), metavar="FOLDER|FILE", help="Segmentation: the class in masks of the same names."
    ),
    click.option("--anchor", type=click.IntRange(min=0), metavar="N", help="Detector: the class at one anchor."),
    click.option("--best-anchors", type=click.IntRange(min=1), metavar="K", help="Detector: at its K best anchors."),
    click.option(
        "--reference", type=click.Path(), metavar="IMAGE", help="How like the net's output is to that for IMAGE."
    ),
    click.option("--scalar", metavar="TENSOR", help="Any tensor with one number per image."),
)
# what is put around each class; one at most
_WRAPS = ("region", "point", "mask", "anchor", "best_anchors")
_TAKEN = (*_WRAPS, "classes", "top_k", "worst", "all_classes", "class_file", "contrasted", "reference", "scalar")


def target_options(command: Callable) -> Callable:
    """What to ask of each image; `make_targets` reads them."""
    return with_options(_OPTIONS)(command)


def make_targets(options: dict[str, Any]) -> Any:
    """What these options ask, for `visualize_imgs`; they are taken out of `options`.

    Raises: OptionError where two of them do not go together.
    """
    given = {name: options.pop(name) for name in _TAKEN}
    wraps = [name for name in _WRAPS if given[name] is not None and given[name] is not False]  # anchor 0 is one
    if len(wraps) > 1:
        raise OptionError(f"{' and '.join(map(_flag, wraps))} do not go together; give one of them")
    ranked = [Top(given["top_k"])] * bool(given["top_k"]) + [Worst()] * given["worst"] + [All()] * given["all_classes"]
    if wraps and ranked:
        raise OptionError(f"{_flag(wraps[0])} takes classes by --class or --class-file, not by their rank")
    if given["class_file"] is not None and given["classes"]:
        raise OptionError("--class and --class-file both say each image's class; give one of them")
    others = [*ranked, *given["contrasted"], *_of_images(given)]
    # a region or anchor without a class is that of the top class
    classes = given["classes"] or ([None] if wraps else [])
    wrap = _wrap(wraps[0], given[wraps[0]]) if wraps else None
    if given["class_file"] is not None or given["mask"] is not None:
        return PerImage(given["class_file"], given["mask"], tuple(classes), tuple(others), wrap)
    return [*(put(wrap, spec) for spec in classes), *others] or None


def _of_images(given: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    if given["reference"] is not None:
        found.append(Similar(read_image(os.path.expanduser(given["reference"]))))
    if given["scalar"] is not None:
        found.append(Scalar(given["scalar"]))
    return found


def _wrap(name: str, value: Any) -> Any:
    wraps: dict[str, Callable[[], Any]] = {
        "region": Region,
        "point": lambda: Region(point=value),
        "mask": lambda: None,  # its masks are found when the images are known
        "anchor": lambda: Anchor(index=value),
        "best_anchors": lambda: Anchor(best=value),
    }
    return wraps[name]()


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
