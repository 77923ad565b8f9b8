"""The small images of a report: the original, and its first map on it. No TensorFlow here."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

import cv2
import numpy as np

from gradcam_tf1.drawing.detected_box import Detection
from gradcam_tf1.drawing.detection_overlay import with_box
from gradcam_tf1.drawing.overlay import normalize, overlay
from gradcam_tf1.drawing.style import AGAINST
from gradcam_tf1.report.map_grid import MapGrid

PREVIEW_SIDE = 1024
THUMB_SIDE = 192
_QUALITY = 85


def jpeg(rgb: np.ndarray, side: int = PREVIEW_SIDE) -> bytes:
    """Return an image as JPEG without metadata, its longer side at most `side`.

    Parameters
    ----------
    rgb : np.ndarray
        uint8 [H, W, 3], RGB.
    side : int
        Longest side in pixels.
    """
    bgr = cv2.cvtColor(_shrunk(rgb, side), cv2.COLOR_RGB2BGR)
    data: bytes = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return data


def boxed(small: np.ndarray, size: Sequence[int], box: Optional[Sequence[float]]) -> np.ndarray:
    """Draw the box (top, left, bottom, right) of an image of this size into its small copy, uint8 [h, w, 3], RGB."""
    if box is None:
        return small
    scale = np.array(small.shape[:2]) / size
    found = Detection((box[0], box[1], box[2], box[3]), 1.0, 0).scaled(*scale.tolist())
    return with_box(small, found)


def thumbnail(rgb: np.ndarray, grid: Optional[MapGrid], method: str, colormap: str, alpha: float) -> np.ndarray:
    """Return the image in small with a map on it: uint8 [h, w, 3], RGB.

    Parameters
    ----------
    rgb : np.ndarray
        uint8 [H, W, 3], RGB.
    grid : MapGrid or None
        The map; None draws the image alone.
    method : str
        Its method.
    colormap : str
        Of the run's style.
    alpha : float
        Of the run's style.
    """
    small = _shrunk(rgb, THUMB_SIDE)
    if grid is None:
        return small
    scale = np.array(rgb.shape[:2]) / small.shape[:2]
    rows, columns = ((np.arange(side) + 0.5) * share for side, share in zip(small.shape[:2], scale))
    signed = colormap == "diverging"
    map = grid.at(rows, columns) * (-1 if signed and method in AGAINST else 1)
    top, left, bottom, right = np.rint(np.array(grid.seen) / [*scale, *scale]).astype(int).tolist()
    return overlay(small, normalize(map, signed), colormap, alpha, (top, left, bottom, right))


def _shrunk(rgb: np.ndarray, side: int) -> np.ndarray:
    """Return the image with its longer side at most `side`. Halving it first is ten times faster, and averages all."""
    height, width = _sides(rgb, side)
    while max(rgb.shape[:2]) >= 2 * side and min(rgb.shape[:2]) >= 2:
        rows, columns = rgb.shape[0] // 2, rgb.shape[1] // 2
        rgb = cv2.resize(rgb[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)
    return rgb if rgb.shape[:2] == (height, width) else cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)


def _sides(rgb: np.ndarray, side: int) -> Tuple[int, int]:
    scale = min(1.0, side / max(rgb.shape[:2]))
    return max(1, round(rgb.shape[0] * scale)), max(1, round(rgb.shape[1] * scale))
