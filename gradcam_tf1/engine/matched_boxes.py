"""Find the anchors of detections that the graph itself has suppressed, so that gradients reach their scores.

Non-maximum suppression in the graph copies boxes and has no gradient. Each detection is looked up among the boxes of
all anchors by its box, and checked by its confidence: it must be that of the anchor for its class.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.box_branches import KeptDetections
from gradcam_tf1.drawing.detected_box import detection_name
from gradcam_tf1.engine.map_engine import MapEngine
from gradcam_tf1.errors import TargetError
from gradcam_tf1.scoring.box_reader import BoxReader
from gradcam_tf1.scoring.found_boxes import FoundBox
from gradcam_tf1.targets import Detections
from gradcam_tf1.types import Binding

_SAME = 1e-3  # boxes as shares of the input, and confidences, that count as the same
# class ids of the graph minus columns of the scores: ids may count from 1, scores may have a column of the background
_SHIFTS = (0, 1, -1)


def match_kept(
    engine: MapEngine,
    binding: Binding,
    kept: KeptDetections,
    target: Detections,
    wanted: Optional[int],
    batch: np.ndarray,
    inputs: Mapping[str, np.ndarray],
) -> List[List[FoundBox]]:
    """Return the detections of each image, most confident first, with the anchors that they come from.

    Parameters
    ----------
    engine : MapEngine
        Runs the net.
    binding : Binding
        Its key tensors.
    kept : KeptDetections
        The tensors of the detections.
    target : Detections
        Which ones are explained; its `iou` is that of the graph.
    wanted : int or None
        Only detections of this class.
    batch, inputs
        The images and the further inputs, as they are fed.

    Raises
    ------
    TargetError
        If the detections are not found among the boxes of the anchors.
    """
    known = binding.probabilities or binding.score_parts
    reader = BoxReader(kept.boxes, "yxyx", activation="" if known else target.boxes.activation or "sigmoid")
    graph = engine.graph
    tensors: Dict[Any, Any] = {name: graph.get_tensor_by_name(name) for name in (kept.boxes, kept.scores, kept.classes)}
    tensors["shares"] = engine.ops.confidences(reader)
    tensors.update({name: graph.get_tensor_by_name(name) for name in kept.earlier})
    found = engine.fetch(tensors, batch, inputs)
    shares = found["shares"]
    live = [_most_confident(scores, target.score) for scores in found[kept.scores]]
    if not any(live):
        return [[] for _ in live]
    for shift in _SHIFTS:
        for name in kept.earlier:
            if found[name].shape[:2] != shares.shape[:2]:
                continue
            columns = found[kept.classes].astype(int) - shift
            rows = [
                [_anchor(found[name][n], shares[n], found[kept.boxes][n, m], found[kept.scores][n, m], columns[n, m])
                 for m in places]
                for n, places in enumerate(live)
            ]  # fmt: skip
            if all(anchor is not None for row in rows for anchor in row):
                places = [list(zip(row, columns[n, live[n]].tolist())) for n, row in enumerate(rows)]
                own = BoxReader(name, "yxyx", activation=reader.activation)
                return [_boxes(row, found[name][n], shares[n], target, wanted, own) for n, row in enumerate(places)]
    of_classes = _boxes_of_classes(graph, kept, shares.shape)
    if of_classes:
        raise TargetError(
            f"'{of_classes}' has a box of each class for each proposal, as in Faster R-CNN, and the proposals differ "
            "from image to image: a detection has no anchor to explain; explain its class, which is that of the best "
            "proposal (--class)"
        )
    raise TargetError(
        f"the detections of '{kept.boxes}' are not among the boxes of the anchors of '{binding.logits}', so that no "
        "gradient reaches their scores; give the tensor of all boxes and its form: Boxes(tensor=..., form=...), "
        "--box-tensor and --box-form"
    )


def _boxes_of_classes(graph: Any, kept: KeptDetections, shape: Sequence[int]) -> str:
    """Return a tensor with a box of each class for each anchor, "" if there is none; shape: of the confidences."""
    _, anchors, classes = shape
    for name in kept.by_class:
        _, rows, kinds, _ = graph.get_tensor_by_name(name).shape.as_list()
        if rows in (None, anchors) and kinds in (classes, classes - 1) and kinds > 1:
            return name
    return ""


def _most_confident(scores: np.ndarray, lowest: float) -> List[int]:
    """Return the numbers of the detections with this score at least, most confident first."""
    order: List[int] = np.argsort(-scores, kind="stable").tolist()
    return [m for m in order if scores[m] >= lowest and scores[m] > 0]


def _anchor(boxes: np.ndarray, shares: np.ndarray, box: np.ndarray, score: float, column: int) -> Optional[int]:
    """Return the anchor with this box, cut at the image's edges or not, and this confidence for the class."""
    if not 0 <= column < shares.shape[1]:
        return None
    off = np.minimum(np.abs(boxes - box).max(axis=1), np.abs(np.clip(boxes, 0, 1) - box).max(axis=1))
    near = np.flatnonzero((off < _SAME) & (np.abs(shares[:, column] - score) < _SAME))
    return int(near[np.abs(shares[near, column] - score).argmin()]) if len(near) else None


def _boxes(
    places: Sequence[Tuple[Any, int]],
    boxes: np.ndarray,
    shares: np.ndarray,
    target: Detections,
    wanted: Optional[int],
    reader: BoxReader,
) -> List[FoundBox]:
    chosen = [(anchor, column) for anchor, column in places if wanted in (None, column)][: target.k]
    return [
        FoundBox(
            class_id=column,
            confidence=float(shares[anchor, column]),
            anchor=anchor,
            box=tuple(boxes[anchor].tolist()),
            likeness=np.asarray(shares[anchor], np.float32),
            measure=target.measure,
            reader=reader,
            about=detection_name(rank, target.measure),
        )
        for rank, (anchor, column) in enumerate(chosen)
    ]
