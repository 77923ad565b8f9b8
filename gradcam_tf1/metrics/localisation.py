"""Does a map point at the object? Metrics on the original image's pixels, with boxes or a mask. No TensorFlow here."""

from __future__ import annotations

from typing import Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.images.geometry import Box
from gradcam_tf1.methods.options import Option
from gradcam_tf1.metrics.map_box import BOX_SHARE, largest_box
from gradcam_tf1.metrics.metric_row import HIGHER, LOWER, REGION, Metric, MetricInput, MetricValue

_NO_OBJECT = MetricValue(float("nan"), reason="it is not known where the object is")
_NOTHING_POSITIVE = MetricValue(float("nan"), reason="no value of the map is above zero")


def pointing_game(map: np.ndarray, region: np.ndarray, tolerance: float = 15.0) -> float:
    """Return whether the highest pixel lies on the object: 1 if its distance to the region is <= tolerance, else 0.

    Where several pixels share the highest value, it is the share of them that hit: the chance of a fair draw. A
    constant map gets the share of the image within the tolerance.

    Parameters
    ----------
    map : np.ndarray
        Float [H, W], placed on the image.
    region : np.ndarray
        Bool [H, W], the object; at least one pixel is True.
    tolerance : float
        Pixels between the centres of the highest pixel and of the nearest one of the object; 0 for none.

    Returns
    -------
    float
        0..1, higher is better.

    Raises
    ------
    OptionError
        If the sizes differ, a value is not finite, or the region is empty.

    References
    ----------
    https://arxiv.org/abs/1608.00507
    """
    _check(map, region)
    highest = map == map.max()
    near = region if tolerance <= 0 else _distances(region) <= tolerance
    return float(near[highest].mean())


def energy_in_region(map: np.ndarray, region: np.ndarray) -> float:
    """Return the share of the map's positive values on the object: sum of ReLU(map) in the region / sum of ReLU(map).

    Parameters
    ----------
    map, region
        As in `pointing_game`.

    Returns
    -------
    float
        0..1, higher is better; NaN where no value is above zero. The region's share of the image is chance.

    Raises
    ------
    OptionError
        As `pointing_game`.

    References
    ----------
    The energy-based pointing game of https://arxiv.org/abs/1910.01279
    """
    _check(map, region)
    highest = float(map.max())
    if highest <= 0:
        return float("nan")
    positive = np.maximum(map, 0, dtype=np.float64) / highest  # sums of tiny and of huge values are exact too
    return float(positive[region].sum() / positive.sum())


def box_iou(map: np.ndarray, boxes: Sequence[Box], share: float = BOX_SHARE) -> float:
    """Return the IoU of the map's box and that box of the object which fits best.

    The map's box is that of `largest_box`: around the largest connected part above `share` of the maximum, as in
    Grad-CAM's section 4.1. CAM takes 0.2.

    Parameters
    ----------
    map : np.ndarray
        Float [H, W], placed on the image.
    boxes : sequence of tuple
        Boxes (top, left, bottom, right) in pixels, the last two exclusive.
    share : float
        Threshold as a share of the map's maximum, 0 <= share < 1.

    Returns
    -------
    float
        0..1, higher is better; 0 where no value is above zero, because there is no box then.

    Raises
    ------
    OptionError
        If a value is not finite, there are no boxes, one is empty, or `share` is out of bounds.

    References
    ----------
    https://arxiv.org/abs/1610.02391, https://arxiv.org/abs/1512.04150
    """
    _check_map(map)
    if not boxes or any(_area(box) <= 0 for box in boxes):
        raise OptionError(f"the boxes of the object are {list(boxes)}; give one or more that are not empty")
    found = largest_box(map, share)
    return 0.0 if found is None else max(_iou(found, box) for box in boxes)


def localisation_error(map: np.ndarray, boxes: Sequence[Box], share: float = BOX_SHARE, overlap: float = 0.5) -> float:
    """Return 1 where `box_iou` is below `overlap`, else 0: the localisation error of ILSVRC for one image.

    Parameters
    ----------
    map, boxes, share
        As in `box_iou`.
    overlap : float
        The smallest IoU that counts as found.

    Returns
    -------
    float
        0 or 1, lower is better.

    Raises
    ------
    OptionError
        As `box_iou`.

    References
    ----------
    https://arxiv.org/abs/1610.02391, https://arxiv.org/abs/1409.0575
    """
    return float(box_iou(map, boxes, share) < overlap)


