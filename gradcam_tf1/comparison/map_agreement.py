"""How alike are the maps of two models on one image? No TensorFlow here."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import numpy as np

from gradcam_tf1.drawing.explained_map import Map
from gradcam_tf1.images.geometry import Placement
from gradcam_tf1.images.small_copies import shrunk
from gradcam_tf1.metrics.map_frames import on_original
from gradcam_tf1.metrics.similarity import SSIM_WINDOW, region_iou, spearman, ssim

SIDE = 512  # maps are compared on a copy of the image whose longer side is at most this
MEASURES = ("spearman", "ssim", "iou")

Similarity = Dict[str, Optional[float]]


def map_similarity(a: Map, b: Map) -> Similarity:
    """Compare two maps of one image where both models saw it.

    Each is placed on the original image (or a copy of at most 512 pixels) by its own cells, so that models of
    different input sizes compare. The channels of a pixel map become the sum of their absolute values.

    Parameters
    ----------
    a, b : Map
        Of the same image.

    Returns
    -------
    dict
        spearman -1..1, ssim -1..1, iou 0..1; all 1 for equal maps. None where both maps are constant, and for an SSIM
        of less than 11 pixels. 0 where only one map is constant, that is without evidence.
    """
    placed_a, placed_b = both_placed(a, b)
    if not (np.isfinite(placed_a).all() and np.isfinite(placed_b).all()):
        return dict.fromkeys(MEASURES)
    constant = [bool(placed.min() == placed.max()) for placed in (placed_a, placed_b)]
    if any(constant):
        return dict.fromkeys(MEASURES, None if all(constant) else 0.0)
    magnitudes = bool(
        min(placed_a.min(), placed_b.min()) >= 0
    )  # the same numbers, but SSIM then needs no room for signs
    positive = [bool(placed.max() > 0) for placed in (placed_a, placed_b)]
    return {
        "spearman": spearman(placed_a, placed_b),
        "ssim": ssim(placed_a, placed_b, magnitudes) if min(placed_a.shape) >= SSIM_WINDOW else None,
        "iou": region_iou(placed_a, placed_b) if all(positive) else 0.0 if any(positive) else None,
    }


def both_placed(a: Map, b: Map) -> Tuple[np.ndarray, np.ndarray]:
    """Return both maps on the part of the image that both models saw: two float64 [h, w]."""
    small_a, small_b = small_placement(a), small_placement(b)
    top, left = (max(ends) for ends in zip(small_a.seen[:2], small_b.seen[:2]))
    bottom, right = (min(ends) for ends in zip(small_a.seen[2:], small_b.seen[2:]))
    first, second = on_original(a.values, a.cells, small_a), on_original(b.values, b.cells, small_b)
    return first[top:bottom, left:right], second[top:bottom, left:right]


def small_placement(map: Map) -> Placement:
    """Return where the map lies on the copy of the image on which maps are compared."""
    placement: Placement = map.placement
    return placement if max(placement.original) <= SIDE else shrunk(placement, SIDE)
