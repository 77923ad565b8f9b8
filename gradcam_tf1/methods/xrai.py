"""XRAI: which regions of the image carry the score."""

from __future__ import annotations

from typing import Any, Optional

import cv2
import numpy as np

from gradcam_tf1.errors import OptionError
from gradcam_tf1.methods.interfaces import ProbeBase
from gradcam_tf1.methods.iterated import IteratedMethod
from gradcam_tf1.methods.noise import BACKWARD
from gradcam_tf1.methods.options import MOST_RUNS, Option
from gradcam_tf1.methods.path import integrated_gradients
from gradcam_tf1.types import LayerInfo

# the paper's segmentations, for an image of 224 x 224 in -1..1
SCALES = (50, 100, 150, 250, 500, 1200)
_SIDE = 224
_SIGMA = 0.8
_SMALLEST = 150
DILATION = 5
# a region that adds fewer pixels to what is covered is left out
_FEWEST_NEW = 50


def xrai(probe: ProbeBase, _layer: Optional[LayerInfo], *, steps: int, segments: Optional[np.ndarray]) -> np.ndarray:
    """The regions s of the image by the mean attribution of the pixels that they add, highest first.

    Attribution a: integrated gradients from black and from white, averaged; the largest of the channels. From no region
    on, the region with the highest mean of a over the pixels that it adds to the covered ones is added, with that mean
    as the value of these pixels, until nothing is left.

    Parameters
    ----------
    probe : ProbeBase
        Has the image.
    steps : int
        Of integrated gradients.
    segments : np.ndarray, optional
        Label images int [S, H, W] or [H, W], each a segmentation of its own. None: Felzenszwalb's at six scales, each
        segment widened by 5 pixels.

    Returns
    -------
    np.ndarray
        float32 [T, H, W], signed.

    Raises
    ------
    OptionError
        For segments of another shape, or without scikit-image.

    References
    ----------
    XRAI, https://arxiv.org/abs/1906.02825
    """
    if segments is None:
        regions = widened(regions_of(felzenszwalb_segments(probe.pixels)))
    else:
        regions = regions_of(_checked(segments, probe.image))
    maps = [
        integrated_gradients(probe, None, baseline=name, steps=steps, rule="midpoint", seed=0)
        for name in ("black", "white")
    ]
    return np.stack([rank_regions(map.max(axis=-1), regions) for map in np.mean(maps, axis=0)])


def rank_regions(attribution: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Cover the image greedily with regions.

    Parameters
    ----------
    attribution : np.ndarray
        [H, W].
    regions : np.ndarray
        bool [R, H, W].

    Returns
    -------
    np.ndarray
        float32 [H, W].
    """
    flat = attribution.astype(np.float64).ravel()
    inside = regions.reshape(len(regions), -1)
    values = np.full(flat.shape, np.nan)
    # of the pixels that each region would add: how many, and their sum
    counts, sums = inside.sum(axis=1), inside @ flat
    while (counts >= _FEWEST_NEW).any():
        gains = np.where(counts >= _FEWEST_NEW, sums / np.maximum(counts, 1), -np.inf)
        added = np.flatnonzero(inside[int(gains.argmax())] & np.isnan(values))
        values[added] = flat[added].mean()
        counts = counts - inside[:, added].sum(axis=1)
        sums = sums - inside[:, added] @ flat[added]
    rest = np.isnan(values)
    values[rest] = flat[rest].mean() if rest.any() else 0.0
    return values.reshape(attribution.shape).astype(np.float32)


def felzenszwalb_segments(pixels: np.ndarray) -> np.ndarray:
    """Segment an image from fine to coarse.

    Parameters
    ----------
    pixels : np.ndarray
        float32 [H, W, 3], RGB 0..255.

    Returns
    -------
    np.ndarray
        int32 [6, H, W].

    References
    ----------
    Efficient graph-based image segmentation, https://doi.org/10.1023/B:VISI.0000022288.19776.77
    """
    from skimage.segmentation import felzenszwalb  # imported late: it takes a while

    low, high = float(pixels.min()), float(pixels.max())
    image = cv2.resize((pixels - low) / max(high - low, 1e-6) * 2 - 1, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    labels = [felzenszwalb(image, scale=scale, sigma=_SIGMA, min_size=_SMALLEST, channel_axis=-1) for scale in SCALES]
    size = pixels.shape[1::-1]
    return np.stack([cv2.resize(image.astype(np.int32), size, interpolation=cv2.INTER_NEAREST) for image in labels])


def widened(regions: np.ndarray, radius: int = DILATION) -> np.ndarray:
    """Return each region with all pixels within `radius` of it: bool [R, H, W]."""
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
    return np.stack([cv2.dilate(region.astype(np.uint8), disk) for region in regions]).astype(bool)


def _checked(segments: np.ndarray, image: np.ndarray) -> np.ndarray:
    labels = np.asarray(segments)
    labels = labels[np.newaxis] if labels.ndim == 2 else labels
    if labels.ndim != 3 or labels.shape[1:] != image.shape[:2] or labels.dtype.kind not in "iu":
        raise OptionError(
            f"segments are {labels.dtype} {list(labels.shape)}; they must be whole numbers [S, H, W] of the input's "
            f"size, {list(image.shape[:2])}"
        )
    return labels


def regions_of(segmentations: np.ndarray) -> np.ndarray:
    """Return the segments of label images int [S, H, W], one after the other: bool [R, H, W]."""
    return np.stack([labels == label for labels in segmentations for label in np.unique(labels)])


def _runs(probe: ProbeBase, _layer: Optional[LayerInfo], steps: int, **_others: Any) -> int:
    return 2 * (steps * probe.targets + 2)


XRAI_ROWS = (
    IteratedMethod(
        "xrai",
        "regions of the image by the attribution that they hold",
        "https://arxiv.org/abs/1906.02825",
        xrai,
        runs=_runs,
        unit=BACKWARD,
        inputs=("images",),
        options=(Option("steps", 50, low=1, high=MOST_RUNS), Option("segments", None, kind=object)),
    ),
)