def top_k_intersection(map: np.ndarray, region: np.ndarray, k: int = 1000) -> float:
    """Return the share of the k highest pixels that lies on the object: |top k and region| / k.

    Where the k-th value is shared by several pixels, each counts by the same part. With k = 0 as many pixels are taken
    as the object has, which is the relevance rank accuracy.

    Parameters
    ----------
    map, region
        As in `pointing_game`.
    k : int
        Number of pixels, at most those of the image; 0 for the size of the object.

    Returns
    -------
    float
        0..1, higher is better. With a k above the size of the object, 1 cannot be reached.

    Raises
    ------
    OptionError
        As `pointing_game`.

    References
    ----------
    https://openaccess.thecvf.com/content/WACV2022/html/Theiner_Interpretable_Semantic_Photo_Geolocation_WACV_2022_paper.html,
    https://arxiv.org/abs/2003.07258
    """
    _check(map, region)
    count = min(k or int(region.sum()), map.size)
    last = np.partition(map, map.size - count, axis=None)[map.size - count]
    above, tied = map > last, map == last
    part = (count - above.sum()) / tied.sum()
    return float((region[above].sum() + part * region[tied].sum()) / count)


def _check_map(map: np.ndarray) -> None:
    if map.ndim != 2 or not map.size or not np.isfinite(map).all():
        raise OptionError(f"a map to measure has finite values in [H, W], this one is {list(map.shape)}")


def _check(map: np.ndarray, region: np.ndarray) -> None:
    _check_map(map)
    if region.shape != map.shape or region.dtype != np.bool_ or not region.any():
        given = f"{region.dtype.name} {list(region.shape)} with {np.count_nonzero(region)} pixels"
        raise OptionError(
            f"the region of the object is {given}; it is bool {list(map.shape)}, as the map, with one pixel or more"
        )


def _distances(region: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the region in pixels: float32 [H, W]."""
    outside = np.ascontiguousarray(~region, np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def _area(box: Box) -> int:
    top, left, bottom, right = box
    return max(0, bottom - top) * max(0, right - left)


def _iou(first: Box, second: Box) -> float:
    shared = _area(
        (max(first[0], second[0]), max(first[1], second[1]), min(first[2], second[2]), min(first[3], second[3]))
    )
    return shared / (_area(first) + _area(second) - shared)


def _pointing(given: MetricInput, tolerance: float) -> MetricValue:
    return _NO_OBJECT if given.region is None else MetricValue(pointing_game(given.placed, given.region, tolerance))


def _energy(given: MetricInput) -> MetricValue:
    if given.region is None:
        return _NO_OBJECT
    value = energy_in_region(given.placed, given.region)
    return _NOTHING_POSITIVE if np.isnan(value) else MetricValue(value)


def _top_k(given: MetricInput, k: int) -> MetricValue:
    return _NO_OBJECT if given.region is None else MetricValue(top_k_intersection(given.placed, given.region, k))


def _box_iou(given: MetricInput, share: float) -> MetricValue:
    boxes = _boxes(given)
    return MetricValue(box_iou(given.placed, boxes, share)) if boxes else _NO_OBJECT


def _error(given: MetricInput, share: float, overlap: float) -> MetricValue:
    boxes = _boxes(given)
    return MetricValue(localisation_error(given.placed, boxes, share, overlap)) if boxes else _NO_OBJECT


def _boxes(given: MetricInput) -> Tuple[Box, ...]:
    """Return the boxes of the object; of a mask, the box around it."""
    if given.boxes or given.region is None or not given.region.any():
        return given.boxes
    rows, columns = (np.flatnonzero(given.region.any(axis=axis)) for axis in (1, 0))
    return ((int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1),)


_SHARE = Option("share", BOX_SHARE, low=0.0, below=1.0)

LOCALISATION_ROWS = (
    Metric(
        "pointing",
        "Pointing game",
        "is the highest pixel on the object, or within the tolerance",
        "https://arxiv.org/abs/1608.00507",
        HIGHER,
        (0.0, 1.0),
        (REGION,),
        _pointing,
        (Option("tolerance", 15.0, low=0.0),),
    ),
    Metric(
        "energy",
        "Energy in the box",
        "share of the positive values that lies on the object",
        "https://arxiv.org/abs/1910.01279",
        HIGHER,
        (0.0, 1.0),
        (REGION,),
        _energy,
    ),
    Metric(
        "top_k",
        "Top-k intersection",
        "share of the k highest pixels that lies on the object; k = 0 takes as many as the object has",
        "https://openaccess.thecvf.com/content/WACV2022/html/"
        "Theiner_Interpretable_Semantic_Photo_Geolocation_WACV_2022_paper.html",
        HIGHER,
        (0.0, 1.0),
        (REGION,),
        _top_k,
        (Option("k", 1000, low=0),),
    ),
    Metric(
        "box_iou",
        "IoU of the box",
        "overlap of the object's box with that of the largest part above a share of the maximum",
        "https://arxiv.org/abs/1610.02391",
        HIGHER,
        (0.0, 1.0),
        (REGION,),
        _box_iou,
        (_SHARE,),
    ),
    Metric(
        "localisation_error",
        "Localisation error",
        "1 where the IoU of the box is below the overlap",
        "https://arxiv.org/abs/1610.02391",
        LOWER,
        (0.0, 1.0),
        (REGION,),
        _error,
        (_SHARE, Option("overlap", 0.5, above=0.0, high=1.0)),
    ),
)
