"""Where on the image a group of maps is high, and whether that place is suspect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np

SIDE = 16  # points along each side of a pooled map
FINE = 48  # points along each side of a map before it is pooled

_BORDER = 2  # points that count as border on each side: an eighth of the image
_CORNER = 4  # points along each side of a corner: a quarter of the image
BORDER_SHARE = 0.8  # of the map, on the border; evenly spread maps have 0.44
CORNER_SHARE = 0.5  # of the map, in one corner; evenly spread maps have 0.06
SPREAD = 0.03  # of the peaks around their mean, as a share of the side
OFF_CENTRE = 0.2  # distance of a place from the centre, as a share of the side
WIDE_SPREAD = 0.2  # from which on the peaks lie at many places
LEAST_MEMBERS = 5


@dataclass(frozen=True)
class MapPlace:
    """Where the maps of a cluster are high.

    Attributes
    ----------
    row, column : float
        Mean position of the peaks, 0..1 from the top and from the left.
    spread : float
        Root mean square distance of the peaks from there, as a share of the side of the image.
    border : float
        Share of the mean map within an eighth of the image from its edge.
    corner : float
        Share of the mean map in the fullest corner, a quarter of the image high and wide.
    name : str
        The place in words, such as "top right corner", or "many places".
    suspect : str
        Why the place is suspect; "" if it is not.
    """

    row: float
    column: float
    spread: float
    border: float
    corner: float
    name: str
    suspect: str


def place_of(shares: np.ndarray) -> MapPlace:
    """Return where the maps of one cluster are high.

    A place is suspect if at least 5 maps agree on it and it lies in a corner, on the border, or at one spot away from
    the centre: objects move from image to image, watermarks, rulers and tags do not. One spot in the centre may be how
    the images were framed.

    Parameters
    ----------
    shares : np.ndarray
        float [N, 16, 16]: maps on the image stretched to a square, not negative, each with the sum 1.
    """
    mean = shares.mean(axis=0)
    row, column, spread = _peaks(shares)
    border = 1 - float(mean[_BORDER:-_BORDER, _BORDER:-_BORDER].sum())
    corner = _fullest_corner(mean)
    suspect = ""
    if len(shares) >= LEAST_MEMBERS:
        suspect = _suspect(corner, border, spread, max(abs(row - 0.5), abs(column - 0.5)))
    return MapPlace(row, column, spread, border, corner, _name(row, column, spread), suspect)


def _suspect(corner: float, border: float, spread: float, off_centre: float) -> str:
    if corner >= CORNER_SHARE:
        return f"{corner:.0%} of the map lies in one corner"
    if border >= BORDER_SHARE:
        return f"{border:.0%} of the map lies on the border"
    if spread <= SPREAD and off_centre >= OFF_CENTRE:
        return f"all maps are highest at one spot, within {spread:.0%} of the image's side"
    return ""


def _peaks(shares: np.ndarray) -> Tuple[float, float, float]:
    """Return the mean row and column of the peaks and their spread. A peak is the centre of the highest tenth."""
    flat = shares.reshape(len(shares), -1)
    highest = np.where(flat >= 0.9 * flat.max(axis=1, keepdims=True), flat, 0)
    weights = highest / highest.sum(axis=1, keepdims=True)
    rows, columns = ((np.indices((SIDE, SIDE)) + 0.5) / SIDE).reshape(2, -1)
    peaks = np.stack([weights @ rows, weights @ columns], axis=1)
    centre = peaks.mean(axis=0)
    return float(centre[0]), float(centre[1]), float(np.sqrt(((peaks - centre) ** 2).sum(axis=1).mean()))


def _fullest_corner(mean: np.ndarray) -> float:
    first, last = slice(None, _CORNER), slice(-_CORNER, None)
    return max(float(mean[rows, columns].sum()) for rows in (first, last) for columns in (first, last))


def _name(row: float, column: float, spread: float) -> str:
    """Return the third of the image in words; its outer quarters meet in the corners."""
    if spread > WIDE_SPREAD:
        return "many places"
    upright = ("top", "", "bottom")[min(2, int(3 * row))]
    sideways = ("left", "", "right")[min(2, int(3 * column))]
    corner = "corner" if min(abs(row - 0.5), abs(column - 0.5)) >= 0.25 else ""
    return " ".join(filter(None, (upright, sideways, corner))) or "centre"


def pooled(values: np.ndarray) -> Optional[np.ndarray]:
    """Return the positive part of a map at 48 x 48 points as shares at 16 x 16; None where nothing is positive."""
    positive = np.maximum(np.nan_to_num(values), 0).astype(np.float64)
    step = FINE // SIDE
    small = positive.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))
    total = small.sum()
    return small / total if total > 0 else None
