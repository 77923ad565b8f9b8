"""Run a detector, keep the best boxes, and make each of them a target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Dict, Hashable, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.box_branches import kept_detections, named_boxes, only_boxes, resolve_boxes
from gradcam_tf1.drawing.detected_box import Detection, detection_name
from gradcam_tf1.engine.found_classes import NO_CLASS
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.engine.map_request import MapAnswer
from gradcam_tf1.engine.matched_boxes import match_kept
from gradcam_tf1.errors import TargetError
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.labels import Labels
from gradcam_tf1.scoring.box_reader import BoxReader
from gradcam_tf1.scoring.found_boxes import MEASURES, FoundBox, suppress
from gradcam_tf1.scoring.mask_regions import place_box
from gradcam_tf1.scoring.score_requests import TargetContext, image_rows, read_class, single_targets
from gradcam_tf1.targets import Boxes, Detections
from gradcam_tf1.types import Binding, MapStatus

# boxes of a wrong form are far outside the image, or inside out
_FAR = 2.0
_NO_BOX = FoundBox(0, math.nan, 0, (0.0,) * 4, np.zeros(0, np.float32), "logit", None, "")  # in no image of the batch


@dataclass(frozen=True)
class DetectionFinder:
    """Finds the detections of a batch.

    Attributes
    ----------
    engine : MapEngine
        Runs the net.
    binding : Binding
        Its key tensors.
    labels : Labels, optional
        The class names.
    batch : np.ndarray
        The images as they are fed.
    inputs : mapping
        Further input tensor -> values of the batch.
    """

    engine: MapEngine
    binding: Binding
    labels: Optional[Labels]
    batch: np.ndarray
    inputs: Mapping[str, np.ndarray]

    def spread(self, targets: Any) -> Any:
        """Return the targets with a FoundBox for each detection: one list per image, all of the same length.

        An image with fewer detections than another one has missing ones, and each image has at least one.

        Raises
        ------
        TargetError
            If the net is no detector, if its boxes cannot be read, or if an option is not possible.
        """
        if not _has_detections(targets):
            return targets
        rows = [list(row) for row in image_rows(targets, len(self.batch))]
        classes = self.engine.classes(self.batch, self.inputs)
        found: Dict[Any, List[List[FoundBox]]] = {}
        spread: List[List[Any]] = []
        for n, row in enumerate(rows):
            spread.append([])
            for target in row:
                if not isinstance(target, Detections):
                    spread[n] += single_targets(target, classes)  # so that each has one column of the maps
                    continue
                if id(target) not in found:
                    found[id(target)] = self._even(target, self._of(target))
                spread[n] += found[id(target)][n]
        return spread

    def _even(self, target: Detections, rows: List[List[FoundBox]]) -> List[List[FoundBox]]:
        """Fill the rows to one length with missing detections."""
        most = max(1, *map(len, rows))
        some = next((box for row in rows for box in row), None)
        box = some or _NO_BOX
        reason = f"the image has no {{}} of confidence {target.score:g} or more"
        return [
            [
                *row,
                *(
                    replace(
                        box,
                        confidence=math.nan,
                        about=detection_name(rank, target.measure),
                        missing=reason.format("further detection" if row else "detection"),
                    )
                    for rank in range(len(row), most)
                ),
            ]
            for row in rows
        ]

    def _of(self, target: Detections) -> List[List[FoundBox]]:
        """Return the detections of each image, most confident first."""
        _check(target)
        if self.engine.ops.score_maps().shape.rank != 3:
            raise TargetError(
                f"Detections need a detector, with scores [N, anchors, C]; '{self.binding.logits}' has "
                f"{self.engine.ops.score_maps().shape}: name other logits, or explain a class"
            )
        wanted = None
        if target.class_spec is not None:
            context = TargetContext(self.engine.classes(self.batch, self.inputs), self.labels)
            wanted = read_class(target.class_spec, context)
        if target.boxes.tensor is None and target.boxes.form is None and target.boxes.anchors is None:
            kept = self.engine.known("kept detections", lambda: kept_detections(self.engine.graph))
            if kept is not None:
                return match_kept(self.engine, self.binding, kept, target, wanted, self.batch, self.inputs)
        return self._suppressed(target, wanted)

    def _reader(self, boxes: Boxes) -> BoxReader:
        graph = self.engine.graph
        if boxes.tensor is not None:
            return resolve_boxes(boxes, named_boxes(graph, boxes.tensor), self.binding)
        found = self.engine.known("boxes", lambda: only_boxes(graph, self.binding))
        return resolve_boxes(boxes, found, self.binding)

    def _suppressed(self, target: Detections, wanted: Optional[int]) -> List[List[FoundBox]]:
        """Return the detections of each image after a suppression of our own."""
        reader, ops = self._reader(target.boxes), self.engine.ops
        tensors: Dict[Hashable, Any] = {"boxes": ops.boxes(reader), "confidences": ops.confidences(reader)}
        found = self.engine.fetch(tensors, self.batch, self.inputs)
        shares = found["confidences"].astype(np.float32)
        self._check_background(target.boxes, shares)
        if reader.background >= 0:
            shares[:, :, reader.background] = 0
        return [_best(*of_image, target, wanted, reader) for of_image in zip(found["boxes"], shares)]

    def _check_background(self, boxes: Boxes, shares: np.ndarray) -> None:
        classes = shares.shape[-1]
        if boxes.background is not None:
            known = isinstance(boxes.background, (int, np.integer)) and -1 <= boxes.background < classes
            if not known:
                raise TargetError(f"background={boxes.background!r}: give a class id, 0 to {classes - 1}, or -1")
        elif classes > 1 and not self.binding.score_parts and np.abs(shares.sum(axis=-1) - 1).max() < 1e-3:
            raise TargetError(
                "the confidences come from a softmax, of which one class means no object; say which: "
                "Boxes(background=0), --box-background 0, or -1 for none"
            )


def _check(target: Detections) -> None:
    for name in ("score", "iou"):
        value = getattr(target, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise TargetError(f"Detections({name}={value!r}): give a number from 0 to 1")
    if isinstance(target.k, bool) or not isinstance(target.k, (int, np.integer)) or target.k < 1:
        raise TargetError(f"Detections(k={target.k!r}): give the most detections of an image, at least 1")
    if target.measure not in MEASURES:
        raise TargetError(f"Detections(measure={target.measure!r}); possible: {', '.join(MEASURES)}")
    if not isinstance(target.boxes, Boxes):
        raise TargetError(f"Detections(boxes={target.boxes!r}): give Boxes(...)")


def _best(
    boxes: np.ndarray, shares: np.ndarray, target: Detections, wanted: Optional[int], reader: BoxReader
) -> List[FoundBox]:
    """Return the detections of one image: each anchor counts for its best class."""
    class_ids, sure = shares.argmax(axis=1), shares.max(axis=1)
    live = np.flatnonzero((sure >= target.score) & (sure > 0) & ((wanted is None) | (class_ids == wanted)))
    if not len(live):
        return []
    _check_boxes(boxes[live], reader)
    kept = live[suppress(boxes[live], sure[live], class_ids[live], target.iou)][: target.k]
    return [
        FoundBox(
            class_id=int(class_ids[a]),
            confidence=float(sure[a]),
            anchor=int(a),
            box=tuple(boxes[a].tolist()),
            likeness=shares[a],
            measure=target.measure,
            reader=reader,
            about=detection_name(rank, target.measure),
        )
        for rank, a in enumerate(kept)
    ]


def _check_boxes(boxes: np.ndarray, reader: BoxReader) -> None:
    """Refuse boxes that cannot be right: most are inside out, or far outside the input."""
    good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & (np.abs(boxes - 0.5) < _FAR).all(axis=1)
    if good.mean() < 0.5:
        first = ", ".join(f"{value:.3g}" for value in boxes[np.argmin(good)])
        raise TargetError(
            f"'{reader.tensor}' read as {reader.form!r} gives no boxes: one has top, left, bottom, right of {first} in "
            "shares of the input; give another form, other anchors, or pixels=True (--box-pixels)"
        )


def _has_detections(targets: Any) -> bool:
    if isinstance(targets, Detections):
        return True
    return isinstance(targets, (list, tuple)) and any(_has_detections(each) for each in targets)


def placed_detections(targets: Any, placements: Sequence[Any]) -> Tuple[Tuple[Optional[Detection], ...], ...]:
    """Return the detection of each target on the original images, [N][T]; () if no target is one."""
    is_rows = isinstance(targets, list) and all(isinstance(row, list) for row in targets)
    if not is_rows or not any(isinstance(target, FoundBox) for row in targets for target in row):
        return ()
    return tuple(tuple(_placed(target, placement) for target in row) for row, placement in zip(targets, placements))


def _placed(target: Any, placement: Any) -> Optional[Detection]:
    if not isinstance(target, FoundBox) or target.missing:
        return None
    if not isinstance(placement, Placement):
        raise TargetError("Detections are boxes in images; they do not suit signals, volumes and clips")
    return Detection(place_box(target.box, placement), target.confidence, target.anchor)


def settle_detections(answer: MapAnswer, targets: Any) -> MapAnswer:
    """Return the answer with the confidence of each detection as its probability, and missing ones emptied."""
    probabilities = answer.probabilities
    found = np.full(answer.class_ids.shape, np.nan, np.float32) if probabilities is None else probabilities.copy()
    class_ids, scores = answer.class_ids.copy(), answer.scores.copy()
    for n, row in enumerate(targets):
        for t, target in enumerate(row):
            if not isinstance(target, FoundBox):
                continue
            found[n, t] = target.confidence
            if target.missing and not answer.failures[n]:
                class_ids[n, t], scores[n, t] = NO_CLASS, np.nan
                for key, maps in answer.maps.items():
                    maps[n, t] = 0
                    answer.statuses[key][n][t] = MapStatus("empty", target.missing, 0.0, 0.0)
    return replace(answer, class_ids=class_ids, scores=scores, probabilities=found)
