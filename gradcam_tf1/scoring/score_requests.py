"""Turn targets, as users write them, into `ScoreRequest` records: the score to differentiate and the values it is fed.

Classes are fed as int32 codes: a code >= 0 is a class id; -1 is the class with the highest score, -2 the second
highest, and so on. The graph turns codes into ids in the same forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels
from gradcam_tf1.scoring.found_boxes import SIDES, FoundBox
from gradcam_tf1.scoring.score_functions import CLASS_SCORES
from gradcam_tf1.targets import (
    All,
    Anchor,
    Contrast,
    Detections,
    Down,
    Keypoint,
    Region,
    Scalar,
    Similar,
    Top,
    Total,
    Worst,
)
from gradcam_tf1.types import ScoreRequest

TOP1 = -1

_POSSIBLE = (
    "a class id, a class name, None for the top class, or a Top, Worst, All, Down, Contrast, Region, Anchor, "
    "Detections, Keypoint, Total, Similar or Scalar target"
)

Converter = TypeVar("Converter")


_MOST_ANCHORS = 2**31 - 1  # of TensorFlow's numbers of 32 bits


@dataclass(frozen=True)
class TargetContext:
    """What is needed to read targets.

    Attributes
    ----------
    classes : int
        Number of classes; ids run from 0 to classes - 1.
    labels : Labels, optional
        Class names; needed for targets that are names.
    score : str
        The score of plain class targets, one of CLASS_SCORES.
    fit_mask : callable, optional
        (n, mask [H, W] on the original image n) -> float32 mask [h, w] over the net's input.
    fit_point : callable, optional
        (n, (row, column) on the original image n) -> float32 [2], shares of the net's input.
    embed : callable, optional
        Image -> the net's output as a vector, float32 [D].
    """

    classes: int
    labels: Optional[Labels] = None
    score: str = "logit"
    fit_mask: Optional[Callable[[int, Any], np.ndarray]] = None
    fit_point: Optional[Callable[[int, Tuple[float, float]], np.ndarray]] = None
    embed: Optional[Callable[[Any], np.ndarray]] = None


def make_requests(targets: Any, images: int, context: TargetContext) -> List[ScoreRequest]:
    """Return T requests for N images.

    Parameters
    ----------
    targets : None, a target, a list of targets, or rows of targets
        None is the top class. A list applies to every image. A list or array of rows has the T targets of each image.
    images : int
        N.
    context : TargetContext
        Classes, labels and how masks, points and images are converted.

    Returns
    -------
    list of ScoreRequest
        One for each of the T targets, with values for all N images.

    Raises
    ------
    TargetError
        If something is not a target, an id is out of range, a name has no label, or the rows do not fit the images.
    """
    if context.score not in CLASS_SCORES:
        raise TargetError(f"no score {context.score!r}; possible: {', '.join(CLASS_SCORES)}")
    given = image_rows(targets, images)
    rows = [[single for target in row for single in single_targets(target, context.classes)] for row in given]
    requests = [[_read(target, n, context) for target in row] for n, row in enumerate(rows)]
    return [_column([row[t] for row in requests]) for t in range(len(requests[0]))]


def image_rows(targets: Any, images: int) -> List[Sequence[Any]]:
    """Return the targets of each of N images as a list. Raises TargetError if they are none, or do not fit."""
    if isinstance(targets, (dict, set)):
        raise TargetError(f"targets are {targets!r}; give a class, a target, or a list of these")
    if targets is None or isinstance(targets, str) or not hasattr(targets, "__len__"):
        return [[targets]] * images
    per_image = [isinstance(row, (list, tuple, np.ndarray)) for row in targets]
    if not per_image or (any(per_image) and not all(per_image)):
        raise TargetError(f"targets {targets!r}: give {_POSSIBLE}; a list of these; or one list of these per image")
    if not all(per_image):
        return [targets] * images
    lengths = {len(row) for row in targets}
    if len(targets) != images or len(lengths) != 1 or lengths == {0}:
        raise TargetError(
            f"targets per image need one row for each of the {images} images, all of the same length; "
            f"given: {len(targets)} rows of lengths {sorted(lengths)}"
        )
    return list(targets)


def single_targets(target: Any, classes: int) -> List[Any]:
    """Split a target that stands for several into single ones; ranks become _Rank."""
    if isinstance(target, Top):
        if not _is_whole(target.k) or not 1 <= target.k <= classes:
            raise TargetError(f"Top({target.k!r}): the net has {classes} classes; give a whole number, 1 to {classes}")
        return [_Rank(-rank) for rank in range(1, target.k + 1)]
    if isinstance(target, Worst):
        return [_Rank(-classes)]
    if isinstance(target, All):
        return list(range(classes))
    return [target]


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)


@dataclass(frozen=True)
class _Rank:
    code: int


def _read(target: Any, n: int, context: TargetContext) -> ScoreRequest:
    """Read one target of image n; its values have no image axis yet."""
    reader = _READERS.get(type(target))
    if reader is not None:
        return reader(target, n, context)
    return ScoreRequest(
        (context.score,), {"code": _code(target, context)}, "" if context.score == "logit" else context.score
    )


def _down(target: Down, _n: int, context: TargetContext) -> ScoreRequest:
    return ScoreRequest(("down",), {"code": _code(target.output, context)}, "down")


def _contrast(target: Contrast, _n: int, context: TargetContext) -> ScoreRequest:
    values = {"code": _code(target.a, context), "rival": _code(target.b, context)}
    return ScoreRequest(("contrast",), values, f"not {'predicted' if target.b is None else target.b}")


def _region(target: Region, n: int, context: TargetContext) -> ScoreRequest:
    values: Dict[str, np.ndarray] = {"code": _code(target.class_spec, context)}
    if target.mask is not None and target.point is not None:
        raise TargetError("a Region has a mask or a point, not both")
    if target.mask is not None:
        return ScoreRequest(("region",), {**values, "mask": _need(context.fit_mask)(n, target.mask)}, "mask")
    if target.point is not None:
        row, column = check_point(target.point)
        return ScoreRequest(
            ("point",), {**values, "point": _need(context.fit_point)(n, target.point)}, f"at {row}-{column}"
        )
    return ScoreRequest(("own_region",), values, "region")


def _anchor(target: Anchor, _n: int, context: TargetContext) -> ScoreRequest:
    values: Dict[str, np.ndarray] = {"code": _code(target.class_spec, context)}
    for number in (target.index, target.best):
        if number is not None and _is_whole(number) and number > _MOST_ANCHORS:
            raise TargetError(f"{target}: no net has so many anchors; give at most {_MOST_ANCHORS}")
    if target.index is not None:
        if not _is_whole(target.index) or target.index < 0:
            raise TargetError(f"Anchor(index={target.index!r}): give the number of one anchor, counted from 0")
        if target.best != 1:
            raise TargetError(f"Anchor(best={target.best!r}, index={target.index}): give one of them")
        index = np.array(target.index, np.int32)
        return ScoreRequest(("anchor",), {**values, "anchor": index}, f"anchor {target.index}")
    if not _is_whole(target.best) or target.best < 1:
        raise TargetError(f"Anchor(best={target.best!r}): give the number of anchors to sum, at least 1")
    return ScoreRequest(("anchors", target.best), values, f"best {target.best} anchors")


def check_point(point: Any) -> Tuple[float, float]:
    """Return the (row, column) of a Region. Raises TargetError for what lies in no image."""
    try:
        row, column = point
        inside = row >= 0 and column >= 0 and np.isfinite((row, column)).all()
    except (TypeError, ValueError):
        raise TargetError(f"Region(point={point!r}): give (row, column) in pixels of the original image") from None
    if not inside:
        raise TargetError(f"Region(point={point!r}) is in no image: give (row, column) in pixels, counted from 0")
    return row, column


def _detections(target: Detections, _n: int, _context: TargetContext) -> ScoreRequest:
    raise TargetError(f"{type(target).__name__} is found by a run of the net; use GradCamGraph.explain or a run")


def _found_box(found: FoundBox, _n: int, _context: TargetContext) -> ScoreRequest:
    values: Dict[str, np.ndarray] = {"code": np.array(found.class_id, np.int32)}
    if found.measure == "drise":
        values.update(box=np.asarray(found.box, np.float32), likeness=np.asarray(found.likeness, np.float32))
        return ScoreRequest(("drise", found.reader), values, found.about)
    values["anchor"] = np.array(found.anchor, np.int32)
    if found.measure == "logit":
        return ScoreRequest(("anchor",), values, found.about)
    return ScoreRequest(("box_side", found.reader, SIDES.index(found.measure)), values, found.about)


def _keypoint(target: Keypoint, _n: int, context: TargetContext) -> ScoreRequest:
    return ScoreRequest(("keypoint",), {"code": _channel(target, context)}, "keypoint")


def _total(target: Total, n: int, context: TargetContext) -> ScoreRequest:
    values = {"code": _channel(target, context)}
    if target.mask is None:
        return ScoreRequest(("total",), values, "total")
    return ScoreRequest(("total_inside",), {**values, "mask": _need(context.fit_mask)(n, target.mask)}, "total in mask")


def _channel(target: Union[Keypoint, Total], context: TargetContext) -> np.ndarray:
    if target.channel is None:
        raise TargetError(f"{type(target).__name__}(channel=None): give the number of one map, counted from 0")
    return _code(target.channel, context)


def _similar(target: Similar, _n: int, context: TargetContext) -> ScoreRequest:
    return ScoreRequest(("similarity",), {"reference": _need(context.embed)(target.image)}, "similar")


def _scalar(target: Scalar, _n: int, _context: TargetContext) -> ScoreRequest:
    name = target.source if isinstance(target.source, str) else getattr(target.source, "__name__", "scalar")
    return ScoreRequest(("scalar", target.source), {}, f"scalar {name}")


_READERS: Dict[type, Callable[..., ScoreRequest]] = {
    Down: _down,
    Contrast: _contrast,
    Region: _region,
    Anchor: _anchor,
    Detections: _detections,
    FoundBox: _found_box,
    Keypoint: _keypoint,
    Total: _total,
    Similar: _similar,
    Scalar: _scalar,
}


def _need(reader: Optional[Converter]) -> Converter:
    if reader is None:
        raise TargetError("this target needs the images themselves; use GradCamGraph.explain")
    return reader


def read_class(spec: Any, context: TargetContext) -> int:
    """Return the id of a class by its id or name. Raises TargetError if the net has no such class."""
    return int(_code(spec, context))


def _code(spec: Any, context: TargetContext) -> np.ndarray:
    """Return the code of a class as an int32 array without axes."""
    if spec is None:
        return np.array(TOP1, np.int32)
    if isinstance(spec, _Rank):
        return np.array(spec.code, np.int32)
    if isinstance(spec, str):
        return np.array(_named(spec, context), np.int32)
    if not _is_whole(spec):
        raise TargetError(f"target {spec!r} is a {type(spec).__name__}; possible: {_POSSIBLE}")
    if not 0 <= spec < context.classes:
        raise TargetError(f"no class {spec}: the net has {context.classes} classes, ids 0 to {context.classes - 1}")
    return np.array(spec, np.int32)


def _named(name: str, context: TargetContext) -> int:
    if context.labels is None:
        raise TargetError(f"class name {name!r} needs labels, but no labels were given; give labels or a class id")
    ids = [class_id for class_id in context.labels.ids(name) if 0 <= class_id < context.classes]
    if len(ids) != 1:
        raise TargetError(f"class name {name!r} fits the ids {ids}; give one of them" if ids else f"no class {name!r}")
    return ids[0]


def _column(requests: List[ScoreRequest]) -> ScoreRequest:
    """Join one target of all images into one record with the image axis first."""
    kinds = {request.score for request in requests}
    if len(kinds) > 1:
        mixed = sorted(kind[0] for kind in kinds)
        raise TargetError(f"one column of the targets mixes {mixed}; give each kind its own column")
    values = {name: np.array([request.values[name] for request in requests]) for name in requests[0].values}
    return ScoreRequest(requests[0].score, values, requests[0].about)
