"""The images on which a method is best and worst by a metric, with their overlays."""

from __future__ import annotations

import heapq
from contextlib import closing
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Tuple

import cv2
import numpy as np

from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.engine.explain_options import ExplainOptions
from gradcam_tf1.errors import RegionError
from gradcam_tf1.evaluation.image_measures import Measures
from gradcam_tf1.evaluation.table_cells import number
from gradcam_tf1.images.geometry import Box
from gradcam_tf1.methods.choices import method
from gradcam_tf1.metrics.metric_row import LOWER
from gradcam_tf1.report.study_page import StripImage
from gradcam_tf1.run.image_stream import ImageStream
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.reading import RunImage

SHOWN = 4  # images at each end


class ImageValue(NamedTuple):
    """The value of a metric for one image; those with a larger rank are better."""

    rank: float
    image: int
    value: float
    row: Mapping[str, Any]


def extremes(
    rows: Iterable[Mapping[str, Any]], name: str, metric: str, better: str
) -> Tuple[List[ImageValue], List[ImageValue]]:
    """Return the images with the best and with the worst values, the most extreme ones first; none if all are equal.

    Parameters
    ----------
    rows : iterable of mapping
        Of the journal.
    name, metric : str
        The method and the metric.
    better : {"higher", "lower", ""}
        Which way is better.
    """
    sign = -1.0 if better == LOWER else 1.0
    best: List[Tuple[float, int, ImageValue]] = []
    worst: List[Tuple[float, int, ImageValue]] = []
    count = 0
    for row in rows:
        value = None if row["error"] else row["values"].get(name, {}).get(metric, {}).get("value")
        if value is None:
            continue
        count += 1
        found = ImageValue(sign * value, row["index"], value, {**row, "values": {}})
        for heap, rank in ((best, found.rank), (worst, -found.rank)):
            heapq.heappush(heap, (rank, -found.image, found))
            if len(heap) > SHOWN:
                heapq.heappop(heap)
    kept = min(SHOWN, count // 2)
    ordered = [[item[2] for item in sorted(heap, reverse=True)][:kept] for heap in (best, worst)]
    high, low = (items[0].rank if items else 0.0 for items in ordered)
    return [item for item in ordered[0] if item.rank > low], [item for item in ordered[1] if item.rank < high]


def strip_images(
    net: BoundNet, stream: ImageStream, measures: Measures, name: str, chosen: List[ImageValue]
) -> List[StripImage]:
    """Read the chosen images again and draw the method's map over each, with the boxes of the explained class.

    Parameters
    ----------
    net : BoundNet
        The net.
    stream : ImageStream
        The images, listed anew.
    measures : Measures
        The methods and the boxes.
    name : str
        The method.
    chosen : list of ImageValue
        The images; one that cannot be read any more, or no longer fits its boxes, is left out.
    """
    wanted = {item.image: item for item in chosen}
    drawn: Dict[int, StripImage] = {}
    with closing(stream.images(only=wanted)) as found:
        for image in found:
            item = wanted[image.index]
            if image.error or image.file.relative != item.row["relative"]:
                continue
            try:
                pixels = _overlay(net, image, item.row["class_id"], measures, name)
            except RegionError:  # its file or that of its objects was replaced since
                continue
            drawn[image.index] = StripImage(pixels, _caption(item))
    return [drawn[item.image] for item in chosen if item.image in drawn]


def _overlay(net: BoundNet, image: RunImage, class_id: int, measures: Measures, name: str) -> np.ndarray:
    explainer = net.explainers[0]
    chosen = [method(name, **measures.methods[name])] if name in measures.methods else []
    given = explainer.prepare([image.fitted])
    explanation = explainer.explain(given, [class_id], chosen, measures.spec, "logit", ExplainOptions())
    pixels = np.array(explanation.map(name).overlay(image=image.image))
    if measures.objects is not None and pixels.shape[:2] == given.placements[0].original:
        place = measures.objects.of(image.file, given.placements[0].original).locate(class_id)
        for box in () if place is None else place.boxes:
            _draw_box(pixels, box)
    return pixels


def _draw_box(pixels: np.ndarray, box: Box) -> None:
    top, left, bottom, right = box
    width = max(2, round(max(pixels.shape[:2]) / 150))
    for colour, thickness in ((0, 2 * width), (255, width)):
        cv2.rectangle(pixels, (left, top), (right - 1, bottom - 1), (colour,) * 3, thickness)


def _caption(item: ImageValue) -> str:
    label = item.row.get("label") or f"class {item.row['class_id']}"
    return f"{readable(item.row['relative'])}: {label}, {number(item.value)}"
