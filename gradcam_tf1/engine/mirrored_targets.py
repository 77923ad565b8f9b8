"""The targets of an image in its mirror image: regions and points are turned, detections are found again there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, Hashable, List, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapRequest
from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.found_boxes import FoundBox, iou_with
from gradcam_tf1.types import ScoreRequest

_SAME = 0.5  # intersection over union of a mirrored box and one in the mirror image that count as the same object
_SIDEWAYS = ("left", "right")  # which change places


@dataclass(frozen=True)
class MirroredTargets:
    """The targets in a mirrored view.

    Attributes
    ----------
    scores : list of ScoreRequest
        One for each target.
    there : np.ndarray
        bool [N, T]: whether the view has the target. A detection without a box there has not.
    """

    scores: List[ScoreRequest]
    there: np.ndarray


def mirrored_targets(engine: MapEngine, view: MapRequest, settled: Sequence[ScoreRequest]) -> MirroredTargets:
    """Return the targets of the images in their mirror images.

    A detection is explained at the anchor of its class that fits best: the largest product of the class's confidence
    and the overlap with the mirrored box, of those that overlap by half or more. It is searched in each view, because a
    net's grids need not be symmetric.

    Parameters
    ----------
    engine : MapEngine
        Runs the net.
    view : MapRequest
        The mirrored images; `found` are the detections of the images as they are.
    settled : sequence of ScoreRequest
        The targets of the images as they are.

    Raises
    ------
    TargetError
        For an anchor by its number, and for the left or right side of a box.
    """
    there = np.ones((len(view.batch), len(settled)), bool)
    columns = [_column(view.found, t) for t in range(len(settled))]
    read = _readers(engine, view, columns)
    scores = []
    for t, (score, column) in enumerate(zip(settled, columns)):
        if "anchor" in score.values:
            anchors, there[:, t] = _matched(score, column, read)
            scores.append(replace(score, values={**score.values, "anchor": anchors}))
        else:
            scores.append(_turned(score))
    return MirroredTargets(scores, there)


def _column(found: Sequence[Sequence[Any]], t: int) -> List[Optional[FoundBox]]:
    return [row[t] if isinstance(row[t], FoundBox) else None for row in found]


def _readers(engine: MapEngine, view: MapRequest, columns: Sequence[List[Optional[FoundBox]]]) -> Dict[Any, Any]:
    """Return the boxes and the confidences of all anchors of a view, for each way to read them."""
    readers = {found.reader for column in columns for found in column if found is not None and found.reader is not None}
    inputs = view.scores[0].inputs
    read = {}
    for reader in readers:
        tensors: Dict[Hashable, Any] = {
            "boxes": engine.ops.boxes(reader),
            "confidences": engine.ops.confidences(reader),
        }
        read[reader] = engine.fetch(tensors, view.batch, inputs)
    return read


def _matched(
    score: ScoreRequest, column: List[Optional[FoundBox]], read: Dict[Any, Any]
) -> Tuple[np.ndarray, np.ndarray]:
    """Return the anchor of each image's detection in its mirror image, int32 [N], and whether it is there."""
    anchors = np.array(score.values["anchor"], np.int32)
    there = np.ones(len(anchors), bool)
    if not column or any(found is None for found in column):
        raise TargetError(
            "an anchor by its number has no mirror image: aug_smooth takes detections and the best anchors, not one"
        )
    for n, found in enumerate(column):
        if found is None or found.missing or found.reader is None:
            continue
        if found.measure in _SIDEWAYS:
            raise TargetError(
                f"the {found.measure} side of a box changes places in a mirror image; explain another measure than "
                f"{found.measure!r}, or leave out aug_smooth"
            )
        values = read[found.reader]
        overlaps = iou_with(values["boxes"][n].astype(np.float64), _mirrored_box(np.array(found.box)))
        fits = np.where(overlaps >= _SAME, overlaps * values["confidences"][n][:, found.class_id], 0)
        there[n] = bool(fits.max() > 0)
        anchors[n] = int(fits.argmax()) if there[n] else found.anchor
    return anchors, there


def _mirrored_box(box: np.ndarray) -> np.ndarray:
    """Mirror [..., 4], top, left, bottom, right as shares of the input."""
    top, left, bottom, right = np.moveaxis(box, -1, 0)
    mirrored: np.ndarray = np.stack([top, 1 - right, bottom, 1 - left], axis=-1).astype(box.dtype)
    return mirrored


def _turned(score: ScoreRequest) -> ScoreRequest:
    """Return the same target with its region, point or box in the mirror image."""
    values = dict(score.values)
    if "mask" in values:
        values["mask"] = values["mask"][:, :, ::-1]
    if "point" in values:
        values["point"] = np.stack([values["point"][:, 0], 1 - values["point"][:, 1]], axis=1)
    if "box" in values:
        values["box"] = _mirrored_box(values["box"])
    return replace(score, values=values)
