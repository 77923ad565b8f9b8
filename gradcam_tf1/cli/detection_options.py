"""Command-line options for the boxes of a detector."""

from __future__ import annotations

from typing import Any

import click

from gradcam_tf1.cli.shared_options import Command, numbers, with_options
from gradcam_tf1.errors import OptionError
from gradcam_tf1.targets import Boxes, Detections

# names of other modules, without importing TensorFlow; a test compares them
MEASURES = ("logit", "drise", "top", "left", "bottom", "right")
FORMS = ("yxyx", "xyxy", "cxcywh", "ssd", "ssd-yx")
ACTIVATIONS = ("sigmoid", "softmax")

_SHARE = click.FloatRange(0, 1)
_OPTIONS = (
    click.option("--detections", is_flag=True, help="Detector: explain each box that it finds, and draw the box."),
    click.option(
        "--detection-score", type=_SHARE, metavar="P", help="Lowest confidence of a detection (default: 0.5)."
    ),
    click.option(
        "--detection-iou", type=_SHARE, metavar="SHARE", help="Largest overlap of two boxes of a class (default: 0.5)."
    ),
    click.option(
        "--max-detections", type=click.IntRange(min=1), metavar="N", help="Most detections of an image (default: 5)."
    ),
    click.option(
        "--detection-measure",
        type=click.Choice(MEASURES),
        help="What of a detection is explained: its class score (default), D-RISE's similarity, or a side of its box.",
    ),
    click.option("--box-tensor", metavar="TENSOR", help="Tensor of the boxes of all anchors, [N, anchors, 4 or more]."),
    click.option("--box-form", type=click.Choice(FORMS), help="What the four columns of the boxes are."),
    click.option("--box-pixels", is_flag=True, help="Boxes are in pixels of the net's input, not in shares of it."),
    click.option(
        "--box-anchors",
        type=click.Path(),
        metavar="FILE.npy",
        help="Anchors of SSD boxes: [anchors, 4], centre x, centre y, width, height, in shares of the input.",
    ),
    click.option(
        "--box-variances",
        metavar="V,V,V,V",
        callback=numbers,
        help="Factors of SSD offsets (default: 0.1,0.1,0.2,0.2).",
    ),
    click.option(
        "--box-activation", type=click.Choice(ACTIVATIONS), help="From scores to confidences, if the graph has none."
    ),
    click.option(
        "--box-background", type=click.IntRange(min=-1), metavar="ID", help="Class that means no object, -1 for none."
    ),
)
# option -> field
_OF_DETECTIONS = {
    "detection_score": "score",
    "detection_iou": "iou",
    "max_detections": "k",
    "detection_measure": "measure",
}
_OF_BOXES = {
    "box_tensor": "tensor",
    "box_form": "form",
    "box_anchors": "anchors",
    "box_variances": "variances",
    "box_activation": "activation",
    "box_background": "background",
}


def detection_options(command: Command) -> Command:
    """Add the options of detections; `take_detections` reads them."""
    return with_options(_OPTIONS)(command)


def take_detections(options: dict[str, Any]) -> Detections | None:
    """Take the options of detections out of `options`; None without --detections.

    Raises
    ------
    OptionError
        If an option of detections is given without --detections.
    """
    chosen = options.pop("detections", None)
    given = {name: options.pop(name, None) for name in (*_OF_DETECTIONS, *_OF_BOXES, "box_pixels")}
    given = {name: value for name, value in given.items() if value is not None and value is not False}
    if not chosen:
        if given:
            raise OptionError(f"--{next(iter(given)).replace('_', '-')} is for --detections; add it")
        return None
    if "box_variances" in given:
        given["box_variances"] = tuple(given["box_variances"])
    of_boxes = {field: given[name] for name, field in _OF_BOXES.items() if name in given}
    boxes = Boxes(**of_boxes, pixels="box_pixels" in given)
    return Detections(**{field: given[name] for name, field in _OF_DETECTIONS.items() if name in given}, boxes=boxes)
