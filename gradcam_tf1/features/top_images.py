"""The images of a folder that activate units most, and where."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from gradcam_tf1.binding.cells import cells_of
from gradcam_tf1.engine.bound_net import BoundNet
from gradcam_tf1.errors import GradientError, ImageFileError
from gradcam_tf1.features.bound_units import BoundUnit
from gradcam_tf1.features.feature_options import FeatureOptions
from gradcam_tf1.features.feature_report import TopImage
from gradcam_tf1.features.unit_net import UnitNet
from gradcam_tf1.images.geometry import Fitted
from gradcam_tf1.metrics.map_box import largest_box
from gradcam_tf1.run.image_stream import ImageStream, StreamOptions, open_stream
from gradcam_tf1.run.manifest_lines import readable
from gradcam_tf1.run.reading import RunImage
from gradcam_tf1.targets import Down

REGION = 0.5  # share of the map's highest value that a region is above


@dataclass(frozen=True, eq=False)
class _NearImage:
    """An image that may be among the best of a unit, with what each position of the layer counts."""

    item: RunImage
    value: float
    map: np.ndarray


@dataclass
class ScannedImages:
    """What a folder showed.

    Attributes
    ----------
    tops : list of list of TopImage
        For each unit its best images, the best first.
    count : int
        Number of images that were measured.
    failed : dict
        Name of each other image -> the reason.
    note : str
        Why classes have no regions, "" if they have.
    """

    tops: List[List[TopImage]]
    count: int = 0
    failed: Dict[str, str] = field(default_factory=dict)
    note: str = ""


def open_images(net: BoundNet, images: Any, folder: str, options: FeatureOptions) -> ImageStream:
    """List the images, without those in the output folder. Raises ImageFileError if there are none, OptionError."""
    return open_stream(net, images, folder, StreamOptions(options.n_images, options.seed, options.max_pixels))


def scan_images(
    net: UnitNet, units: Sequence[BoundUnit], stream: ImageStream, options: FeatureOptions
) -> ScannedImages:
    """Measure units on all images, and keep the best ones.

    Parameters
    ----------
    net : UnitNet
        The net.
    units : sequence of BoundUnit
        The units.
    stream : ImageStream
        From `open_images`.
    options : FeatureOptions
        How many images are kept.

    Raises
    ------
    ImageFileError
        If no image can be used.
    RunError
        If the net fails.
    """
    best: List[List[Tuple[float, int, _NearImage]]] = [[] for _ in units]
    found = ScannedImages([])
    for batch in _batches(_readable(stream.images(), found, options, stream.count), net.chunk):
        pixels = np.stack([item.fitted.pixels for item in batch if isinstance(item.fitted, Fitted)])
        _measure(net, units, batch, pixels.astype(np.float32), best, options.top)
        found.count += len(batch)
    if not found.count:
        raise ImageFileError(next(iter(found.failed.values()), "there is no image"))
    for unit, heap in zip(units, best):
        kept = [entry[-1] for entry in sorted(heap, key=lambda entry: entry[:2], reverse=True)]
        boxes, note = _boxes(net, unit, kept)
        found.note = found.note or note
        found.tops.append([_as_top(each, box) for each, box in zip(kept, boxes)])
    return found


def _readable(
    stream: Iterator[RunImage], found: ScannedImages, options: FeatureOptions, count: Any
) -> Iterator[RunImage]:
    for item in stream:
        name = readable(item.file.relative)
        if isinstance(item.fitted, Fitted):
            yield item
        else:
            found.failed[name] = item.error
        if options.progress is not None:
            options.progress(name, count)


def _shape(item: RunImage) -> Tuple[int, ...]:
    return () if item.fitted is None else tuple(item.fitted.pixels.shape)


def _batches(items: Iterator[RunImage], size: int) -> Iterator[List[RunImage]]:
    """Yield images that follow each other and have one size, `size` at the most."""
    for _, same in groupby(items, key=_shape):
        batch: List[RunImage] = []
        for item in same:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch


def _measure(
    net: UnitNet,
    units: Sequence[BoundUnit],
    batch: Sequence[RunImage],
    pixels: np.ndarray,
    best: List[List[Tuple[float, int, _NearImage]]],
    top: int,
) -> None:
    for key in dict.fromkeys(unit.key for unit in units):
        places = [n for n, unit in enumerate(units) if unit.key == key]
        values, maps = net.measure([units[n] for n in places], pixels)
        for column, n in enumerate(places):
            for row, item in enumerate(batch):
                value = float(values[row, column])
                # of equal values the earlier image counts
                entry = (units[n].sign * value, -item.index, _NearImage(item, value, maps[row, ..., column].copy()))
                if not np.isfinite(value):
                    continue
                if len(best[n]) < top:
                    heapq.heappush(best[n], entry)
                else:
                    heapq.heappushpop(best[n], entry)


def _boxes(net: UnitNet, unit: BoundUnit, kept: Sequence[_NearImage]) -> Tuple[List[Any], str]:
    if unit.class_id is None:
        return [_box(net, unit, each) for each in kept], ""
    target = Down(unit.class_id) if unit.unit.negative else unit.class_id
    boxes = []
    for each in kept:
        try:
            map = net.net.explain([each.item.fitted], [target], "gradcam").map("gradcam").placed()
        except GradientError as error:
            return [None] * len(kept), f"the regions of classes are those of Grad-CAM, which cannot be made: {error}"
        boxes.append(largest_box(map, REGION))
    return boxes, ""


def _box(net: UnitNet, unit: BoundUnit, found: _NearImage) -> Any:
    """Return the region of a channel's map, placed by the cells of its layer as CAMs are."""
    layer, fitted = unit.place.layer, found.item.fitted
    if layer is None or not isinstance(fitted, Fitted):
        return None
    counts = unit.sign * found.map
    if unit.position is not None:
        row, column = unit.position
        alone = np.zeros_like(counts)
        alone[row, column] = counts[row, column]
        counts = alone
    places = net.explainer.engine.ops.places
    cells = cells_of(places, layer.name, fitted.pixels.shape[:2], counts.shape)[0]
    return largest_box(fitted.placement.place(counts, cells), REGION)


def _as_top(found: _NearImage, box: Any) -> TopImage:
    image = found.item.image
    shown = image if isinstance(image, np.ndarray) else np.zeros((1, 1, 3), np.uint8)
    return TopImage(readable(found.item.file.source), found.value, shown, box)
