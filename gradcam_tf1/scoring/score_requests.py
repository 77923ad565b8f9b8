"""Targets, as people write them, to `ScoreRequest` records: which score to differentiate, and the numbers it is fed.

A code is an int32: >= 0 is that class id; -1 the highest score, -2 the second highest, and so on. The graph resolves
codes in the same forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from gradcam_tf1.errors import TargetError
from gradcam_tf1.labels import Labels
from gradcam_tf1.scoring.score_functions import CLASS_SCORES
from gradcam_tf1.targets import All, Anchor, Contrast, Down, Region, Scalar, Similar, Top, Worst
from gradcam_tf1.types import ScoreRequest

TOP1 = -1

_POSSIBLE = (
    "a class id, a class name, None for the top class, or a Top, Worst, All, Down, Contrast, Region, Anchor, Similar "
    "or Scalar target"
)


@dataclass(frozen=True)
class TargetContext:
    """What targets are read against.

    classes: number of classes; ids run from 0 to classes - 1. labels: needed for names.
    score: the score of plain class targets, one of CLASS_SCORES.
    fit_mask: (n, mask [H, W] of original image n) -> float32 mask over the net's input.
    fit_point: (n, (row, column)) -> shares of the net's input. embed: image -> the net's output as a vector [D].
    """

    classes: int
    labels: Optional[Labels] = None
    score: str = "logit"
    fit_mask: Optional[Callable[[int, Any], np.ndarray]] = None
    fit_point: Optional[Callable[[int, Any], np.ndarray]] = None
    embed: Optional[Callable[[Any], np.ndarray]] = None


def make_requests(targets: Any, images: int, context: TargetContext) -> List[ScoreRequest]:
    """T asks for N images.

    Args:
        targets: None (the top class); one target; a list of targets, asked of every image; or a list or array with one
            row of T targets per image.

    Raises:
        TargetError: what is no target, an id out of range, a name without labels, rows that do not fit the images.
    """
    if context.score not in CLASS_SCORES:
        raise TargetError(f"no score {context.score!r}; possible: {', '.join(CLASS_SCORES)}")
    rows = [[one for target in row for one in _spread(target, context.classes)] for row in _rows(targets, images)]
    parsed: List[List[ScoreRequest]] = [[_read(target, n, context) for target in row] for n, row in enumerate(rows)]
    return [_column([row[t] for row in parsed]) for t in range(len(parsed[0]))]


def _rows(targets: Any, images: int) -> List[Sequence[Any]]:
    if targets is None or isinstance(targets, str) or not hasattr(targets, "__len__"):
        return [[targets]] * images
    per_image = [isinstance(row, (list, tuple, np.ndarray)) for row in targets]
    if not per_image or (any(per_image) and not all(per_image)):
        raise TargetError(f"targets {targets!r}: give {_POSSIBLE}; a list of these; or one such list per image")
    if not all(per_image):
        return [targets] * images
    lengths = {len(row) for row in targets}
    if len(targets) != images or len(lengths) != 1 or lengths == {0}:
        raise TargetError(
            f"targets per image need one row for each of the {images} images, all of the same length; "
            f"given: {len(targets)} rows of lengths {sorted(lengths)}"
        )
    return list(targets)


def _spread(target: Any, classes: int) -> List[Any]:
    """Targets that stand for several, one by one; ranks are written as _Rank."""
    if isinstance(target, Top):
        if not 1 <= target.k <= classes:
            raise TargetError(f"Top({target.k}): the net has {classes} classes; give 1 to {classes}")
        return [_Rank(-place) for place in range(1, target.k + 1)]
    if isinstance(target, Worst):
        return [_Rank(-classes)]
    if isinstance(target, All):
        return list(range(classes))
    return [target]


@dataclass(frozen=True)
class _Rank:
    code: int


def _read(target: Any, n: int, context: TargetContext) -> ScoreRequest:
    """One target of image n; its values have no image axis yet."""
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
    values: Dict[str, Any] = {"code": _code(target.class_spec, context)}
    if target.mask is not None and target.point is not None:
        raise TargetError("a Region has a mask or a point, not both")
    if target.mask is not None:
        return ScoreRequest(("region",), {**values, "mask": _need(context.fit_mask)(n, target.mask)}, "mask")
    if target.point is not None:
        row, column = target.point
        return ScoreRequest(
            ("point",), {**values, "point": _need(context.fit_point)(n, target.point)}, f"at {row}-{column}"
        )
    return ScoreRequest(("own_region",), values, "region")


def _anchor(target: Anchor, _n: int, context: TargetContext) -> ScoreRequest:
    values: Dict[str, Any] = {"code": _code(target.class_spec, context)}
    if target.index is not None:
        return ScoreRequest(("anchor",), {**values, "anchor": np.int32(target.index)}, f"anchor {target.index}")
    if target.best < 1:
        raise TargetError(f"Anchor(best={target.best}): give the number of anchors to sum, at least 1")
    return ScoreRequest(("anchors", target.best), values, f"best {target.best} anchors")


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
    Similar: _similar,
    Scalar: _scalar,
}


def _need(reader: Optional[Callable]) -> Callable:
    if reader is None:
        raise TargetError("this target needs the images themselves; ask GradCamGraph.explain")
    return reader


def _code(spec: Any, context: TargetContext) -> np.int32:
    if spec is None:
        return np.int32(TOP1)
    if isinstance(spec, _Rank):
        return np.int32(spec.code)
    if isinstance(spec, str):
        return np.int32(_named(spec, context))
    if isinstance(spec, bool) or not isinstance(spec, (int, np.integer)):
        raise TargetError(f"target {spec!r} is a {type(spec).__name__}; possible: {_POSSIBLE}")
    if not 0 <= spec < context.classes:
        raise TargetError(f"no class {spec}: the net has {context.classes} classes, ids 0 to {context.classes - 1}")
    return np.int32(spec)


def _named(name: str, context: TargetContext) -> int:
    if context.labels is None:
        raise TargetError(f"class name {name!r} was asked for, but no labels were given; give labels or a class id")
    ids = [class_id for class_id in context.labels.ids(name) if 0 <= class_id < context.classes]
    if len(ids) != 1:
        raise TargetError(f"class name {name!r} fits the ids {ids}; give one of them" if ids else f"no class {name!r}")
    return ids[0]


def _column(requests: List[ScoreRequest]) -> ScoreRequest:
    """The same target of all images as one record with the image axis first."""
    kinds = {request.score for request in requests}
    if len(kinds) > 1:
        raise TargetError(f"one column of the targets mixes {sorted(kind[0] for kind in kinds)}; give each its own")
    values = {name: np.stack([request.values[name] for request in requests]) for name in requests[0].values}
    return ScoreRequest(requests[0].score, values, requests[0].about)
